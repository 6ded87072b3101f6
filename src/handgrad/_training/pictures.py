"""Curves, confusion matrix and first-layer filters as PNG files: the same run gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from handgrad import layers, losses

from .evaluate import Result
from .run import Run
from .session import Session

FILTERS = 16  # as many are shown
NUMBERS = 30  # classes up to which the confusion matrix has room for its numbers
IMAGES = 256  # the filters' gradients are of this many training images


def draw(session: Session, place: Run, result: Result) -> list[Path]:
    """Write the pictures of a run that has ended; their paths. Without a convolution there are no filters."""
    figures = {
        "curves.png": curves(session.progress.history),
        "confusion.png": confusion(session.data.test.labels.cpu(), result.predicted.cpu(), session.facts.classes),
        "filters.png": filters(session),
    }
    paths = []
    for name, figure in figures.items():
        if figure is not None:
            figure.savefig(place.folder / name, dpi=110, metadata={"Software": None})
            paths.append(place.folder / name)
    return paths


def curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss, and beside it the error in per cent, over the epochs, in training and on the held-out images."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [line["epoch"] for line in history]
    for part, style in (("train", "--"), ("test", "-")):
        loss = [line[f"{part}_loss"] for line in history]
        wrong = [100 * (1 - line[f"{part}_accuracy"]) for line in history]
        left.plot(epochs, loss, style, marker=".", label=f"{part}: {loss[-1]:.3g} at the end")
        right.plot(epochs, wrong, style, marker=".", label=f"{part}: {wrong[-1]:.3g} at the end")
    left.set(ylabel="cross-entropy")
    right.set(ylabel="wrong, %")
    for axes in (left, right):
        axes.set(xlabel="epoch", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
        axes.grid(alpha=0.3)
    return figure


def confusion(labels: Tensor, predicted: Tensor, classes: Sequence[int]) -> Figure:
    """How many images of each class (a row) were taken for each class (a column); what is wrong is red."""
    count = len(classes)
    matrix = torch.bincount(labels * count + predicted, minlength=count * count).view(count, count)
    wrong = matrix * (1 - torch.eye(count, dtype=matrix.dtype))
    legible = count <= NUMBERS
    side = max(4.5, 0.42 * min(count, NUMBERS))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow((matrix / matrix.sum(1, keepdim=True).clamp_min(1)).numpy(), cmap="Greens", vmin=0, vmax=1.4)
    axes.imshow(np.ma.masked_equal(wrong.numpy(), 0), cmap="Reds", vmin=0, vmax=2 * max(1, int(wrong.max())))
    for row, column in matrix.nonzero().tolist() if legible else []:
        axes.text(column, row, str(int(matrix[row, column])), ha="center", va="center", fontsize=8)
    ticks = range(0, count, -(-count // NUMBERS))
    names = [str(classes[tick]) for tick in ticks]
    axes.set(xlabel="predicted", ylabel="true", xticks=ticks, yticks=ticks)
    axes.set_xticklabels(names, rotation=90 if count > 20 else 0)
    axes.set_yticklabels(names)
    axes.set_title(f"{int(wrong.sum())} of {int(matrix.sum())} wrong")
    return figure


def filters(session: Session) -> Figure | None:
    """The first convolution's filters (their first input channel), each above its gradient."""
    conv = next((layer for layer in session.model if isinstance(layer, layers.Conv2d)), None)
    if conv is None:
        return None
    gradient = _gradient(session, conv)
    shown = min(FILTERS, conv.out_channels)
    figure = Figure(figsize=(0.72 * shown + 1, 2.2), layout="constrained")
    grid = figure.subplots(2, shown, squeeze=False)
    for row, (name, values) in enumerate((("filter", conv.weight.detach()), ("gradient", gradient))):
        plane = values[:shown, 0].float().cpu()  # (O, C, kH, kW) -> (shown, kH, kW)
        limit = float(plane.abs().max()) or 1.0
        for axes, image in zip(grid[row], plane, strict=True):
            axes.imshow(image.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
            axes.set(xticks=[], yticks=[])
        grid[row][0].set_ylabel(f"{name}\n±{limit:.2g}", fontsize=8)
    figure.suptitle("first convolution: red positive, blue negative", fontsize=9)
    return figure


@torch.no_grad()
def _gradient(session: Session, conv: layers.Conv2d) -> Tensor:
    """dL/dw of the first training images in evaluation mode, so that it follows from the weights alone."""
    split, facts = session.data.train, session.facts
    session.model.eval().zero_grad()
    logits, backward = session.model(facts.scaling.apply(split.images[:IMAGES], session.dtype))
    _, loss_backward = losses.cross_entropy(logits, split.labels[:IMAGES])
    backward(loss_backward())
    assert conv.weight.grad is not None
    return conv.weight.grad
