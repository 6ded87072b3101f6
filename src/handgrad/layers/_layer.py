"""The skeleton that all explicit layers share, so that no layer has to think of it.

A layer is one `forward` that returns the output and a closure. The closure holds what the derivative needs: nothing is
stored on the module, and a layer may stand twice in one network. Every layer shows the same three blocks: the formula
with its source as a comment, the forward pass, and nested in it the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import ClassVar, Protocol, cast, overload

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules

from .._context import by_hand
from .._errors import HandgradError, error
from .._tensors import check_tensors, facts, wide
from .._watch import watch
from ..per_sample._samples import Samples, collecting
from ..per_sample._use import Use
from ._backward import Again, Pullback, Returned, takes


class Backward(Protocol):
    """What calling a layer returns beside its output: from the gradient of the output to the gradient of the input."""

    @overload
    def __call__(self, grad_output: Tensor, *, per_sample: Samples | None = None, once: bool = False) -> Tensor: ...
    @overload
    def __call__(
        self, grad_output: Tensor, *, per_sample: Samples | None = None, needs_input: bool, once: bool = False
    ) -> Tensor | None: ...


class Layer(nn.Module):
    """A layer whose gradients are written out: `y, backward = layer(x)`, later `grad_x = backward(grad_y)`.

    `backward` returns the gradient of the input and *adds* the gradients of the parameters into their `.grad`, where
    `torch.optim` and `torch.nn.utils` find them. No autograd graph is built, whatever the inputs, nothing is modified
    in place but running estimates, and autocast is off. A parameter gets its gradient also if its `requires_grad` is
    off: to freeze it, leave it out of the optimizer. Hooks for autograd never run; so `DistributedDataParallel` wraps
    a layer and broadcasts its weights, but the gradients are yours to average.

    As with autograd, what a backward pass still needs must not change in place before it runs: the tensors that its
    closure refers to (of a convolution the input, of ReLU the output), and the parameters. Change the rest at will. In
    a `Sequential`, what follows from something else that is kept is not kept, but computed again.

    `backward(grad_y, per_sample=samples)` also fills a `hg.per_sample.Samples` with what every sample's gradients are
    made of, and `backward(grad_y, needs_input=False)` returns None and skips the gradient of the input: of a network,
    what its first layer would compute for nobody. `backward(grad_y, once=True)` is the last time: each layer's memory
    goes as soon as its part has run, as with autograd, and a second call is an error.

    A layer of your own derives from `Layer` and from the ordinary module, if there is one, that brings constructor,
    parameters and `repr`: `class PReLU(Layer, nn.PReLU)`. Its `forward(input)` returns `(output, backward)`, and its
    `backward(grad_output)` hands the parameters' gradients to `accumulate_grad` and returns the input's. All that this
    class promises holds for it too.

    Raises:
        HandgradError: if the input is no floating-point or complex tensor (of `Embedding` integers), has not the
            parameters' dtype and device (normalization takes halves with parameters in float32, as `torch.nn` does), or
            cannot go through `forward`; in the backward pass, if `grad_output` has not the output's shape, dtype and
            device, or if something it needs has changed.
    """

    _takes_complex: ClassVar[bool] = True
    _takes_halves: ClassVar[bool] = False  # with parameters in float32
    _takes_indices: ClassVar[bool] = False  # and nothing else

    def __call__(self, input: Tensor) -> tuple[Tensor, Backward]:
        """The output, and the function that turns its gradient into the gradient of the input."""
        return self._computed(input)

    def _after(self, input: Tensor, over: bool, again: Again | None) -> tuple[Tensor, Returned]:
        """The same of an input that may be written over, if `over`, and need not be kept, if it can be had `again`."""
        offered = {"over": over, "again": again} if self._is_unwatched() else {}
        taken = {name: offer for name, offer in offered.items() if offer and takes(type(self).forward, name)}
        return cast("tuple[Tensor, Returned]", self._computed(input, **taken) if taken else self(input))

    def _is_fresh(self) -> bool:
        """Whether the output is a tensor that nobody else holds, this layer's backward pass included."""
        return getattr(type(self).forward, "fresh", False) and self._is_unwatched()

    def _is_unwatched(self) -> bool:
        """Whether only what the class says happens to input and output: a hook could keep them, or look at them."""
        everywhere = modules._global_forward_hooks or modules._global_forward_pre_hooks
        return not (self._forward_hooks or self._forward_pre_hooks or everywhere or "forward" in self.__dict__)

    def _computed(self, input: Tensor, **options: object) -> tuple[Tensor, Backward]:
        self._check_input(input)
        with by_hand():
            try:
                output, gradient = super().__call__(input.detach(), **options)
            except (HandgradError, torch.OutOfMemoryError):
                raise
            except (RuntimeError, IndexError, TypeError, ValueError) as refusal:  # PyTorch's, of what it computed
                reason = str(refusal).partition("\n")[0]
                rows = {"input": facts(input), "settings": self.extra_repr(), "reason": reason}
                raise self._error("cannot take this input", **rows) from refusal
        told = getattr(type(self).forward, "repeatable", False) and self._is_unwatched()
        again = getattr(gradient, "again", None) if told else None
        return output, cast("Backward", Returned(self, gradient, self._check_backward(output, gradient), again))

    def accumulate_grad(self, **gradients: Tensor | Use | None) -> None:
        """Add the gradients, named as the parameters, into `.grad`; the gradient of an absent bias is ignored.

        A gradient is a tensor as its parameter, summed over the batch, or a use of `hg.per_sample`, which also tells
        the samples apart: `Each(gradients)` of what is not summed yet, (N, *parameter).

        Raises:
            HandgradError: for the name or the shape of no parameter of this layer, and for a tensor that is summed
                already while a `Samples` collects.
        """
        samples = collecting()
        for name, gradient in gradients.items():
            if name not in self._parameters:
                raise self._error(f"{name} is no parameter of this layer", parameters=[*self._parameters])
            parameter = self._parameters[name]
            if parameter is None or gradient is None:
                continue
            if gradient.shape != parameter.shape:  # adding would broadcast it silently
                problem = f"the gradient of {name} has another shape"
                raise self._error(problem, gradient=gradient.shape, parameter=parameter.shape)
            if samples is not None:
                if not isinstance(gradient, Use):
                    hint = f"`self.accumulate_grad({name}=hg.per_sample.Each(…))` of (N, *{tuple(parameter.shape)})"
                    raise self._error(f"the gradient of {name} does not tell the samples apart", hint)
                samples.collect(parameter, gradient)
            if samples is None or samples.accumulate:
                _add(parameter, gradient.weighted() if isinstance(gradient, Use) else gradient)

    def _refuse_samples(self, problem: str, hint: str) -> None:
        """Raise while a `Samples` collects."""
        if collecting() is not None:
            raise self._error(problem, hint)

    def _check_input(self, input: Tensor) -> None:
        own = _given(self._parameters | self._buffers)
        check_tensors(type(self).__name__, input=input, **own)
        indices = input.dtype in (torch.int32, torch.int64)
        if self._takes_indices and not indices:
            raise self._error("input is no tensor of indices", "`input.long()`", input=facts(input))
        if indices and (self._takes_indices or self._modules):  # its children see for themselves
            return
        if not (input.is_floating_point() or (input.is_complex() and self._takes_complex)):
            raise self._error("input is not floating point", "`input.float()`", input=facts(input))
        dtypes = {input.dtype, wide(input)} if self._takes_halves else {input.dtype}
        for name, tensor in own.items():
            if tensor.dtype not in dtypes and tensor.dtype != torch.long:  # the number of batches so far
                rows, hint = {"input": facts(input), name: facts(tensor)}, f"`input.to({tensor.dtype})`"
                raise self._error(f"input and {name} disagree about the dtype", hint, **rows)

    def _check_backward(self, output: Tensor, gradient: Pullback) -> Callable[[Tensor], None]:
        """What to check before the backward pass: the gradient's facts, and that nothing has changed since now."""
        name, wanted = type(self).__name__, facts(output)
        check_unchanged = watch(name, gradient, **_given(self._parameters))

        def check(grad_output: Tensor) -> None:
            check_tensors(name, grad_output=grad_output)
            if facts(grad_output) != wanted:
                raise self._error("grad_output is not like the output", grad_output=facts(grad_output), output=wanted)
            check_unchanged()

        return check

    def _error(self, problem: str, hint: object = None, **rows: object) -> HandgradError:
        return error(type(self).__name__, problem, hint, **rows)


def _given(tensors: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def _add(parameter: nn.Parameter, gradient: Tensor) -> None:
    if parameter.grad is None:
        # an optimizer cannot use a tensor that was made under inference mode
        with torch.inference_mode(False) if torch.is_inference_mode_enabled() else nullcontext():
            parameter.grad = torch.empty_like(parameter)  # in the parameter's memory layout too: fused ones want it
        parameter.grad.copy_(gradient)
    else:
        parameter.grad.add_(gradient)
