"""The gradients of convolution, by hand.

>>> import torch, handgrad as hg
>>> x, weight = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
>>> y = hg.conv2d(x, weight, padding=1)
>>> hg.conv2d_weight(x, weight.shape, torch.ones_like(y), padding=1).shape
torch.Size([4, 3, 3, 3])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._check import Report, check
from ._errors import HandgradError, HandgradWarning

if TYPE_CHECKING:  # `__getattr__` brings these when they are first used
    from . import functional, kfac, layers, losses, per_sample, testing
    from ._accelerate import accelerate
    from ._algorithms.setting import set_algorithm
    from ._choice import explain_choice
    from ._config import show_config
    from ._explain import Trace, explain
    from .functional import (
        Gradients,
        conv1d,
        conv1d_backward,
        conv1d_bias,
        conv1d_input,
        conv1d_weight,
        conv2d,
        conv2d_backward,
        conv2d_bias,
        conv2d_input,
        conv2d_weight,
        conv3d,
        conv3d_backward,
        conv3d_bias,
        conv3d_input,
        conv3d_weight,
        conv_transpose1d,
        conv_transpose1d_backward,
        conv_transpose1d_bias,
        conv_transpose1d_input,
        conv_transpose1d_weight,
        conv_transpose2d,
        conv_transpose2d_backward,
        conv_transpose2d_bias,
        conv_transpose2d_input,
        conv_transpose2d_weight,
        conv_transpose3d,
        conv_transpose3d_backward,
        conv_transpose3d_bias,
        conv_transpose3d_input,
        conv_transpose3d_weight,
        fold1d,
        fold2d,
        fold3d,
        unfold1d,
        unfold2d,
        unfold3d,
    )

__version__ = "0.1.0"

__all__ = [
    "Gradients",
    "HandgradError",
    "HandgradWarning",
    "Report",
    "Trace",
    "accelerate",
    "check",
    "conv1d",
    "conv1d_backward",
    "conv1d_bias",
    "conv1d_input",
    "conv1d_weight",
    "conv2d",
    "conv2d_backward",
    "conv2d_bias",
    "conv2d_input",
    "conv2d_weight",
    "conv3d",
    "conv3d_backward",
    "conv3d_bias",
    "conv3d_input",
    "conv3d_weight",
    "conv_transpose1d",
    "conv_transpose1d_backward",
    "conv_transpose1d_bias",
    "conv_transpose1d_input",
    "conv_transpose1d_weight",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose2d_bias",
    "conv_transpose2d_input",
    "conv_transpose2d_weight",
    "conv_transpose3d",
    "conv_transpose3d_backward",
    "conv_transpose3d_bias",
    "conv_transpose3d_input",
    "conv_transpose3d_weight",
    "explain",
    "explain_choice",
    "fold1d",
    "fold2d",
    "fold3d",
    "functional",
    "kfac",
    "layers",
    "losses",
    "per_sample",
    "set_algorithm",
    "show_config",
    "testing",
    "unfold1d",
    "unfold2d",
    "unfold3d",
]

_HOMES = {
    "Trace": "_explain",
    "accelerate": "_accelerate",
    "explain": "_explain",
    "explain_choice": "_choice",
    "functional": None,
    "kfac": None,
    "layers": None,
    "losses": None,
    "per_sample": None,
    "set_algorithm": "_algorithms.setting",
    "show_config": "_config",
    "testing": None,
}


def __getattr__(name: str) -> Any:
    """A public name when it is first used: torch takes a second to import, and not all of the command line needs it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "functional")
    value = getattr(import_module(f".{home}", __name__), name) if home else import_module(f".{name}", __name__)
    return globals().setdefault(name, value)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
