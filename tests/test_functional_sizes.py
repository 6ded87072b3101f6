"""Sizes that hurt: where one number is far from the others, and where unfolding everything at once would not fit."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cases import Case, case, transposed
from oracles import assert_equal, gradients

SIZES = [
    case("very many tiny images", (20_000, 1, 2, 2), (4, 1, 2, 2)),
    case("very many images of one pixel", (20_000, 3, 1, 1), (2, 3, 1, 1)),
    case("kernel as large as a large input", (3, 2, 40, 33), (2, 2, 40, 33)),
    case("kernel far larger than the input", (2, 2, 3, 2), (2, 2, 31, 30), padding=15),
    case("stride far larger than the input", (2, 2, 9, 8), (3, 2, 2, 2), stride=10**9),
    case("stride that leaves nearly all unread", (2, 2, 300, 200), (3, 2, 2, 3), stride=(290, 150)),
    case("padding far larger than the input", (1, 2, 2, 3), (2, 2, 3, 3), padding=(150, 90)),
    case("dilation as wide as the padding", (2, 2, 5, 6), (3, 2, 3, 3), padding=500, dilation=500),
    case("replicate far outside", (1, 2, 3, 2), (2, 2, 2, 2), padding=100, padding_mode="replicate"),
    case("many channels of one pixel", (2, 2000, 1, 1), (30, 2000, 1, 1)),
    case("as many groups as channels, many", (2, 1000, 3, 2), (1000, 1, 2, 2), groups=1000),
    case("long", (1, 2, 30_000), (2, 2, 33), stride=7, dilation=5),
    case("long, long kernel", (2, 1, 900), (1, 1, 800)),
    case("thin in two dimensions", (2, 2, 1, 1, 700), (3, 2, 1, 1, 9), stride=(1, 5, 3)),
    transposed("stride far larger than the input", (2, 2, 3, 2), (2, 3, 2, 2), stride=(200, 300)),
    transposed("dilation far larger than the input", (2, 2, 3, 2), (2, 3, 2, 2), dilation=400, output_padding=399),
    transposed("cropped to one pixel", (2, 2, 9, 8), (2, 3, 3, 3), padding=((5, 5), (9, 0))),
    transposed("very many images of one pixel", (20_000, 3, 1, 1), (3, 2, 2, 1)),
]


@pytest.mark.parametrize("case", SIZES)
def test_right_and_soon(case: Case) -> None:
    x, w, b, dy = case.operands()
    assert_equal(case.function()(x, w, b, **case.options), case.framework(x, w, b), tolerance=1e-11)
    ours = case.function("_backward")(dy, x, w, **case.options)
    for own, theirs in zip(ours, gradients(case.framework, (x, w, b), dy), strict=True):
        assert_equal(own, theirs, tolerance=1e-11)


@pytest.mark.slow
def test_the_batch_is_never_unfolded_at_once() -> None:
    """A batch of 256 images of 56² with 64 channels has 205 MB, its 3×3 columns 1.8 GB. Measured is what each function
    needs beside its operands and its result, as the process' high-water mark."""
    code = """
import resource, torch
import handgrad as hg

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

torch.set_num_threads(1)
x, w, dy = torch.ones(256, 64, 56, 56), torch.ones(8, 64, 3, 3), torch.ones(256, 8, 56, 56)
hg.conv2d_backward(dy[:1], x[:1], w, padding=1)  # whatever the first call loads
for call, result in [
    (lambda: hg.conv2d(x, w, padding=1), dy),
    (lambda: hg.conv2d_weight(x, w.shape, dy, padding=1), w),
    (lambda: hg.conv2d_input(x.shape, w, dy, padding=1), x),
]:
    before = peak()
    call()
    print(peak() - before - result.numel() * 4 / 2**20)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    extra = list(map(float, run.stdout.split()))
    assert len(extra) == 3
    assert max(extra) < 150, f"MB beside operands and result: {extra}"
