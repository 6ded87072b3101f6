"""What the parameters of torch.nn's modules meet: from a module, its input x and dy to a use of its weight or bias.

Each function below is the law of one kind of module; `law_of` finds a module's, or says why it has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from .._errors import HandgradError, error
from .._geometry import spans
from ..functional._common import batched
from ..functional._sides import of_conv, of_transposed
from ._product import Dense, Product
from ._use import Summed, Use, by_channel, by_last

OP = "per_sample.record"
Law = Callable[[Any, str, Tensor, Tensor], Use]
"""(module, 'weight' or 'bias', x, dy) → use; x and dy have the parameter's dtype."""


def _conv(module: Any, name: str, x: Tensor, dy: Tensor) -> Use:
    shape, dims = module.weight.shape, module.weight.dim() - 2
    if name == "bias":
        return by_channel(module.bias.shape, grad_output=batched(dy, dims))
    settings = (getattr(module, setting) for setting in ("stride", "padding", "dilation", "groups", "padding_mode"))
    return Product(OP, of_conv(OP, dims, x, shape, dy, *settings), shape)


def _transposed(module: Any, name: str, x: Tensor, dy: Tensor) -> Use:
    shape, dims = module.weight.shape, module.weight.dim() - 2
    if name == "bias":
        return by_channel(module.bias.shape, grad_output=batched(dy, dims))
    settings = module.stride, module.padding, _output_padding(module, x, dy), module.groups, module.dilation
    return Product(OP, of_transposed(OP, dims, x, shape, dy, *settings), shape)


def _output_padding(module: Any, x: Tensor, dy: Tensor) -> tuple[int, ...]:
    """L − ((I − 1)·s − 2·padding + span): a call with an `output_size` chooses it."""
    dims, span = module.weight.dim() - 2, spans(module.kernel_size, module.dilation)
    axes = zip(x.shape[-dims:], dy.shape[-dims:], module.stride, module.padding, span, strict=True)
    return tuple(size - ((i - 1) * s - 2 * p + covered) for i, size, s, p, covered in axes)


def _linear(module: Any, name: str, x: Tensor, dy: Tensor) -> Use:
    if name == "bias":
        return by_last(module.bias.shape, grad_output=dy)
    return Dense(OP, x, module.weight.shape, dy)


# y = γ x̂ + β, where x̂ is what the module would put out with γ = 1 and β = 0


def _batch_norm(module: Any, name: str, x: Tensor, dy: Tensor) -> Use:
    standard = F.batch_norm(x, module.running_mean, module.running_var, eps=module.eps)
    return _by_channel(module, name, standard, dy)


def _group_norm(module: Any, name: str, x: Tensor, dy: Tensor) -> Use:
    return _by_channel(module, name, F.group_norm(x, module.num_groups, eps=module.eps), dy)


def _instance_norm(module: Any, name: str, x: Tensor, dy: Tensor) -> Use:
    dims = int(type(module).__name__[-2])
    x, dy = batched(x, dims), batched(dy, dims)
    if module.training or module.running_mean is None:
        return _by_channel(module, name, F.instance_norm(x, eps=module.eps), dy)
    return _batch_norm(module, name, x, dy)


def _layer_norm(module: Any, name: str, x: Tensor, dy: Tensor) -> Use:
    shape = module.normalized_shape
    factors = {"standard": F.layer_norm(x, shape, eps=module.eps)} if name == "weight" else {}
    return by_last(shape, grad_output=dy, **factors)


def _rms_norm(module: Any, _name: str, x: Tensor, dy: Tensor) -> Use:
    shape = module.normalized_shape
    return by_last(shape, grad_output=dy, standard=F.rms_norm(x, list(shape), eps=module.eps))


def _by_channel(module: Any, name: str, standard: Tensor, dy: Tensor) -> Summed:
    factors = {"standard": standard} if name == "weight" else {}
    return by_channel(module.weight.shape, grad_output=dy, **factors)


_ONCE: dict[str, Law] = {
    "Linear": _linear,
    "GroupNorm": _group_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "SyncBatchNorm": _batch_norm,
}
_IN_1D_2D_3D: dict[str, Law] = {
    "Conv": _conv,
    "ConvTranspose": _transposed,
    "BatchNorm": _batch_norm,
    "InstanceNorm": _instance_norm,
}
LAWS: dict[type[nn.Module], Law] = {getattr(nn, name): law for name, law in _ONCE.items()} | {
    getattr(nn, f"{name}{dims}d"): law for name, law in _IN_1D_2D_3D.items() for dims in (1, 2, 3)
}


def law_of(path: str, module: nn.Module) -> Law:
    """The law of a module's parameters.

    Raises:
        HandgradError: where there is none, by the module's path, with the reason and what to do.
    """
    covered = next((cls for cls in type(module).__mro__ if cls in LAWS), None)
    own = {name for name, _ in module.named_parameters(recurse=False)}
    odd = [type(entry).__name__ for entry in module.parameters(recurse=False) if type(entry) is not nn.Parameter]
    if hasattr(module, "accumulate_grad"):
        problem, hint = "is an explicit layer, outside autograd", "`backward(grad_output, per_sample=Samples())`"
    elif covered is None or not own <= {"weight", "bias"}:
        problem, hint = "has parameters that are not covered", _NOT_COVERED
    elif not _computes_as(covered, module):
        problem, hint = "has a forward of its own", _NOT_COVERED
    elif odd:
        problem, hint = "has parameters of a kind of their own", "a plain model on one device"
    else:
        return LAWS[covered]
    raise refused(path, module, problem, hint)


_NOT_COVERED = (
    "freeze them, `requires_grad_(False)`, build the module from ones that are covered, or take "
    "`torch.func.vmap` of `torch.func.grad`"
)


def refused(path: str, module: nn.Module, problem: str, hint: str) -> HandgradError:
    """The error about one module."""
    return error(OP, f"{path or 'the model'} {problem}", hint, type=type(module).__name__)


def _computes_as(covered: type[nn.Module], module: nn.Module) -> bool:
    """Whether the module's forward is torch.nn's, or `hg.accelerate`'s of it."""
    for name in ("forward", "_conv_forward"):
        theirs, own = getattr(covered, name, None), getattr(type(module), name, None)
        accelerated = getattr(own, "__module__", "").startswith(f"{__package__.partition('.')[0]}._accelerate")
        if name in vars(module) or not (own is theirs or accelerated):
            return False
    return True
