"""`handgrad explain`: the page of sizes, or of a trained network and one image."""

from __future__ import annotations

import json
import re

import pytest
import tiny_runs
import torch
from commands import run

import handgrad as hg
from handgrad._training.explain import explain_layer


def test_sizes_become_a_page(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = run("explain", "--input", "1x2x5x6", "--kernel", "3x2", "--stride", "2").output
    assert told == "<Trace of conv2d: input 1×2×5×6, weight 3×2×3×2, output 1×3×2×3>\nwrote explain.html\n"
    page = (tmp_path / "explain.html").read_text()
    assert page == hg.explain((1, 2, 5, 6), (3, 2, 3, 2), (3,), stride=2).to_html()


@pytest.mark.parametrize(
    ("arguments", "trace"),
    [
        (["--no-bias", "--padding", "same"], lambda: hg.explain((1, 2, 5, 6), (3, 2, 3, 2), padding="same")),
        (
            ["--input", "2x4x9", "--kernel", "3", "--groups", "2", "--out-channels", "6", "--dilation", "2"],
            lambda: hg.explain((2, 4, 9), (6, 2, 3), (6,), groups=2, dilation=2),
        ),
        (["--input", "1×2X9"], lambda: hg.explain((1, 2, 9), (3, 2, 3), (3,))),
        (["--input", "1x2x4x4x4"], lambda: hg.explain((1, 2, 4, 4, 4), (3, 2, 3, 2, 2), (3,))),
        (
            ["--transposed", "--stride", "2,3", "--output-padding", "1x0", "--padding", "1"],
            lambda: hg.explain(
                (1, 2, 5, 6), (2, 3, 3, 2), (3,), stride=(2, 3), output_padding=(1, 0), padding=1, transposed=True
            ),
        ),
        (
            ["--input", "1x1x3x3x3", "--kernel", "2", "--padding", "1", "--padding-mode", "reflect"],
            lambda: hg.explain((1, 1, 3, 3, 3), (3, 1, 2, 2, 2), (3,), padding=1, padding_mode="reflect"),
        ),
    ],
)
def test_every_option_reaches_the_trace(tmp_path, arguments, trace) -> None:
    run("explain", *arguments, "--out", tmp_path / "all.json")
    assert (tmp_path / "all.json").read_text() == trace().to_json()


def test_text_goes_to_the_terminal_and_files_by_their_ending(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    trace = hg.explain((1, 2, 5, 6), (3, 2, 3, 2), (3,))
    assert run("explain", "--text").stdout == str(trace)
    assert not list(tmp_path.iterdir())
    assert run("explain", "--text", "--out", "page.svg").stdout == str(trace)
    assert (tmp_path / "page.svg").read_text() == trace.to_svg()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "5x6"], "--input needs samples, channels and one to three sizes"),
        (["--input", "1x2xa"], "'1x2xa' is neither a number nor numbers with x between them"),
        (["--kernel", "3x3x3"], "--kernel 3x3x3 has 3 sizes, and --input has 2 after its channels"),
        (["--groups", "2"], "--groups 2 must divide the channels, 2 and 3"),
        (["--layer", "1"], "--layer needs RUN"),
        (["--kernel", "9"], "the kernel is larger than the padded input"),
        (["--output-padding", "1"], "output_padding has no meaning"),
        (["--out", "a.png"], "cannot save as .png"),
        (["nowhere", "--out", "a.png"], "cannot save as .png"),  # before the run is looked for
        (["--out", "none/a.html"], "there is no folder none to save in"),
        (["--input", "1x0x5", "--kernel", "2"], "input must be a tensor, or its size as positive ints"),
        (["nowhere"], "nowhere: no such folder"),
        (["nowhere", "--stride", "2"], "--stride has no meaning with RUN"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(arguments, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in run("explain", *arguments, exit_code=2).output


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of a convolution, a normalization, a pooling and a linear layer."""
    folder = tmp_path_factory.mktemp("explained")
    assert tiny_runs.go(tiny_runs.begin(tiny_runs.config(folder), folder / "run"))
    return folder / "run"


def test_a_layer_of_a_run_reads_an_image_and_gets_the_gradient_of_the_loss(trained, tmp_path) -> None:
    told = run("explain", trained, "--layer", 0, "--image", 3, "--out", tmp_path / "page.json")
    assert "<Trace of conv2d: " in told.output
    given = json.loads((tmp_path / "page.json").read_text())
    assert re.search(r"run: layer 0 \(Conv2d\), test image 3, a \d$", given["title"])
    trace = explain_layer(trained, 0, 3, print)
    assert max(trace.errors.values()) < 1e-10
    assert torch.equal(trace["grad_weight"], by_autograd(trained, 3)) or torch.allclose(
        trace["grad_weight"], by_autograd(trained, 3), rtol=1e-3, atol=1e-6
    )


def by_autograd(folder, image: int) -> torch.Tensor:
    """The gradient of the first layer's weight, by PyTorch through the whole network."""
    from pathlib import Path

    from handgrad._training import data, use

    loaded = use.load(folder, "cpu", print)
    test = data.load(Path(loaded.facts.config["data"]), loaded.facts.seed).test
    twin = hg.layers.to_torch(loaded.model).double().eval()
    pixels = loaded.facts.scaling.apply(test.images[image : image + 1], torch.float64)
    torch.nn.functional.cross_entropy(twin(pixels), test.labels[image : image + 1]).backward()
    return next(iter(twin.parameters())).grad


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "2"], "layer 2 is a ReLU; convolutions are: 0"),
        (["--layer", "99"], "layer 99 is not there; convolutions are: 0"),
        (["--image", "9999"], "there is no test image 9999: there are"),
    ],
)
def test_what_a_run_has_not_is_said(trained, arguments, message) -> None:
    assert message in run("explain", trained, *arguments, exit_code=2).output
