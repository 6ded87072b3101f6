"""`hg.explain`: from operands to a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .. import functional as F
from .._errors import error
from .._geometry import ConvGeometry, conv_geometry, frozen, per_dim, transpose_geometry
from .._operands import check_conv, check_transpose
from ..functional._common import Padding, PaddingMode, Size
from .axes import axes_of
from .build import boxes
from .operands import check_count, operand
from .trace import Trace
from .verify import errors


def explain(
    input: Tensor | Sequence[int],
    weight: Tensor | Sequence[int],
    bias: Tensor | Sequence[int] | None = None,
    grad_output: Tensor | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    *,
    transposed: bool = False,
    output_padding: Size = 0,
    title: str = "",
) -> Trace:
    """How the numbers of a convolution and of all its gradients come about.

    >>> trace = hg.explain((1, 2, 5, 6), (3, 2, 3, 2), stride=2)
    >>> print(trace.sum("grad_weight", (0, 1, 2, 0)))
    dw[0, 1, 2, 0] = (−1)·0 + 3·2 + (−2)·5 + 1·5 + 2·1 + 1·2 = 5

    Args:
        input: x, (N, C, *I) or (C, *I), which is shown as a batch of one. A size instead of a tensor is filled with
            small integers, the same ones every time; so for weight and bias.
        weight: w, (O, C/groups, *K); of a transposed convolution (C, O/groups, *K).
        bias: (O,) or None.
        grad_output: dy, of the output's shape; by default small integers.
        stride, padding, dilation, groups, padding_mode: as in `hg.conv2d`, or `hg.conv_transpose2d`.
        transposed: explain the transposed convolution.
        output_padding: of a transposed convolution.
        title: a line to put above it.

    Returns:
        The trace: `.save("page.html")`, `print(trace)`, `.plot()`, `.sum(name, index)`, `.compare(weight=yours)`.

    Raises:
        HandgradError: where shapes, dtypes or numbers do not go together, something is empty or complex, or there is
            far more than a page can show.
    """
    x, w = operand("input", input), operand("weight", weight)
    dims = w.dim() - 2
    if not 1 <= dims <= 3:
        raise error("explain", "weight must have 3, 4 or 5 axes", weight=w.shape)
    x = _batched(x, dims)
    name = f"conv{'_transpose' if transposed else ''}{dims}d"
    options = _options(transposed, stride, padding, dilation, groups, padding_mode, output_padding)
    geometry = _geometry(name, x, w, options)
    tensors = _computed(name, x, w, None if bias is None else operand("bias", bias), grad_output, options)
    extra = per_dim(name, "output_padding", frozen(output_padding), dims, 0)
    return Trace(
        geometry,
        axes_of(geometry, padding_mode),
        transposed,
        padding_mode,
        extra,
        boxes(tensors, geometry, padding_mode, transposed),
        errors(tensors, geometry, padding_mode, transposed, extra),
        title,
        made_up=grad_output is None,
    )


def _computed(
    name: str, x: Tensor, w: Tensor, b: Tensor | None, dy: Tensor | None, options: dict[str, Any]
) -> dict[str, Tensor]:
    """Every operand and result, by the algorithm that does what the page says: columns, a product, a fold."""
    options = {**options, "algorithm": "reference"}
    y = getattr(F, name)(x, w, b, **options)
    dy = _batched(operand("grad_output", tuple(y.shape) if dy is None else dy), w.dim() - 2)
    dx, dw, db = getattr(F, f"{name}_backward")(dy, x, w, **options)
    tensors = {"input": x, "weight": w, "output": y, "grad_output": dy, "grad_input": dx, "grad_weight": dw}
    return tensors if b is None else tensors | {"bias": b, "grad_bias": db}


def _batched(tensor: Tensor, dims: int) -> Tensor:
    """(C, *I) → (1, C, *I)."""
    return tensor.unsqueeze(0) if tensor.dim() == dims + 1 else tensor


def _options(transposed: bool, *values: Any) -> dict[str, Any]:
    """The keywords of the function that computes it; raises where one of them has no meaning there."""
    names = ("stride", "padding", "dilation", "groups", "padding_mode", "output_padding")
    options = dict(zip(names, values, strict=True))
    foreign, without = ("padding_mode", "zeros") if transposed else ("output_padding", 0)
    given = frozen(options.pop(foreign))
    if any(entry != without for entry in (given if isinstance(given, tuple) else (given,))):
        kind = "is transposed" if transposed else "is not transposed"
        raise error("explain", f"{foreign} has no meaning for a convolution that {kind}")
    return options


def _geometry(name: str, x: Tensor, w: Tensor, options: dict[str, Any]) -> ConvGeometry:
    """Settled, and not too large, before anything is computed."""
    transposed, dims = "transpose" in name, w.dim() - 2
    (check_transpose if transposed else check_conv)(name, tuple(x.shape), tuple(w.shape), options["groups"], dims)
    numbers: dict[str, Any] = {key: frozen(value) for key, value in options.items() if key != "padding_mode"}
    build: Any = transpose_geometry if transposed else conv_geometry
    geometry: ConvGeometry = build(name, tuple(x.shape[2:]), tuple(w.shape[2:]), **numbers)
    channels, shapes = w.shape[1] * options["groups"], {"input": x.shape, "weight": w.shape}
    check_count("columns", (x.shape[0], channels, *geometry.kernel, *geometry.output), **shapes)
    check_count("padded output" if transposed else "padded input", (x.shape[0], channels, *geometry.padded), **shapes)
    check_count("input" if transposed else "output", (x.shape[0], w.shape[0], *geometry.output), **shapes)
    return geometry
