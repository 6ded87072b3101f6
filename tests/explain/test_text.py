"""What a terminal shows, and the numbers as JSON."""

from __future__ import annotations

import json

import pytest
import torch

import handgrad as hg

BY_HAND = """\
By hand
1-d convolution of 1 sample with 1 channel of length 5 to 1 channel, kernel length 2, stride 2, padding 1
L = ⌊(5 + 1 + 1 − 1·(2 − 1) − 1) / 2⌋ + 1 = 3
equals PyTorch exactly, all results, in float64

Forward   y[n, o, p] = Σ w[o, c, k] · x[n, c, p·2 + k − 1]   over c and k
          y = w · cols
  x  input  N=1 C=1 I=5
    sample 0
      ·  1 [2][3] 4  5  ·
  ↓ unfold: every window becomes a column
  cols  columns  N=1 C·K=2 L=3
    sample 0
      0 [2] 4
      1 [3] 5
  ↓ multiply from the left by
  w  weight  O=1 C=1 K=2
    out 0
     [1][−1]
  ↓ gives
  y  output  N=1 O=1 L=3
    sample 0
      −1 [−1] −1
  y[0, 0, 1] = 1·2 + (−1)·3 = −1

∂weight   dw[o, c, k] = Σ dy[n, o, p] · x[n, c, p·2 + k − 1]   over n and p
          dw = Σₙ dy · colsᵀ
  x  input  N=1 C=1 I=5
    sample 0
      · [1] 2 [3] 4 [5] ·
  ↓ unfold: every window becomes a column
  cols  columns  N=1 C·K=2 L=3
    sample 0
      0  2  4
     [1][3][5]
  ↓ transpose, and multiply from the left by
  dy  grad_output  N=1 O=1 L=3
    sample 0
     [2][3][−1]
  ↓ sum over the samples gives
  dw  grad_weight  O=1 C=1 K=2
    out 0
      2 [6]
  dw[0, 0, 1] = 2·1 + 3·3 + (−1)·5 = 6

∂input   dx[n, c, i] = Σ w[o, c, k] · dy[n, o, p]   over o and all p, k with p·2 + k − 1 = i
         dx = fold(dcols), dcols = wᵀ · dy
  w  weight  O=1 C=1 K=2
    out 0
      1 [−1]
  ↓ transpose, and multiply by
  dy  grad_output  N=1 O=1 L=3
    sample 0
      2 [3] −1
  ↓ gives a column for every window
  dcols  grad_columns  N=1 C·K=2 L=3
    sample 0
       2   3  −1
      −2 [−3]  1
  ↓ fold: every column is added to the place of its window, then crop
  dx  grad_input  N=1 C=1 I=5
    sample 0
      ~2  −2  3 [−3] −1  1  ~0
  dx[0, 0, 2] = (−1)·3 = −3
"""


def test_a_convolution_of_one_axis() -> None:
    x, w, dy = torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([[[1, -1]]]), torch.tensor([[2, 3, -1]])
    assert str(hg.explain(x, w, grad_output=dy, stride=2, padding=1, title="By hand")) == BY_HAND


def test_padding_that_copies_and_what_is_cropped_are_told_apart() -> None:
    copied = str(hg.explain((1, 1, 4), (1, 1, 3), padding=1, padding_mode="circular"))
    assert "     ~" in copied
    assert "  ·" not in copied
    assert "  ·" in str(hg.explain((1, 1, 4), (1, 1, 3), padding=1))


def test_a_large_tensor_shows_its_ends_and_says_so() -> None:
    text = str(hg.explain((2, 3, 50, 60), (4, 3, 3, 3)))
    assert len(text.splitlines()) < 400
    assert "shown: " in text
    assert "⋮" in text
    assert "…" in text


@pytest.mark.parametrize("transposed", [False, True])
def test_json_holds_every_number(transposed: bool) -> None:
    trace = hg.explain((2, 3, 5, 4), (3, 2, 3, 2) if transposed else (2, 3, 3, 2), transposed=transposed, padding=1)
    told = json.loads(trace.to_json())
    assert set(told["tensors"]) == set(trace.boxes)
    for name, tensor in told["tensors"].items():
        box = trace.boxes[name]
        assert tensor["letters"] == list(box.letters)
        assert tensor["shape"] == list(box.shape)
        assert tensor["positions"] == [list(axis) for axis in box.ranges]
        assert torch.equal(torch.tensor(tensor["values"], dtype=torch.float64), box.padded.flatten())
    assert told["errors"] == dict.fromkeys(trace.errors, 0)


def test_json_has_a_word_for_what_is_no_number() -> None:
    trace = hg.explain(torch.tensor([[[1.0, float("inf"), float("nan")]]]), (1, 1, 1))
    json.loads(trace.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert "inf" in trace.to_json()


def test_saving_by_the_ending(tmp_path) -> None:
    trace = hg.explain((1, 1, 4), (1, 1, 2))
    assert trace.save(tmp_path / "a.txt").read_text() == str(trace)
    assert trace.save(tmp_path / "A.HTML").read_text() == trace.to_html()
    assert trace.save(str(tmp_path / "a.json")).read_text() == trace.to_json()
    with pytest.raises(hg.HandgradError, match=r"cannot save as \.png\.\n  known  \.html, \.json, \.svg, \.txt"):
        trace.save(tmp_path / "a.png")
    with pytest.raises(hg.HandgradError, match="cannot save as a file without an ending"):
        trace.save(tmp_path / "a")


def test_a_trace_is_named_in_a_word() -> None:
    assert (
        repr(hg.explain((1, 2, 5, 6), (3, 2, 3, 2)))
        == "<Trace of conv2d: input 1×2×5×6, weight 3×2×3×2, output 1×3×3×5>"
    )
