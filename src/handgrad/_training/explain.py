"""One convolution of a trained network at work on one test image, with the gradient that the loss sends back to it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from handgrad import losses
from handgrad._errors import HandgradError
from handgrad._explain import Trace, explain
from handgrad.layers import Backward, Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Layer

from . import data
from .run import Say
from .use import Trained, load

_TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
_CONVOLUTIONS = (Conv1d, Conv2d, Conv3d, *_TRANSPOSED)


def explain_layer(run: Path, layer: int, image: int, say: Say) -> Trace:
    """The trace of layer number `layer` of a run, for test image number `image` and the loss of its label.

    Raises HandgradError where the folder is no run, or there is no such image, or the layer is no convolution.
    """
    trained = load(run, "cpu", say)
    chosen = _convolution(trained, layer)
    named = trained.facts.config["data"]
    loaded = data.load(Path(named) if named else None, trained.facts.seed)
    if not 0 <= image < len(loaded.test):
        raise HandgradError(f"there is no test image {image}: there are {len(loaded.test)}, counted from 0")
    pixels = trained.facts.scaling.apply(loaded.test.images[image : image + 1], trained.dtype)
    label = loaded.test.labels[image : image + 1]
    x, dy = _at_work(trained, layer, pixels, label)
    settings = {name: getattr(chosen, name) for name in chosen._settings}
    title = f"{run}: layer {layer} ({type(chosen).__name__}), test image {image}, a {loaded.classes[int(label)]}"
    bias = None if chosen.bias is None else chosen.bias.detach()
    transposed = isinstance(chosen, _TRANSPOSED)
    return explain(x, chosen.weight.detach(), bias, dy, **settings, transposed=transposed, title=title)


@torch.no_grad()
def _at_work(trained: Trained, layer: int, x: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The layer's input, and the gradient of its output."""
    backwards: list[Backward] = []
    inputs: list[torch.Tensor] = []
    for one in trained.model:
        assert isinstance(one, Layer)
        inputs.append(x)
        x, backward = one(x)
        backwards.append(backward)
    _, loss_backward = losses.cross_entropy(x, label)
    dy = loss_backward()
    for backward in reversed(backwards[layer + 1 :]):
        dy = backward(dy)
    return inputs[layer], dy


def _convolution(trained: Trained, number: int) -> Conv2d:
    """The layer of that number, whatever convolution it is."""
    chosen = dict(enumerate(trained.model)).get(number)
    if isinstance(chosen, _CONVOLUTIONS):
        return cast("Conv2d", chosen)
    what = "is not there" if chosen is None else f"is a {type(chosen).__name__}"
    known = [str(index) for index, one in enumerate(trained.model) if isinstance(one, _CONVOLUTIONS)]
    raise HandgradError(f"layer {number} {what}; convolutions are: {', '.join(known) or 'none'}")
