"""What the tensors of a convolution must be: their shapes, dtypes and devices, never their values."""

from __future__ import annotations

import torch
from torch import Tensor

from . import _tensors
from ._errors import error
from ._geometry import ConvGeometry, Ints, frozen

_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128)


def check_tensors(op: str, **tensors: Tensor | None) -> None:
    """Raise unless all are tensors of one floating or complex dtype on one device; only a bias may be None."""
    needed = {name: tensor for name, tensor in tensors.items() if tensor is not None or name != "bias"}
    given = _tensors.check_tensors(op, **needed)
    for name, tensor in given.items():
        if tensor.layout is not torch.strided or tensor.is_nested:
            raise error(
                op, f"{name} must be dense", f"`{name}.to_dense()`", **{name: (tensor.shape, str(tensor.layout))}
            )
    if len({tensor.dtype for tensor in given.values()}) > 1:
        raise error(op, "the dtypes differ", **{name: tensor.dtype for name, tensor in given.items()})
    for name, tensor in given.items():
        if tensor.dtype not in _DTYPES:
            known = ", ".join(str(dtype).removeprefix("torch.") for dtype in _DTYPES)
            raise error(op, f"{name} has a dtype without gradients", **{name: tensor.dtype}, known=known)


def check_conv(op: str, input: Ints, weight: Ints, groups: int, dims: int) -> None:
    """Raise unless sizes (N, C, *I) or (C, *I) and (O, C/G, *K) belong together."""
    _check_ranks(op, input, weight, dims, "(O, C/groups, *K)", weight[1:2])
    _check_groups(op, groups, weight, "O")
    C, per_group = input[-dims - 1], weight[1]
    if per_group * groups != C:
        last = len(input) == dims + 2 and input[-1] == per_group * groups
        raise error(
            op,
            "input and weight disagree about channels",
            "channels last? `input.movedim(-1, 1)`" if last else None,
            input=(input, f"C = {C}"),
            weight=(weight, f"C/groups = {per_group}, groups = {groups}"),
            needed=f"C = {per_group} · {groups} = {per_group * groups}, got {C}",
        )
    if min((*input[-dims:], *weight[:1], *weight[2:])) < 1:
        raise error(op, "only the batch and the input channels may be empty", input=input, weight=weight)


def check_transpose(op: str, input: Ints, weight: Ints, groups: int, dims: int) -> None:
    """Raise unless sizes (N, C, *I) or (C, *I) and (C, O/G, *K) belong together."""
    _check_ranks(op, input, weight, dims, "(C, O/groups, *K)", weight[:1])
    _check_groups(op, groups, weight, "C")
    C = input[-dims - 1]
    if weight[0] != C:
        last = len(input) == dims + 2 and input[-1] == weight[0]
        raise error(
            op,
            "input and weight disagree about channels",
            "channels last? `input.movedim(-1, 1)`" if last else None,
            input=(input, f"C = {C}"),
            weight=(weight, f"C = {weight[0]}, O/groups = {weight[1]}"),
            needed=f"C = {weight[0]}, got {C}",
        )
    if min((*input[-dims - 1 :], *weight)) < 1:
        raise error(op, "only the batch may be empty", input=input, weight=weight)


def check_bias(op: str, bias: Tensor | None, O: int) -> None:
    """Raise unless the bias, if there is one, has size (O,)."""
    if bias is not None and bias.shape != (O,):
        raise error(op, "the bias has one number for each output channel", bias=bias.shape, needed=(O,))


def check_grad_output(op: str, grad_output: Ints, output: Ints, geometry: ConvGeometry, equation: str) -> None:
    """Raise unless grad_output has the size of what this geometry puts out; `equation` says how that comes about."""
    if grad_output != output:
        raise error(
            op,
            "grad_output has a size that this geometry cannot put out",
            grad_output=tuple(grad_output),
            needed=(output, equation),
            kernel=geometry.kernel,
            stride=geometry.stride,
            padding=geometry.padding,
            dilation=geometry.dilation,
        )


def _check_ranks(op: str, input: Ints, weight: Ints, dims: int, form: str, channels: Ints) -> None:
    if len(input) not in (dims + 1, dims + 2):
        hint = "one channel? `input.unsqueeze(0)`" if len(input) == dims and channels == (1,) else None
        raise error(op, "input must be (N, C, *I) or (C, *I)", hint, input=(input, f"{len(input)} axes"), weight=weight)
    if len(weight) != dims + 2:
        raise error(op, f"weight must be {form}", input=input, weight=(weight, f"{len(weight)} axes"))


def _check_groups(op: str, groups: int, weight: Ints, axis: str) -> None:
    number = frozen(groups)
    if not isinstance(number, int) or number < 1:
        raise error(op, "groups must be a positive int", groups=groups)
    if weight[0] % groups:
        raise error(op, f"groups do not divide {axis}", weight=(weight, f"{axis} = {weight[0]}"), groups=groups)
