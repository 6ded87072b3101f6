"""handgrad's kernels in models that are trained with autograd."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils import parametrize

from .._errors import HandgradWarning, error
from .modules import CONVOLUTIONS, Accelerated, accelerated, original

Model = TypeVar("Model", bound=nn.Module)


def accelerate(model: Model, *, undo: bool = False) -> Model:
    """Let the convolutions of a model compute by handgrad's algorithms, under ordinary autograd training.

    Every `nn.Conv1d`, `2d`, `3d` and `nn.ConvTranspose1d`, `2d`, `3d` in the model, with any padding mode, is changed
    in place; parameters, hooks, parametrizations and `state_dict` stay what they are. Which algorithm computes, also
    in the backward pass, is up to `set_algorithm`. Gradients of every order, `torch.func`, `torch.compile` and
    autocast go on as before: what the kernels do not cover, such as half precision, forward-mode differentiation,
    other devices and an export, is computed by the module as it was.

    Args:
        model: any module; it is changed, and returned.
        undo: make every convolution what it was.

    Returns:
        The model.

    Warns:
        HandgradWarning: where a convolution is left alone, and why: it has a forward of its own, or no weight yet.

    Raises:
        HandgradError: if `model` is no module.
    """
    if not isinstance(model, nn.Module):
        raise error("accelerate", f"the model must be a torch.nn.Module, got {type(model).__name__}")
    if undo:
        for module in model.modules():
            if isinstance(module, Accelerated):
                _exchange(module, original)
        return model
    left = []
    for name, module in model.named_modules():
        if isinstance(module, CONVOLUTIONS) and not isinstance(module, Accelerated):
            if why := _reason(module):
                left.append(f"{name or 'the model'} ({type(module).__name__} {why})")
            else:
                _exchange(module, accelerated)
    if left:
        warnings.warn(HandgradWarning(f"accelerate: left alone: {', '.join(left)}"), stacklevel=2)
    return model


def _reason(module: nn.Module) -> str:
    """Why its forward cannot be exchanged, or ""."""
    if isinstance(module, LazyModuleMixin):
        return "has no weight yet"
    cls = parametrize.type_before_parametrizations(module)
    base: Any = next(kind for kind in CONVOLUTIONS if isinstance(module, kind))
    same = "forward" not in vars(module) and all(
        getattr(cls, name, None) is getattr(base, name, None) for name in ("forward", "_conv_forward")
    )
    return "" if same else "has its own forward"


def _exchange(module: nn.Module, change: Callable[[type], type[nn.Module]]) -> None:
    """Give a module another class; where it is parametrized, that is the one below the class made for it alone."""
    cls = type(module)
    if not parametrize.is_parametrized(module):
        module.__class__ = change(cls)
        return
    own = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    module.__class__ = type(cls.__name__, (change(cls.__bases__[0]),), own)
