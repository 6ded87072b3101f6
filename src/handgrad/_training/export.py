"""A trained network for those who have no handgrad: ONNX, a `torch.export` program, a `state_dict`."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from handgrad import layers
from handgrad._errors import HandgradError

from .use import Trained

BATCH = {0: torch.export.Dim.DYNAMIC}


def onnx(trained: Trained, path: Path) -> None:
    """One ONNX file; input `images` (N, C, H, W) with any N, output `logits` (N, classes), all in float32.

    Raises HandgradError, naming the extra to install, where onnx is not there; and where the folder is not.
    """
    _check_folder(path)
    module, example = _plain(trained)
    module, example = module.float(), example.float()  # what every runtime computes in
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as problem:
        raise HandgradError(f"ONNX needs the extra: pip install 'handgrad[onnx]' ({problem})") from problem
    with _quietly():
        program = torch.onnx.export(
            module,
            (example,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=(BATCH,),
            verbose=False,
            dynamo=True,
        )
    assert program is not None
    program.model.metadata_props.update(_notes(trained))
    program.save(path)


def pytorch(trained: Trained, path: Path) -> None:
    """A program for `torch.export.load` if the suffix is .pt2, else a `state_dict` for `torch.load`.

    Raises HandgradError where there is no such folder.
    """
    _check_folder(path)
    module, example = _plain(trained)
    if path.suffix == ".pt2":
        program = torch.export.export(module, (example,), dynamic_shapes=(BATCH,))
        torch.export.save(program, path, extra_files=_notes(trained))
    else:
        torch.save(module.state_dict(), path)


def preparation(trained: Trained) -> str:
    """What to do with a stored pixel before the network sees it, as a formula."""
    scaling = trained.facts.scaling
    mean, std = ("[" + ", ".join(f"{value:.6g}" for value in values) + "]" for values in (scaling.mean, scaling.std))
    unit = (
        f"pixel / {scaling.high:g}"
        if scaling.low == 0
        else f"(pixel - {scaling.low:g}) / {scaling.high - scaling.low:g}"
    )
    return f"({unit} - {mean}) / {std}"


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise HandgradError(f"{path.parent}: no such folder")
    if path.is_dir():
        raise HandgradError(f"{path}: is a folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise HandgradError(f"{path}: may not be written")


def _plain(trained: Trained) -> tuple[nn.Module, torch.Tensor]:
    """The ordinary module in evaluation mode, and an input of two images: one would be taken for a constant."""
    module = layers.to_torch(trained.model).cpu().eval().requires_grad_(False)
    return module, torch.zeros(2, *trained.facts.shape, dtype=trained.dtype)


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporter warns of packages that are not needed here and of its own old habits."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _notes(trained: Trained) -> dict[str, str]:
    return {"handgrad.input": preparation(trained), "handgrad.classes": " ".join(map(str, trained.facts.classes))}
