"""At which sizes and with which options code is run."""

from __future__ import annotations

import numpy as np
import torch

import handgrad as hg
from handgrad._check.inputs import Spec
from handgrad._check.plan import Wanted, plan
from handgrad._check.subjects import Subject, finding


class TwoChannels:
    """A convolution for two channels, which takes more and leaves them out."""

    def __init__(self):
        self.W = np.random.default_rng(0).normal(size=(3, 2, 3, 2))

    def forward(self, x):
        self.x = x
        return sum(np.einsum("nhwij,oij->nohw", self.windows(x[:, c]), self.W[:, c]) for c in range(2))

    def windows(self, x):
        return np.lib.stride_tricks.sliding_window_view(x, (3, 2), axis=(1, 2))

    def backward(self, g):
        self.dW = np.stack([np.einsum("nhwij,nohw->oij", self.windows(self.x[:, c]), g) for c in range(2)], 1)
        padded = np.pad(g, ((0, 0), (0, 0), (2, 2), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2), axis=(2, 3))
        return np.einsum("nohwij,ocij->nchw", windows, self.W)  # the kernel is not flipped


def plan_of(shape):
    return plan(Subject(finding.of_object(TwoChannels())), Wanted(specs={"x": Spec(shape)}))


def test_other_sizes_keep_what_the_forward_is():
    made = plan_of((2, 2, 6, 7))
    assert made.operation is not None
    assert made.operation.name == "conv2d"
    shapes = [tuple(step.draw.inputs["x"].shape) for step in made.steps]
    assert len(shapes) == 3
    assert {shape[1] for shape in shapes} == {2}
    assert len({shape[0] for shape in shapes}) == 3


def test_a_size_of_1_may_hide_what_the_forward_does_so_every_other_is_tried():
    shapes = [tuple(step.draw.inputs["x"].shape) for step in plan_of((1, 2, 6, 7)).steps]
    assert len({shape[1] for shape in shapes}) > 1


def test_the_slip_of_such_a_layer_is_named():
    report = hg.check(TwoChannels(), inputs=np.random.default_rng(1).normal(size=(2, 2, 6, 7)))
    assert [finding.cause for finding in report.findings] == ["kernel-not-flipped"]


def test_options_are_given_in_the_form_that_backward_takes_too():
    def forward(x, w, padding=1):
        return torch.nn.functional.conv1d(x, w, padding=padding)

    def backward(g, x, w, padding=1):
        whole = torch.nn.functional.conv_transpose1d(g, w)
        dw = torch.nn.grad.conv1d_weight(x, w.shape, g, padding=padding)
        return whole[..., : whole.shape[-1] - 2 * padding], dw  # 2 · (1,) is a tuple

    report = hg.check((forward, backward), like="conv1d")
    assert [finding.cause for finding in report.findings] == ["wrong-crop"]


def test_a_declared_convolution_does_not_flip_its_kernel():
    def forward(x, w):
        return torch.nn.functional.conv2d(x, w.flip(2, 3))

    def backward(g, x, w):
        return torch.nn.grad.conv2d_input(x.shape, w.flip(2, 3), g), torch.nn.grad.conv2d_weight(x, w.shape, g).flip(
            2, 3
        )

    report = hg.check((forward, backward), like="conv2d")
    assert [finding.cause for finding in report.findings] == ["forward-differs"]
    assert hg.check((forward, backward), inputs=["x=2x3x6x7", "w=4x3x3x2"]).ok


def test_other_sizes_of_a_setting_are_such_that_the_operation_has_them():
    """With groups there is no odd number of output channels, which code that cuts them in parts may take."""

    def forward(x, w, groups=1):
        parts = zip(x.chunk(groups, 1), w.chunk(groups, 0), strict=False)
        return torch.cat([torch.nn.functional.conv2d(a, f) for a, f in parts], 1)

    def backward(g, x, w, groups=1):
        parts = zip(g.chunk(groups, 1), w.chunk(groups, 0), strict=False)
        dx = torch.cat([torch.nn.functional.conv_transpose2d(d, f) for d, f in parts], 1)
        return dx, torch.nn.grad.conv2d_weight(x, w.shape, g, groups=groups)

    assert hg.check((forward, backward), like="conv2d", groups=2).ok
