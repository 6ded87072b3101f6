"""What the parameters of torch.nn's modules meet: from a module, its input x and dy to a use of its weight or bias.

The laws are those of this folder's functions, here with a module's settings. `law_of` finds a module's, or says why it
has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from .._errors import HandgradError, error
from .._geometry import spans
from ..functional._common import batched
from ._use import Use, by_channel, by_last
from .convolution import conv_nd
from .embedding import embedding
from .linear import linear
from .normalization import batch_norm, group_norm, layer_norm
from .transposed import conv_transpose_nd

OP = "per_sample.record"


class Law(NamedTuple):
    """Of one kind of module: from (module, x, dy) to a use of its weight, and from (module, dy) to one of its bias."""

    weight: Callable[[Any, Tensor, Tensor], Use]
    bias: Callable[[Any, Tensor], Use]

    def use(self, module: nn.Module, name: str, x: Tensor, dy: Tensor) -> Use:
        """Of the parameter with this name; x and dy have its dtype."""
        return self.bias(module, dy) if name == "bias" else self.weight(module, x, dy)


def _conv(module: Any, x: Tensor, dy: Tensor) -> Use:
    settings = module.stride, module.padding, module.dilation, module.groups, module.padding_mode
    return conv_nd(OP, _dims(module), x, module.weight.shape, dy, *settings)


def _transposed(module: Any, x: Tensor, dy: Tensor) -> Use:
    settings = module.stride, module.padding, _output_padding(module, x, dy), module.groups, module.dilation
    return conv_transpose_nd(OP, _dims(module), x, module.weight.shape, dy, *settings)


def _output_padding(module: Any, x: Tensor, dy: Tensor) -> tuple[int, ...]:
    """L − ((I − 1)·s − 2·padding + span): a call with an `output_size` chooses it."""
    dims, span = _dims(module), spans(module.kernel_size, module.dilation)
    axes = zip(x.shape[-dims:], dy.shape[-dims:], module.stride, module.padding, span, strict=True)
    return tuple(size - ((i - 1) * s - 2 * p + covered) for i, size, s, p, covered in axes)


def _instance_norm(module: Any, x: Tensor, dy: Tensor) -> Use:
    x, dy = batched(x, _dims(module)), batched(dy, _dims(module))
    if module.training or module.running_mean is None:
        return group_norm(OP, x, module.num_features, dy, module.eps)  # groups of one channel
    return _batch_norm(module, x, dy)


def _batch_norm(module: Any, x: Tensor, dy: Tensor) -> Use:
    return batch_norm(OP, x, module.running_mean, module.running_var, dy, module.eps)


def _rms_norm(module: Any, x: Tensor, dy: Tensor) -> Use:
    shape = module.normalized_shape
    return by_last(shape, grad_output=dy, standard=F.rms_norm(x, list(shape), eps=module.eps))


def _dims(module: nn.Module) -> int:
    """From the name that the module's class has in torch.nn, such as Conv2d."""
    return int(next(cls.__name__ for cls in type(module).__mro__ if cls in LAWS)[-2])


def _of_channels(module: Any, dy: Tensor) -> Use:
    """(N, C, …)."""
    return by_channel(module.bias.shape, grad_output=dy)


def _of_channels_or_unbatched(module: Any, dy: Tensor) -> Use:
    """(N, C, *L) or (C, *L)."""
    return _of_channels(module, batched(dy, _dims(module)))


def _of_last(module: Any, dy: Tensor) -> Use:
    """(N, …, *bias) or (*bias)."""
    return by_last(module.bias.shape, grad_output=dy)


_ONCE = {
    "Linear": Law(lambda module, x, dy: linear(OP, x, module.weight.shape, dy), _of_last),
    "Embedding": Law(lambda module, x, dy: embedding(OP, x, module.weight.shape, dy, module.padding_idx), _of_last),
    "GroupNorm": Law(lambda module, x, dy: group_norm(OP, x, module.num_groups, dy, module.eps), _of_channels),
    "LayerNorm": Law(lambda module, x, dy: layer_norm(OP, x, module.normalized_shape, dy, module.eps), _of_last),
    "RMSNorm": Law(_rms_norm, _of_last),
    "SyncBatchNorm": Law(_batch_norm, _of_channels),
}
_IN_1D_2D_3D = {
    "Conv": Law(_conv, _of_channels_or_unbatched),
    "ConvTranspose": Law(_transposed, _of_channels_or_unbatched),
    "BatchNorm": Law(_batch_norm, _of_channels),
    "InstanceNorm": Law(_instance_norm, _of_channels_or_unbatched),
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
    elif getattr(module, "scale_grad_by_freq", False):
        problem, hint = "divides by how often the batch looks a row up", "scale_grad_by_freq=False"
    elif odd or getattr(module, "sparse", False):
        problem, hint = (
            "has parameters or gradients of a kind of their own",
            "dense parameters of a plain model on one device",
        )
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
