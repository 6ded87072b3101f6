"""Networks as TOML files that list layers by torch.nn's names; three come with handgrad: cnn, cnn-group and lenet."""

from __future__ import annotations

import copy
import difflib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from handgrad import layers
from handgrad._errors import HandgradError
from handgrad.layers import Layer, Sequential

from .. import toml

NAMED = ("cnn", "cnn-group", "lenet")
LAYERS = {
    name: value
    for name, value in vars(layers).items()
    if isinstance(value, type) and issubclass(value, Layer) and name not in ("Layer", "Sequential", "Residual")
}
# What need not be said, because the layer's input says it: (N, C, H, W), or (N, features) after Flatten.
INFERRED: dict[str, Callable[[Tensor], Any]] = {
    "in_channels": lambda x: x.shape[1],
    "num_features": lambda x: x.shape[1],
    "num_channels": lambda x: x.shape[1],
    "in_features": lambda x: x.shape[-1],
    "normalized_shape": lambda x: tuple(x.shape[1:]),
}
REFUSALS = (
    ValueError,
    TypeError,
    RuntimeError,
    IndexError,
    ArithmeticError,
)  # of a constructor, or of an input's shape
# What torch.nn takes at any value, and turns into NaN for images that the probe does not see.
RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "eps": ("must be above 0", lambda value: value > 0),
    "momentum": ("must be from 0 to 1", lambda value: 0 <= value <= 1),
}
NOT_HERE = ("self", "device", "dtype", "args", "kwargs")  # the run has a device and a dtype of its own


@dataclass(frozen=True)
class Model:
    """A network as it is described: where from, and each layer's `type` and arguments."""

    source: str
    layers: list[dict[str, Any]]

    def toml(self) -> str:
        """As a file for `--model`."""
        return toml.array("layers", self.layers)

    def python(self) -> str:
        """As an `nn.Sequential` to paste: the `state_dict` of a run fits it."""
        lines = [f"    nn.{entry['type']}({_arguments(entry)}),\n" for entry in self.layers]
        return f"nn.Sequential(\n{''.join(lines)})"

    def build(self, shape: tuple[int, int, int], classes: int) -> tuple[Sequential, Model]:
        """The network for images of `shape` (C, H, W) in train mode, and its description with nothing left to infer.

        Weights are drawn from torch's global generator. Raises HandgradError, naming file and layer, where a layer or
        an argument is unknown, where shapes do not fit, and where the output is not one number for each class.
        """
        x = torch.zeros(2, *shape)
        built, resolved = [], []
        last = max((i for i, entry in enumerate(self.layers) if entry["type"] == "Linear"), default=-1)
        for index, entry in enumerate(self.layers):
            known = {"out_features": classes} if index == last else {}
            layer, complete, x = self._layer(index, known | entry, x)
            built.append(layer)
            resolved.append(complete)
        if x.shape != (2, classes):
            raise HandgradError(
                f"{self.source}: the last layer gives (N, {', '.join(map(str, x.shape[1:]))}) for each image, "
                f"but {classes} classes need (N, {classes}); end with Flatten and a Linear without out_features"
            )
        return Sequential(*built).train(), Model(self.source, resolved)

    def _layer(self, index: int, entry: dict[str, Any], x: Tensor) -> tuple[Layer, dict[str, Any], Tensor]:
        """The layer, its entry with every argument that was inferred, and its output for the input `x`."""
        cls = LAYERS[entry["type"]]
        needed = inspect.signature(cls).parameters
        try:
            inferred = {name: infer(x) for name, infer in INFERRED.items() if name in needed and name not in entry}
            _check_numbers(entry)
            given = inferred | {key: _tuples(value) for key, value in entry.items()}
            arguments = {name: given[name] for name in needed if name in given}  # in the order of the signature
            layer = cls(**arguments)
            y, _ = layer.eval()(x)  # eval: the probe must not enter running statistics
            _probe_training(layer, x)
        except REFUSALS as problem:
            place = f"{self.source}: layer {index} ({entry['type']}), input {tuple(x.shape)}"
            raise HandgradError(f"{place}: {problem}") from problem
        return layer, {"type": entry["type"], **arguments}, y


def _check_numbers(entry: dict[str, Any]) -> None:
    for name, value in entry.items():
        if isinstance(value, int | float):
            if not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, got {value}")
            needed, fits = RANGES.get(name, ("", lambda _: True))
            if not fits(value):
                raise ValueError(f"{name} {needed}, got {value}")


def _probe_training(layer: Layer, x: Tensor) -> None:
    """A copy of the layer forward and back as in training, on no generator that matters: it raises what that would."""
    with torch.random.fork_rng(devices=[]):
        y, backward = copy.deepcopy(layer).train()(x)
        backward(torch.zeros_like(y))


def read(name: str) -> Model:
    """The network of that name, `cnn`, `cnn-group` or `lenet`, or in the TOML file `name`.

    Raises HandgradError, naming the file, for anything but a list of `[[layers]]`, each with a known `type` and that
    type's own arguments.
    """
    if name in NAMED:
        with resources.as_file(resources.files(__package__) / f"{name}.toml") as path:
            return _model(name, toml.read(path))
    path = Path(name)
    if path.suffix != ".toml":
        raise HandgradError(f"--model {name}: neither {' nor '.join(NAMED)} nor a .toml file")
    return _model(name, toml.read(path))


def _model(source: str, table: dict[str, Any]) -> Model:
    entries = table.get("layers")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise HandgradError(f"{source}: no [[layers]] in it")
    if unknown := set(table) - {"layers"}:
        raise HandgradError(f"{source}: unknown key {sorted(unknown)[0]!r}; a model has [[layers]] and nothing else")
    for index, entry in enumerate(entries):
        _check(f"{source}: layer {index}", entry)
    return Model(source, entries)


def _check(place: str, entry: dict[str, Any]) -> None:
    if "type" not in entry:
        raise HandgradError(f'{place}: has no type, such as type = "Conv2d"')
    name = str(entry["type"])
    if name not in LAYERS:
        raise HandgradError(f"{place}: unknown type {name!r}{_meant(name, list(LAYERS))}")
    arguments = [key for key in inspect.signature(LAYERS[name]).parameters if key not in NOT_HERE]
    for key in entry:
        if key != "type" and key not in arguments:
            accepted = f"it takes {', '.join(arguments)}" if arguments else "it takes none"
            raise HandgradError(f"{place}: {name} has no argument {key!r}; {accepted}")


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"


def _tuples(value: Any) -> Any:
    """torch.nn wants tuples where TOML has arrays."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _arguments(entry: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in entry.items() if key != "type")
