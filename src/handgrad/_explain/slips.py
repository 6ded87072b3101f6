"""The likeliest slips, as what they make of a result; their names are those of `handgrad check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from .. import functional as F

if TYPE_CHECKING:
    from .trace import Trace


class Slip(NamedTuple):
    """A cause, a sentence, and the wrong result from a trace and the right one.

    `moves`: it only moves the right numbers. `sample`: the only one that is left of the batch.
    """

    cause: str
    message: str
    wrong: Callable[[Trace, Tensor], Tensor]
    moves: bool = False
    sample: int | None = None


def slips(name: str) -> Iterator[Slip]:
    """Those of one result, the likeliest first."""
    yield from _SLIPS.get(name, ())
    yield Slip("wrong-sign", "every entry has the other sign", lambda _, right: -right)
    yield Slip(
        "mean-instead-of-sum",
        "the samples are averaged, and must be summed",
        lambda trace, right: right / trace["input"].shape[0],
    )


def _function(trace: Trace, end: str) -> Any:
    """`hg.conv2d_input` and the like, with everything but the operands filled in."""
    geometry = trace.geometry
    options: dict[str, Any] = {"stride": geometry.stride, "padding": geometry.padding, "dilation": geometry.dilation}
    more = {"output_padding": trace.output_padding} if trace.transposed else {"padding_mode": trace.padding_mode}
    function = getattr(F, trace.operation + end)
    return lambda *operands: function(*operands, groups=geometry.groups, algorithm="reference", **options, **more)


def _dw(trace: Trace, dy: Tensor) -> Tensor:
    dw: Tensor = _function(trace, "_weight")(trace["input"], trace["weight"].shape, dy)
    return dw


def _dx(trace: Trace, w: Tensor, dy: Tensor) -> Tensor:
    dx: Tensor = _function(trace, "_input")(trace["input"].shape, w, dy)
    return dx


def _grid(trace: Trace) -> list[int]:
    """The kernel's own axes."""
    return list(range(2, 2 + trace.geometry.dims))


def _per_sample(trace: Trace) -> Tensor:
    """(N, *weight): the gradient of each sample alone."""
    dy, keeps = trace["grad_output"], torch.eye(trace["input"].shape[0], dtype=torch.float64)
    return torch.stack([_dw(trace, dy * keep.view(-1, *[1] * (dy.dim() - 1))) for keep in keeps])


def _averaged(trace: Trace, right: Tensor) -> Tensor:
    """Divided by how many windows each entry stands in."""
    taps = _dx(trace, torch.ones_like(trace["weight"]), torch.ones_like(trace["grad_output"]))
    return right / (taps / (trace["weight"].shape[0] // trace.geometry.groups)).clamp_min(1)


_SAMPLES = "one gradient a sample: all samples share it, so they must be summed"
_SLIPS: dict[str, tuple[Slip, ...]] = {
    "grad_weight": (
        Slip("kernel-flipped", "the kernel is turned around", lambda trace, dw: dw.flip(_grid(trace)), moves=True),
        Slip("kernel-axes-transposed", "the kernel's last two axes are exchanged", lambda _, dw: dw.mT, moves=True),
        Slip(
            "channels-swapped", "the two axes of channels are exchanged", lambda _, dw: dw.transpose(0, 1), moves=True
        ),
        Slip("missing-batch-sum", _SAMPLES, lambda trace, _: _per_sample(trace)),
        Slip("one-sample-only", "only the first sample is left", lambda trace, _: _per_sample(trace)[0], sample=0),
        Slip("one-sample-only", "only the last sample is left", lambda trace, _: _per_sample(trace)[-1], sample=-1),
        Slip(
            "output-instead-of-grad-output",
            "the output stands where grad_output belongs",
            lambda trace, _: _dw(trace, trace["output"]),
        ),
    ),
    "grad_input": (
        Slip(
            "kernel-not-flipped",
            "the kernel is laid on as it is, where it must be turned around",
            lambda trace, _: _dx(trace, trace["weight"].flip(_grid(trace)), trace["grad_output"]),
        ),
        Slip("averaged-overlap", "overlapping windows are averaged, and must add up", _averaged),
        Slip(
            "column-form",
            "this is the gradient of the columns: the fold back is missing",
            lambda trace, _: trace["grad_columns"],
        ),
        Slip(
            "padding-not-cropped",
            "this is the gradient of the padded input: the padding must be cropped",
            lambda trace, _: trace.boxes["grad_input"].padded,
        ),
        Slip(
            "output-instead-of-grad-output",
            "the output stands where grad_output belongs",
            lambda trace, _: _dx(trace, trace["weight"], trace["output"]),
        ),
    ),
    "grad_bias": (
        Slip("missing-batch-sum", _SAMPLES, lambda trace, _: trace["grad_output"].flatten(2).sum(2)),
        Slip(
            "mean-instead-of-sum",
            "the positions are averaged, and must be summed",
            lambda trace, db: db * db.numel() / trace["grad_output"].numel(),
        ),
    ),
}
