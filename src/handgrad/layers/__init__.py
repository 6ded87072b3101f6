"""Layers whose gradients are written out: `y, backward = layer(x)`, then `grad_x = backward(grad_y)`.

Each is named after its module in `torch.nn` and inherits from it the constructor, the initialization, the parameters
and their names, `state_dict`, `to`, `train` and `repr`; only the forward pass is explicit. `backward` adds the
gradients of the parameters into their `.grad`, where optimizers look for them.
"""

from ._activation import GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh
from ._averaging import AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AvgPool1d, AvgPool2d, AvgPool3d
from ._backward import Pullback
from ._container import Identity, Residual, Sequential
from ._conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ._convert import from_torch, to_torch
from ._dropout import Dropout
from ._embedding import Embedding
from ._layer import Backward, Layer
from ._linear import Flatten, Linear
from ._normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, LayerNorm
from ._pooling import MaxPool1d, MaxPool2d, MaxPool3d

__all__ = [
    "GELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "Backward",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "Identity",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Pullback",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "from_torch",
    "to_torch",
]
