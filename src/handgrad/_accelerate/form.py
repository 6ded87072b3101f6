"""The bilinear form under autograd: each of the three functions, whose gradients are the other two.

B(x, w, dy) is linear in each of its operands. A function leaves one out; its gradient with respect to another is the
function that leaves that one out, with the cotangent g in the place of the first:

    conv        (x, w)  → y      gx = conv_input(w, g)      gw  = conv_weight(x, g)
    conv_weight (x, dy) → dw     gx = conv_input(g, dy)     gdy = conv(x, g)
    conv_input  (w, dy) → dx     gw = conv_weight(g, dy)    gdy = conv(g, w)

So gradients of gradients are there too, of every order. Numbers are real here: nothing is conjugated.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .._geometry import Ints
from .operators import call

# (gradient of a, gradient of b), each a function and its operands among a, b and g
_GRADIENTS = {
    "conv": (("conv_input", "b", "g"), ("conv_weight", "a", "g")),
    "conv_weight": (("conv_input", "g", "b"), ("conv", "a", "g")),
    "conv_input": (("conv_weight", "g", "b"), ("conv", "g", "a")),
}
# where a batch of operands goes when each gets a group of its own: before C or O, in (a, b, result)
_CHANNELS = {"conv": (1, 0, 1), "conv_weight": (1, 1, 0), "conv_input": (0, 1, 1)}
# the operand that alone carries the N of the result: a batch of it is more samples
_SAMPLES = {"conv": 0, "conv_weight": None, "conv_input": 1}


class Form(torch.autograd.Function):
    """An operator of `operators`, with gradients; `form` applies it."""

    @staticmethod  # torch.compile counts the parameters: they cannot be gathered
    def forward(
        op: str, a: Tensor, b: Tensor, size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Tensor:
        return call(op, a, b, size, stride, padding, dilation, groups)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.op, a, b, _, *ctx.options = inputs
        ctx.save_for_backward(a, b)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        a, b = ctx.saved_tensors
        have = {"a": a, "b": b, "g": g}
        grads: list[Tensor | None] = [None, None]
        for i, (of, (op, first, second)) in enumerate(zip((a, b), _GRADIENTS[ctx.op], strict=True)):
            if ctx.needs_input_grad[1 + i]:
                grads[i] = form(op, have[first], have[second], of.shape[2:], *ctx.options)
        return None, *grads, *[None] * (1 + len(ctx.options))

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], op: str, a: Tensor, b: Tensor, *options: Any
    ) -> tuple[Tensor, int]:
        batch, dims = info.batch_size, in_dims[1:3]
        *grids, groups = options
        alone = _SAMPLES[op]
        if alone is not None and dims[1 - alone] is None:  # (B, N, …) → (B·N, …) and back
            flat = (a, b)[alone].movedim(dims[alone] or 0, 0).flatten(0, 1)
            y = form(op, flat, b, *options) if alone == 0 else form(op, a, flat, *options)
            return torch.unflatten(y, 0, (batch, -1)), 0
        axes = _CHANNELS[op]
        # x, dy (N, B, C, …) → (N, B·C, …), w (B, O, …) → (B·O, …): block b of the channels meets only itself
        a, b = _blocks(a, dims[0], axes[0], batch), _blocks(b, dims[1], axes[1], batch)
        return torch.unflatten(form(op, a, b, *grids, groups * batch), axes[2], (batch, -1)), axes[2]


# without what functorch needs: a quarter of the time
_apply_at_once: Any = super(torch.autograd.Function, Form).apply


def form(op: str, a: Tensor, b: Tensor, size: Ints, *options: Any) -> Tensor:
    """`op` of a and b, with gradients; the options are stride, padding, dilation and groups."""
    at_once = not (torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active())
    if at_once and not torch.is_grad_enabled() and forward_ad._current_level < 0:
        return call(op, a, b, size, *options)  # as in every backward pass that is not differentiated itself
    apply: Any = _apply_at_once if at_once else Form.apply
    return cast("Tensor", apply(op, a, b, size, *options))


def _blocks(operand: Tensor, dim: int | None, axis: int, batch: int) -> Tensor:
    """The batch along `dim`, or as many times the same, in front of the channels at `axis`."""
    if dim is None:
        operand = operand.unsqueeze(axis).expand(*operand.shape[:axis], batch, *operand.shape[axis:])
    else:
        operand = operand.movedim(dim, axis)
    return operand.flatten(axis, axis + 1)
