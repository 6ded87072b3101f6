"""Backward passes that are written for the person's own sizes: the slip at these is named, and comes first."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from handgrad import check


def forward(x: Tensor, w: Tensor) -> Tensor:
    return F.conv2d(x, w, padding="same")


def test_a_kernel_and_its_padding_written_into_the_code() -> None:
    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        dw = torch.zeros_like(w)
        for i in range(3):
            for j in range(3):  # without the padding's offset
                seen = x[:, :, i:, j:][:, :, : g.shape[2], : g.shape[3]]
                over = g[:, :, : seen.shape[2], : seen.shape[3]]
                dw[:, :, i, j] = torch.einsum("nohw,nchw->oc", over, seen)
        return F.conv_transpose2d(g, w, padding=1), dw

    report = check((forward, backward), inputs=["x=2x3x7x8", "w=4x3x3x3"])
    assert report.findings[0].cause == "padding-ignored"
    x, w = report.gradients
    assert x.is_latent
    assert not w.is_latent
    assert [finding.cause for finding in w.findings] == ["padding-ignored"]


def test_a_batch_written_into_the_code() -> None:
    def backward(g: Tensor, x: Tensor) -> Tensor:
        return 2 * g - g.reshape(2, -1).mean(1).sum() * (len(x) != 2)  # whatever it is at other batches

    report = check((lambda x: x * 1.0, backward), inputs=["x=2x5"])
    assert [finding.cause for finding in report.findings][:1] == ["scale-factor"]
