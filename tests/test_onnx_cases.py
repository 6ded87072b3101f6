"""The convolution cases that come with the `onnx` package: 17 it generates, and 30 stored ones made from PyTorch.

ONNX says some of it otherwise: pads as all lows, then all highs; 'same' with strides; a transposed convolution's pads
from the output's size. The translation is here, since handgrad has no use for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import handgrad as hg

onnx = pytest.importorskip("onnx")

GENERATED = {"Conv": 6, "ConvTranspose": 11}
STORED = {"Conv": 27, "ConvTranspose": 3}


class Example:
    """One node with its tensors: attributes as a dict, inputs x, w and perhaps b, and the output it must give."""

    def __init__(self, name: str, node: Any, inputs: list[Tensor], output: Tensor) -> None:
        self.name, self.op, self.inputs, self.output = name, node.op_type, inputs, output
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


@cache
def generated() -> list[Example]:
    from onnx.backend.test.case import node
    from onnx.backend.test.case.node import conv, convtranspose

    assert conv
    assert convtranspose  # importing them makes their cases
    found = (case for case in node._NodeTestCases if case.model.graph.node[0].op_type in GENERATED)
    return [
        Example(case.name, case.model.graph.node[0], list(map(torch.tensor, inputs)), torch.tensor(output))
        for case in found
        for inputs, (output,) in case.data_sets
    ]


@cache
def stored() -> list[Example]:
    from onnx.backend.test.loader import load_model_tests

    found = [case for kind in ("pytorch-converted", "pytorch-operator") for case in load_model_tests(kind=kind)]
    return [example for case in found for example in _read(Path(case.model_dir))]


def _read(folder: Path) -> Iterator[Example]:
    """The example in a folder, where its model is one convolution; weights are inputs with initial values."""
    graph = onnx.load(folder / "model.onnx").graph
    if [node.op_type for node in graph.node] not in ([op] for op in STORED):
        return
    values = {tensor.name: _tensor(tensor) for tensor in graph.initializer}
    fed = [value.name for value in graph.input if value.name not in values]
    for i, name in enumerate(fed):
        values[name] = _tensor(onnx.load_tensor(folder / "test_data_set_0" / f"input_{i}.pb"))
    output = _tensor(onnx.load_tensor(folder / "test_data_set_0" / "output_0.pb"))
    yield Example(folder.name, graph.node[0], [values[name] for name in graph.node[0].input], output)


def _tensor(proto: Any) -> Tensor:
    return torch.from_numpy(np.array(onnx.numpy_helper.to_array(proto)))


def run(example: Example) -> Tensor:
    x, w, attributes = example.inputs[0], example.inputs[1], example.attributes
    dims = x.dim() - 2
    options = {
        "stride": attributes.get("strides", [1] * dims),
        "dilation": attributes.get("dilations", [1] * dims),
        "groups": attributes.get("group", 1),
    }
    assert list(attributes.get("kernel_shape", w.shape[2:])) == list(w.shape[2:])
    if example.op == "Conv":
        options["padding"] = conv_pads(attributes, x.shape[2:], w.shape[2:], options)
        return getattr(hg, f"conv{dims}d")(*example.inputs, **options)
    options["output_padding"] = attributes.get("output_padding", [0] * dims)
    options["padding"] = transposed_pads(attributes, x.shape[2:], w.shape[2:], options)
    return getattr(hg, f"conv_transpose{dims}d")(*example.inputs, **options)


def conv_pads(attributes: dict[str, Any], grid: Any, kernel: Any, options: dict[str, Any]) -> list[tuple[int, int]]:
    """'same' means ⌈I / stride⌉ positions here; an odd total goes to the side that the name says."""
    if "auto_pad" not in attributes:
        return _pairs(attributes, len(grid))
    axes = zip(grid, kernel, options["stride"], options["dilation"], strict=True)
    totals = [max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size) for size, k, s, d in axes]
    return [_split(total, attributes["auto_pad"] == b"SAME_UPPER") for total in totals]


def transposed_pads(
    attributes: dict[str, Any], grid: Any, kernel: Any, options: dict[str, Any]
) -> list[tuple[int, int]]:
    """Cropped is what is more than the output's size: the one given, or I · stride for 'same'.

    Where the size is larger than what comes out, the rest is output_padding.
    """
    same = "auto_pad" in attributes
    if not same and "output_shape" not in attributes:
        return _pairs(attributes, len(grid))
    wanted = attributes.get("output_shape", [size * s for size, s in zip(grid, options["stride"], strict=True)])
    axes = zip(grid, kernel, options["stride"], options["dilation"], options["output_padding"], wanted, strict=True)
    totals = [(size - 1) * s + e + d * (k - 1) + 1 - length for size, k, s, d, e, length in axes]
    options["output_padding"] = [e + max(0, -t) for e, t in zip(options["output_padding"], totals, strict=True)]
    return [_split(max(0, total), attributes.get("auto_pad") == b"SAME_UPPER") for total in totals]


def _pairs(attributes: dict[str, Any], dims: int) -> list[tuple[int, int]]:
    pads = attributes.get("pads", [0] * 2 * dims)
    return list(zip(pads[:dims], pads[dims:], strict=True))


def _split(total: int, more_high: bool) -> tuple[int, int]:
    less = total // 2
    return (less, total - less) if more_high else (total - less, less)


def check(example: Example) -> None:
    ours = run(example)
    assert ours.dtype == example.output.dtype
    torch.testing.assert_close(ours, example.output, rtol=1e-5, atol=1e-5, msg=lambda text: f"{example.name}: {text}")


@pytest.mark.parametrize(("op", "count"), GENERATED.items())
def test_generated(op: str, count: int) -> None:
    examples = [example for example in generated() if example.op == op]
    assert len(examples) == count
    for example in examples:
        check(example)


@pytest.mark.parametrize(("op", "count"), STORED.items())
def test_stored(op: str, count: int) -> None:
    examples = [example for example in stored() if example.op == op]
    assert len(examples) == count
    for example in examples:
        check(example)


def test_the_cases_cover_what_only_onnx_says() -> None:
    attributes = [example.attributes for example in generated()]
    assert sum("auto_pad" in each for each in attributes) == 2
    assert sum("output_shape" in each for each in attributes) == 2
    assert sum(len(set(each.get("pads", []))) > 1 for each in attributes) == 2  # other pads in height than in width
