"""The options of the embedding, and what it refuses; its numbers are in the table of all layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import handgrad as hg
from handgrad import layers

TOKENS = torch.tensor([[0, 3, 3], [4, 1, 0]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"max_norm": 1.0},
            "^Embedding: max_norm would change the weight in the forward pass.\n  max_norm  1.0\n",
        ),
        ({"sparse": True}, "^Embedding: gradients are dense here.\n  sparse  True\nhint: build it without sparse"),
    ],
)
def test_options_that_would_do_what_no_layer_does_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(hg.HandgradError, match=message):
        layers.Embedding(5, 2, **settings)(TOKENS)
    with pytest.raises(
        hg.HandgradError, match=r"^from_torch: cannot turn 0, which has max_norm or sparse.\n  type  Embed"
    ):
        layers.from_torch(nn.Sequential(nn.Embedding(5, 2, **settings)))


@pytest.mark.parametrize(
    ("input", "message"),
    [
        (torch.zeros(2, 3), "^Embedding: input is no tensor of indices.\n  input  .*float32\nhint: `input.long"),
        (TOKENS.short(), "^Embedding: input is no tensor of indices.\n  input  .*int16"),
        (TOKENS + 1, "^Embedding: cannot take this input.\n(.*\n)+  reason    index out of range"),
    ],
)
def test_a_wrong_input_is_refused(input: Tensor, message: str) -> None:
    with pytest.raises(hg.HandgradError, match=message):
        layers.Embedding(5, 2)(input)


def test_indices_of_32_bits_and_rows_that_nobody_looked_up() -> None:
    layer = layers.Embedding(5, 2, padding_idx=3)
    y, backward = layer(TOKENS.int())
    assert backward(torch.ones_like(y)) is None
    assert layer.weight.grad.equal(torch.tensor([2.0, 1, 0, 0, 1]).view(5, 1).expand(5, 2))


class Pooled(layers.Layer):
    """A container as somebody would write one, of a layer that takes indices."""

    def __init__(self) -> None:
        super().__init__()
        self.table = layers.Embedding(5, 2)

    def forward(self, input: Tensor) -> tuple[Tensor, layers.Pullback]:
        y, table = self.table(input)
        return y.sum(1), lambda grad_output: table(grad_output.unsqueeze(1).expand_as(y).contiguous())


def test_a_layer_of_layers_takes_what_its_children_take() -> None:
    layer = layers.Sequential(Pooled(), layers.Linear(2, 3))
    samples = hg.per_sample.Samples()
    y, backward = layer(TOKENS)
    assert backward(torch.ones_like(y), per_sample=samples) is None
    assert samples.gradients()[layer[0].table.weight].shape == (2, 5, 2)
    with pytest.raises(hg.HandgradError, match=r"^Linear: input is not floating point"):
        layers.Sequential(layers.Linear(2, 3))(TOKENS)
