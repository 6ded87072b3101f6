"""Every sample's gradients of an ordinary model, whose backward pass is autograd's.

A parameter's gradient has two operands, x and dy, and both are known where its module runs: a hook after the module's
forward takes x, and asks the node of the graph behind the output for dy, as it will go into the derivative. Whether the
gradient is wanted, only the parameter knows. For each call of its module an alias stands in its place, a node of its
own, whose gradient is that of this one use.

What arrives at the parameter must then be the sum of what came through its aliases, bit for bit. If it is not, the
parameter was used where no hook could see it, and what was collected would be silently too little: so this is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from .._context import by_hand
from .._errors import error
from .._watch import state_of
from ._modules import OP, Law, law_of, refused
from ._samples import Samples
from ._use import MAX_BYTES

_HIDDEN = (
    "a penalty on it and gradients of gradients belong outside of the block, compiled code runs no hooks, and a hook "
    "on the parameter may not change its gradient"
)


@contextmanager
def record(model: nn.Module, *, max_bytes: int = MAX_BYTES) -> Iterator[Samples]:
    """Collect what every sample's gradients are made of while autograd runs a model forward and backward.

        with hg.per_sample.record(model) as samples:
            loss_function(model(x), y).backward()
        norms = samples.sqnorm().sqrt()                                 # (N,)

    Forward and backward pass both belong inside, for one batch; `.grad` gets its sum as ever. The batch is the first
    axis of what each module takes: a lookup without one, `positions(torch.arange(T))`, has to be expanded to it first.
    Several backward passes of one forward pass add up, as they do in `.grad`. Frozen parameters have no entry, and a
    parameter that several modules share, or whose module runs several times, has the sum.

    Modules of torch.nn are covered where `hg.per_sample` has their functions: convolutions, transposed or not, also
    after `hg.accelerate`; Linear, Embedding, and normalizations, of which BatchNorm only in evaluation. What mixes the
    samples in a function of your own, no hook can see.

    Args:
        model: any module; its hooks are gone, and it is as before, when the block ends, however it ends.
        max_bytes: as in `Samples`.

    Raises:
        HandgradError: at once, for what is no module, one with trainable parameters that is not covered, and one that
            hooks do not reach (compiled, DataParallel); in the forward pass, where batch statistics mix the samples,
            and for a second batch; in the backward pass, where a parameter's gradient has a part that no module's call
            explains, such as a penalty on the weight, and where the graph of gradients is asked for.
    """
    if not isinstance(model, nn.Module):
        raise error(OP, "model must be a module", got=model if isinstance(model, type) else type(model).__name__)
    recorder = _Recorder(Samples(max_bytes=max_bytes))
    with recorder.hooks:
        for path, module in model.named_modules():
            recorder.attach(path, module)
        yield recorder.samples


class _Recorder:
    """What the hooks of all modules share."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.hooks = ExitStack()
        self._watched: set[nn.Parameter] = set()
        self._through_aliases: dict[nn.Parameter, Tensor] = {}

    def attach(self, path: str, module: nn.Module) -> None:
        """Watch a module, where it has something to watch."""
        _check_reach(path, module)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            self.until_end(module.register_forward_pre_hook(partial(_check_statistics, path)))
        parameters = {name: entry for name, entry in module.named_parameters(recurse=False) if entry.requires_grad}
        if not parameters:
            return
        calls = _Calls(self, path, module, law_of(path, module), parameters)
        self.hooks.callback(calls.put_back)
        self.until_end(module.register_forward_pre_hook(calls.before))
        # the first hook to run sees the output as forward left it; and one that fails must not leave aliases behind
        after = module.register_forward_hook(calls.after, prepend=True, with_kwargs=True, always_call=True)
        self.until_end(after)
        for name, parameter in parameters.items():
            if parameter not in self._watched:
                self._watched.add(parameter)
                self.until_end(
                    cast("Any", parameter).register_hook(
                        partial(self._arrived, f"{path}.{name}".lstrip("."), parameter)
                    )
                )

    def until_end(self, handle: Any) -> None:
        """Remove a hook when the block ends."""
        self.hooks.callback(handle.remove)

    def check_batch(self, path: str) -> None:
        """Raise for a forward pass after a backward pass; checkpoints run theirs inside one."""
        if self.samples.parameters() and torch._C._current_graph_task_id() == -1:
            problem = (
                f"{path or 'the model'} runs again after a backward pass, and would add another batch to its samples"
            )
            raise error(OP, problem, "one block for each batch, or one backward pass of the sum of the losses")

    def collect(self, parameter: nn.Parameter, use: Any, gradient: Tensor) -> None:
        """One use, and the gradient that came through its alias."""
        self.samples.collect(parameter, use)
        others = self._through_aliases.get(parameter)
        self._through_aliases[parameter] = gradient if others is None else others + gradient

    @by_hand()
    def _arrived(self, path: str, parameter: nn.Parameter, gradient: Tensor) -> None:
        """Raise unless the gradient of a backward pass is what came through the aliases in it."""
        explained = self._through_aliases.pop(parameter, None)
        if explained is gradient:  # from one alias, and untouched
            return
        if explained is None or not torch.allclose(explained, gradient, rtol=0, atol=0, equal_nan=True):
            problem = f"the gradient of {path} has a part that no call of its module explains"
            raise error(OP, problem, _HIDDEN)


class _Calls:
    """The calls of one module: aliases in the place of its parameters, and what one use of each is made of."""

    def __init__(
        self, recorder: _Recorder, path: str, module: nn.Module, law: Law, parameters: Mapping[str, nn.Parameter]
    ) -> None:
        self._recorder, self._path, self._module, self._law = recorder, path, module, law
        self._parameters = parameters
        self._aliases: dict[str, Tensor] = {}

    def before(self, module: nn.Module, _args: Any) -> None:
        """Put aliases in place."""
        for name, parameter in self._parameters.items():
            if module._parameters.get(name) is not parameter:
                hint = "no `functional_call`, no replicas on several devices, and one `record` at a time"
                raise refused(self._path, module, f"runs with another {name} than its own", hint)
        self._aliases = {name: torch.ops.aten.alias(parameter) for name, parameter in self._parameters.items()}
        module._parameters.update(cast("dict[str, nn.Parameter]", self._aliases))

    def put_back(self) -> None:
        """Put the parameters back, if their aliases are in place."""
        if self._aliases:
            self._module._parameters.update(self._parameters)
            self._aliases = {}

    def after(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:  # noqa: ARG002
        """Put the parameters back, and ask the graph for dy and for whether it is wanted; there is none in an error."""
        aliases = self._aliases
        self.put_back()
        if not isinstance(output, Tensor) or output.grad_fn is None:
            return
        self._recorder.check_batch(self._path)
        x, arriving = (args[0] if args else kwargs["input"]).detach(), list[Tensor]()
        # a view's own node is left out where the view is changed in place later
        base = output._base if output._is_view() and output._base is not None else output
        take = partial(self._take, output.shape, arriving)
        self._recorder.until_end(cast("Any", base.grad_fn).register_prehook(take))
        for name, alias in aliases.items():
            give = partial(self._give, name, x, state_of(x), arriving)
            self._recorder.until_end(cast("Any", alias).register_hook(give))

    def _take(self, shape: torch.Size, arriving: list[Tensor], grad_outputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            hint = "backward() without create_graph; gradients of gradients outside of the block"
            raise refused(self._path, self._module, "is asked for gradients that have a graph", hint)
        arriving[:] = [grad_outputs[0].view(shape)]  # of the base, such as (N·T, C) → (N, T, C)

    @by_hand()
    def _give(self, name: str, x: Tensor, before: object, arriving: list[Tensor], gradient: Tensor) -> None:
        if name != "bias" and state_of(x) != before:  # autograd may have kept a copy, padded or of another dtype
            problem = "had its input changed in place after its forward pass"
            raise refused(self._path, self._module, problem, "change a copy, as `x = x + y` does")
        parameter = self._parameters[name]
        (dy,) = arriving
        x = x.to(parameter.dtype) if x.is_floating_point() else x  # autocast runs on others
        use = self._law.use(self._module, name, x, dy.to(parameter.dtype))
        self._recorder.collect(parameter, use, gradient)


def _check_reach(path: str, module: nn.Module) -> None:
    if isinstance(module, nn.DataParallel):
        raise refused(path, module, "splits the batch among devices", "DistributedDataParallel, or the module in it")
    if module._compiled_call_impl is not None or hasattr(module, "_torchdynamo_orig_callable"):
        raise refused(
            path, module, "is compiled, and compiled code runs no hooks", "record the module before compiling"
        )


def _check_statistics(path: str, module: Any, _args: Any) -> None:
    if module.training or module.running_mean is None:
        problem = "mixes the samples by batch statistics, and no gradient belongs to one of them"
        raise refused(path, module, problem, "its eval(), or GroupNorm instead")
