"""The gradients of convolution, by hand.

>>> import torch, handgrad as hg
>>> x, weight = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
>>> y = hg.conv2d(x, weight, padding=1)
>>> hg.conv2d_weight(x, weight.shape, torch.ones_like(y), padding=1).shape
torch.Size([4, 3, 3, 3])
"""

from . import functional, layers, losses, testing
from ._check import Report, check
from ._config import show_config
from ._errors import HandgradError
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
    "Report",
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
    "fold1d",
    "fold2d",
    "fold3d",
    "functional",
    "layers",
    "losses",
    "show_config",
    "testing",
    "unfold1d",
    "unfold2d",
    "unfold3d",
]
