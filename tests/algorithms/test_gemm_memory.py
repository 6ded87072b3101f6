"""What a call takes besides operands and result: a few MiB a thread, however large the convolution."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import at_work
import pytest
import torch

from handgrad._algorithms import depthwise, gemm
from handgrad._algorithms.gemm.library import kernel
from handgrad._geometry import conv_geometry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is Linux's to tell"),
]

MIB = 1 << 20
# x, w, options of a convolution
LARGE: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "VGG's second layer": ((1, 64, 224, 224), (64, 64, 3, 3), {"padding": 1}),
    "many channels": ((4, 512, 7, 7), (512, 512, 3, 3), {"padding": 1}),
    "more channels, one tap": ((1, 2048, 7, 7), (512, 2048, 1, 1), {}),
    "a long line": ((1, 16, 100_000), (16, 16, 5), {"padding": 2}),
    "far apart": ((1, 256, 65, 65), (64, 256, 3, 3), {"padding": 12, "dilation": 12}),
    "far apart, a large weight": ((1, 1024, 14, 14), (2048, 1024, 3, 3), {"padding": 12, "dilation": 12}),
    "a first layer with a stride": ((8, 3, 224, 224), (64, 3, 7, 7), {"padding": 3, "stride": 2}),
    "each channel alone": ((4, 192, 112, 112), (192, 1, 3, 3), {"padding": 1, "groups": 192}),
    "each channel alone, a long line": ((3, 64, 64_000), (64, 1, 5), {"padding": 2, "groups": 64}),
    "each channel alone, a longer line": ((1, 32, 400_000), (32, 1, 5), {"padding": 2, "groups": 32}),
    "many channels alone, a large kernel": ((12, 4096, 14, 14), (4096, 1, 7, 7), {"padding": 3, "groups": 4096}),
    "four in a group, dilated": ((1, 64, 25, 7_000), (64, 4, 3, 3), {"padding": 2, "dilation": 2, "groups": 16}),
}


def extra(name: str, threads: int) -> None:
    """Print the bytes that y, dw and dx of one of `LARGE` took on the way."""
    torch.set_num_threads(threads)
    x_size, w_size, options = LARGE[name]
    stride, padding, dilation, groups = (options.get(key, 1 - (key == "padding"))
                                         for key in ("stride", "padding", "dilation", "groups"))  # fmt: skip
    geometry = conv_geometry("test", x_size[2:], w_size[2:], stride, padding, dilation, groups)
    dims = len(geometry.kernel)
    small, tiny = conv_geometry("test", (5,) * dims, (1,) * dims, 1, 0, 1, 1), torch.ones(1, 1, *[5] * dims)
    one = torch.ones(1, 1, *[1] * dims)
    for function, operands in (
        (gemm.conv, (tiny, one)),
        (gemm.conv_weight, (tiny, tiny)),
        (gemm.conv_input, (one, tiny)),
    ):
        function(*operands, small)  # what loading takes
    for name_of_kernel in ("outer", "lanes_follow", "lanes_meet"):
        kernel(name_of_kernel, 4)
    x, w = torch.empty(x_size).uniform_(), torch.empty(w_size).uniform_()
    dy = torch.empty(x_size[0], w_size[0], *geometry.output).uniform_()
    before, found = _status("VmRSS"), {}
    able = [kernels for kernels in (gemm, depthwise) if not kernels.refusal("conv", x, w, geometry)]
    operands = {"conv": (x, w), "conv_weight": (x, dy), "conv_input": (w, dy)}
    for kernels, op in itertools.product(able, operands):
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        result = getattr(kernels, op)(*operands[op], geometry)
        found[f"{op} by {kernels.__name__}"] = _status("VmHWM") - before - result.numel() * result.element_size()
        del result
    print(json.dumps(found))


def _status(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) << 10


@pytest.mark.parametrize(("length", "why"), [(60_000, ""), (400_000, "a row of 400000 positions would take")])
def test_depthwise_refuses_rows_that_it_has_no_room_for(length: int, why: str) -> None:
    x, w = torch.empty(1, 2, 1).expand(1, 2, length), torch.empty(2, 1, 5)
    geometry = conv_geometry("test", (length,), (5,), 1, 2, 1, 2)
    assert depthwise.refusal("conv", x, w, geometry).startswith(why)
    assert bool(depthwise.refusal("conv_input", w, x, geometry)) == bool(why)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LARGE)
def test_a_call_takes_a_few_mib_a_thread(name: str, threads: int) -> None:
    found = json.loads(at_work.succeeds(f"extra({name!r}, {threads})", module="test_gemm_memory"))
    assert {op: size / MIB for op, size in found.items() if size > 8 * MIB * threads} == {}
