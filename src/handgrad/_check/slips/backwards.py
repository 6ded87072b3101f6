"""Other linear maps in the place of the true backward pass, for code of any kind."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import torch
from torch import Tensor

from . import Backwards, Slip, copies
from .chained import one_step_further
from .draw import Draw
from .elementwise import elementwise
from .inside import inside
from .products import products
from .reductions import per_sample, reductions
from .regularized import regularized
from .unknown import unknown_derivative


def backwards(draw: Draw, allowed: Collection[Slip] | None = None) -> Backwards:
    """Every slip of this kind, the operation's own first as the more specific; or those that may be needed."""
    causes = None if allowed is None else {slip.cause for slip in allowed}
    if draw.bound:
        yield from draw.bound.slips(draw)
    for makes, slips in _TABLE:
        if causes is None or makes is None or not makes.isdisjoint(causes):
            yield from slips(draw)
    alone = sum(value.is_floating_point() for value in draw.inputs.values()) < 2
    if not (alone and draw.is_elementwise):  # a function of one entry has none but in its derivative
        yield from inside(draw, causes)


def _per_sample(draw: Draw) -> Backwards:
    if draw.g.dim() and draw.batch and draw.user.numel() == draw.batch * draw.truth.numel():
        message = (
            f"{draw.batch} gradients, one a sample, where all samples share `{draw.name}`: "
            "the sum over the batch is right (autograd's engine and gradcheck do that sum silently)"
        )
        slip = Slip("missing-batch-sum", None, message, f"sum over the batch: `d{draw.name}.sum(0)`")
        yield (slip,), partial(per_sample, draw)


def _averaged(draw: Draw) -> Backwards:
    """Divided by how many windows meet in an entry: as many as outputs depend on it, where one is the least."""
    ratio = (draw.truth / draw.user)[draw.user != 0] if draw.user.shape == draw.truth.shape else draw.truth[:0]
    whole = ratio.numel() > 0 and bool((ratio > 0.5).all() and (ratio > 1.5).any()) and draw.equal(ratio, ratio.round())
    if not whole or draw.g.numel() > _MOST:
        return
    eye = torch.eye(draw.g.numel(), dtype=draw.g.dtype)
    reached = torch.stack([draw.backward(row.reshape(draw.g.shape)) != 0 for row in eye]).sum(0).double()
    meet = reached / reached[reached > 0].min()
    message = "overlapping windows are averaged: right for putting an image together again, wrong for a gradient"
    slip = Slip("averaged-overlap", None, message, "do not divide by how many windows overlap")
    yield (slip,), lambda g: draw.backward(g) / meet.clamp(min=1)


_MOST = 400  # entries of grad_output, each a backward pass


def _other_gradients(draw: Draw) -> Backwards:
    for other, gradient in draw.gradients.items():
        if other == draw.name or draw.case.is_right(other):  # returned in its own place, it is not exchanged
            continue
        if gradient.shape == draw.user.shape and not _proportional(draw, gradient):
            message = f"this is the gradient of `{other}`: the gradients are returned in another order than the inputs"
            fix = f"return them in the order of the inputs: {', '.join(draw.inputs)}"
            yield (Slip("wrong-return-order", other, message, fix),), partial(_gradient_of, draw, other)


def _proportional(draw: Draw, gradient: Tensor) -> bool:
    """Whether the other gradient is ± this one: then a swap of the two cannot be told from a sign."""
    return gradient.shape == draw.truth.shape and (
        draw.equal(gradient, draw.truth) or draw.equal(gradient, -draw.truth)
    )


def _gradient_of(draw: Draw, other: str, g: Tensor) -> Tensor:
    return draw.case.vjp(g)[other]


def _stepped(draw: Draw) -> Backwards:
    """The backward pass at a weight that was updated before: U = BW at w − lr·dw."""
    if draw.user.shape != draw.truth.shape:
        return
    for other in draw.inputs:
        found = draw.stepped(other)
        if found is not None:
            rate, linear = found
            message = (
                f"this is the gradient for `{other}` − {rate:.6g}·d{other}: `{other}` was updated before it was used"
            )
            fix = f"compute every gradient before `{other}` is updated"
            yield (Slip("updated-weight", (other, f"{rate:.4g}"), message, fix),), linear


_TABLE: tuple[tuple[frozenset[str] | None, Callable[[Draw], Backwards]], ...] = (
    (None, elementwise),
    (frozenset({"derivative-of-activation-wrong"}), unknown_derivative),
    (frozenset({"derivative-of-activation-wrong"}), one_step_further),
    (frozenset({"missing-batch-sum"}), _per_sample),
    (frozenset({"wrong-reduction-axes", "missing-batch-sum"}), reductions),
    (frozenset({"averaged-overlap"}), _averaged),
    (copies.CAUSES, copies.copies),
    (frozenset({"wrong-return-order"}), _other_gradients),
    (frozenset({"regularizer-included"}), regularized),
    (frozenset({"updated-weight"}), _stepped),
    (frozenset({"wrong-operand-order", "transposed"}), products),
)
