"""From the modules of torch.nn to explicit layers, and back.

A layer inherits everything but `forward` from its ordinary module, so the two have the same attributes: turning one
into the other copies it and exchanges the class.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, cast

from torch import nn

from .. import layers
from .._errors import error
from ._container import PlainResidual
from ._layer import Layer


def from_torch(module: nn.Module) -> Layer:
    """The explicit layer of a module of torch.nn: of an `nn.Sequential` too, nested or not.

    The weights, buffers, dtype, device, mode (train or eval) and ties between weights are the module's; everything is
    copied and nothing shared. Layers that are explicit already stay what they are.

    Raises:
        HandgradError: for a module that has no layer, or none with its settings, or that has hooks or a `forward` of
            its own; the message names its path, such as 2.1, and type.
    """
    twins = _twins()
    layer = _turn("from_torch", module, lambda cls: cls if issubclass(cls, Layer) else twins.get(cls))
    return cast("Layer", layer)


def to_torch(layer: Layer) -> nn.Module:
    """The ordinary module, for autograd or for export, of an explicit layer: `from_torch` backwards.

    The result is a copy that shares nothing. A `Residual` becomes an `nn.Module` of its own. `inplace` is switched off:
    it means nothing to a layer, but could spoil what an ordinary module still needs.

    Raises:
        HandgradError: for a layer of your own, which has no known module; the message names its path and type.
    """
    plain = {explicit: ordinary for ordinary, explicit in _twins().items()}
    module = _turn("to_torch", layer, plain.get)
    for child in module.modules():
        if hasattr(child, "inplace"):
            child.inplace = cast("Any", False)
    return module


def _twins() -> dict[type[nn.Module], type[nn.Module]]:
    """From each ordinary module to its layer, whose last base it is."""
    public = (getattr(layers, name) for name in layers.__all__)
    explicit = (cls for cls in public if isinstance(cls, type) and issubclass(cls, Layer) and cls is not Layer)
    return {cls.__bases__[-1]: cls for cls in explicit}


def _turn(operation: str, module: nn.Module, twin: Callable[[type[nn.Module]], type[nn.Module] | None]) -> nn.Module:
    """A copy in which each module, the children too, has the class of its twin."""
    for path, child in _children("", module):
        problem = _problem(child) if isinstance(child, nn.Module) and twin(type(child)) else "has no twin"
        if problem:
            raise error(operation, f"cannot turn {path or 'the module'}, which {problem}", type=type(child).__name__)
    turned = copy.deepcopy(module)
    for child in turned.modules():
        child.__class__ = cast("type[nn.Module]", twin(type(child)))
    return turned


def _children(path: str, module: nn.Module | None) -> Iterator[tuple[str, nn.Module | None]]:
    """The module and all below it by their paths; a None too, unless it is a shortcut that is none."""
    yield path, module
    if isinstance(module, nn.Module):
        for name, child in module._modules.items():
            if child is not None or not isinstance(module, PlainResidual):
                yield from _children(f"{path}.{name}".lstrip("."), child)


def _problem(module: nn.Module) -> str | None:
    """What keeps a module from being turned though its class has a twin."""
    if "forward" in vars(module):
        return "has a forward of its own"
    if getattr(module, "return_indices", False):
        return "returns indices"
    if isinstance(module, nn.Embedding) and (module.max_norm is not None or module.sparse):
        return "has max_norm or sparse"
    if isinstance(module, nn.Softmax) and module.dim is None:
        return "has no dim"
    # Hooks have a hand in the output: weight_norm and spectral_norm work so.
    kinds = module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
    return "has hooks" if any(kinds) else None
