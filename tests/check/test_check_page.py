"""From a failed check to a page: the draw that travels, the claim beside the right gradient, and `--html`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional as F

import handgrad as hg
from handgrad._check.example import Example
from handgrad._cli.check import check

QUESTION = """
import torch
torch.manual_seed(0)
img = torch.randn(1, 1, 28, 28)
kernel = torch.randn(1, 1, 3, 3)
img_unfolded = torch.nn.Unfold(3, padding=1)(img)
output = kernel.view(1, -1).matmul(img_unfolded)
grads_output = torch.randn(1, 1, 784)
grads_weights = img_unfolded.T.matmul(output)
"""


class Flipped(torch.autograd.Function):
    """A weight gradient that is turned around."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return F.conv2d(x, w, stride=2, padding=1)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        gx = torch.nn.grad.conv2d_input(x.shape, w, g, stride=2, padding=1)
        return gx, torch.nn.grad.conv2d_weight(x, w.shape, g, stride=2, padding=1).flip(2, 3)


def test_a_report_explains_the_convolution_at_a_draw_that_is_wrong() -> None:
    report = hg.check(Flipped, inputs=["x=2x3x7x6", "w=4x3x3x2"], like="conv2d")
    trace = report.explain()
    assert trace.operation == "conv2d"
    assert set(trace.compared) == {"grad_weight"}
    claim = trace.compared["grad_weight"]
    assert torch.equal(claim.values, trace["grad_weight"].flip(2, 3))
    assert [cause.name for cause in claim.causes] == ["kernel-flipped"]
    assert claim.moved is not None
    for name in ("input", "weight", "grad_output"):
        assert torch.equal(trace[name], trace[name].round()), "small integers"
    assert "kernel-flipped" in report.explain().to_html()


def test_what_is_no_wrong_convolution_is_said() -> None:
    right = hg.check((lambda x: x * 2, lambda g, _: g * 2), inputs=["x=3"])
    with pytest.raises(
        hg.HandgradError, match=r"no wrong gradient of a convolution to show\.\n  verdict  correct\nhint"
    ):
        right.explain()
    wrong = hg.check((lambda x: x * 2, lambda g, _: g * 3), inputs=["x=3"])
    assert wrong.verdict == "wrong"
    with pytest.raises(hg.HandgradError, match="verdict  wrong"):
        wrong.explain()


def test_integers_are_tried_and_whatever_the_code_does_with_them_is_no_matter() -> None:
    def forward(x, w):
        if bool((x == x.round()).all()):
            raise ValueError("no integers, please")
        return F.conv2d(x, w)

    def backward(g, x, w):
        return torch.nn.grad.conv2d_input(x.shape, w, g), -torch.nn.grad.conv2d_weight(x, w.shape, g)

    report = hg.check((forward, backward), inputs=["x=2x3x5x6", "w=4x3x3x2"], like="conv2d")
    trace = report.explain()
    assert torch.equal(trace.compared["grad_weight"].values, -trace["grad_weight"]) or bool(
        trace.compared["grad_weight"].wrong.all()
    )
    assert not torch.equal(trace["input"], trace["input"].round())


def test_channels_last_code_is_explained_in_pytorchs_layout() -> None:
    def forward(x, w):
        return F.conv2d(x.movedim(-1, 1), w.movedim((-1, -2), (0, 1))).movedim(1, -1)

    def backward(g, x, w):
        image, kernel, grad = x.movedim(-1, 1), w.movedim((-1, -2), (0, 1)), g.movedim(-1, 1)
        gx = torch.nn.grad.conv2d_input(image.shape, kernel, grad).movedim(1, -1)
        gw = torch.nn.grad.conv2d_weight(image, kernel.shape, grad).movedim((0, 1), (-1, -2))
        return gx, -gw

    report = hg.check((forward, backward), inputs=["x=2x5x6x3", "w=3x2x3x4"])
    trace = report.explain()
    assert torch.equal(trace.compared["grad_weight"].values, -trace["grad_weight"])


@pytest.mark.slow
def test_html_writes_the_page_of_a_script_whose_claim_is_far_too_large(tmp_path: Path) -> None:
    (tmp_path / "question.py").write_text(QUESTION)
    words = ["--output", "output", "--grad-output", "grads_output", "--wrt", "kernel=grads_weights"]
    done = CliRunner().invoke(check, [str(tmp_path / "question.py"), *words, "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 1
    page = (tmp_path / "page.html").read_text()
    assert "(784, 9, 784)" in page
    assert "must be (1, 1, 3, 3)" in page
    for cause in ("reversed-axes", "wrong-operand-order", "output-instead-of-grad-output", "missing-batch-sum"):
        assert f"<strong>{cause}</strong>" in page
    assert "grads_weights = (grads_output @ img_unfolded.mT).sum(0).view_as(kernel)" in page
    assert "NaN" not in page.partition("<script")[0]


@pytest.mark.slow
def test_html_of_anything_else_is_the_report(tmp_path: Path) -> None:
    (tmp_path / "square.py").write_text("def forward(x): return x * x\ndef backward(g, x): return g * x\n")
    page = tmp_path / "page.html"
    done = CliRunner().invoke(check, [str(tmp_path / "square.py"), "--input", "x=3", "--html", str(page), "--json"])
    assert json.loads(done.stdout)["verdict"] == "wrong"
    assert "<h1>handgrad check: wrong</h1>" in page.read_text()
    nowhere = CliRunner().invoke(
        check, [str(tmp_path / "square.py"), "--input", "x=3", "--html", str(tmp_path / "no" / "p")]
    )
    assert nowhere.exit_code == 1
    assert "No such file or directory" in nowhere.output


def test_an_example_comes_back_as_it_was() -> None:
    claim = torch.arange(400.0 * 300).view(400, 1, 300)
    given = Example(
        "conv1d", {"stride": (2,)}, {"input": torch.ones(1, 1, 4)}, torch.ones(1, 1, 2), {"weight": ("w", claim)}
    )
    back = Example.of(json.loads(json.dumps(given.plain())))
    assert (back.operation, back.options, back.label) == ("conv1d", {"stride": (2,)}, "")
    assert torch.equal(back.operands["input"], torch.ones(1, 1, 4).double())
    name, values = back.claims["weight"]
    assert (name, values.shape) == ("w", claim.shape)
    assert values[0, 0, 0] == 0
    assert values[399, 0, 299] == claim[399, 0, 299]
    assert values[200, 0, 150].isnan()
    assert len(json.dumps(given.plain())) < 10_000
