"""Every entry of a trace is the sum that it says it is, of the entries that the law says meet in it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections import Counter

import pytest
import torch
from brute import Entry, meetings
from explain_cases import SMALL, entries, traced

import handgrad as hg
from cases import Case
from handgrad._explain.sums import Sum
from handgrad._explain.view import example, views
from oracles import assert_equal, gradients

RESULTS = ("output", "grad_weight", "grad_input")


def pairs(trace: hg.Trace, written: Sum) -> Counter[tuple[Entry, Entry]]:
    """What meets in a sum, as the brute force tells it: without zeros of padding, copies by what they copy."""
    found: Counter[tuple[Entry, Entry]] = Counter()
    for term in written.terms:
        if len(term.factors) == 2:
            entries = tuple(_source(trace, name, index) for name, index, _ in sorted(term.factors))
            if None not in entries:
                found[entries] += 1
    return found


def _source(trace: hg.Trace, name: str, index: tuple[int, ...]) -> Entry | None:
    if name != trace.roles.image:
        return name, index
    sources = [axis.source(i) for axis, i in zip(trace.axes, index[2:], strict=True)]
    return None if None in sources else (name, (*index[:2], *sources))


@pytest.mark.parametrize("case", SMALL)
def test_what_meets_in_every_entry_is_what_the_law_says(case: Case) -> None:
    trace, truth = traced(case), meetings(case)
    for name in RESULTS:
        for index in entries(trace.boxes[name]):
            assert pairs(trace, trace.sum(name, index)) == truth[name, index], (name, index)


@pytest.mark.parametrize("case", SMALL[::2])
def test_every_entry_is_its_sum_also_in_the_padding(case: Case) -> None:
    trace = traced(case)
    for name in (*RESULTS, "grad_bias", "columns", "grad_columns"):
        for index in entries(trace.boxes[name], padding=True):
            written = trace.sum(name, index)
            assert sum(term.value for term in written.terms) == written.value, (name, index)


@pytest.mark.parametrize("case", SMALL)
def test_the_numbers_are_autograds_and_the_trace_says_so(case: Case) -> None:
    trace = traced(case)
    x, w, b, dy = (trace[name] for name in ("input", "weight", "bias", "grad_output"))
    truth = (case.framework(x, w, b), *gradients(case.framework, (x, w, b), dy))
    for name, right in zip(("output", "grad_input", "grad_weight", "grad_bias"), truth, strict=True):
        assert_equal(trace[name], right)
        assert trace.errors[name] == 0.0  # they are integers


def test_a_wrong_result_would_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    right = hg.functional.conv2d_backward
    monkeypatch.setattr(
        hg.functional, "conv2d_backward", lambda *args, **kw: right(*args, **kw)._replace(weight=torch.ones(3, 2, 3, 2))
    )
    trace = hg.explain((1, 2, 5, 6), (3, 2, 3, 2))
    assert trace.errors["grad_weight"] > 0.1
    assert "differs from PyTorch, worst error" in str(trace)


@pytest.mark.parametrize("case", SMALL[::7])
def test_a_column_entry_is_where_its_term_says(case: Case) -> None:
    """Every product passes one entry of the columns, and that entry names the same image entry, tap and window."""
    trace = traced(case)
    for name in RESULTS:
        for index in entries(trace.boxes[name], most=10):
            for term in trace.sum(name, index).terms:
                if term.column is not None:
                    n, channel, k, p = trace.column(term.column)
                    assert trace.in_columns(n, channel, k, p) == term.column
                    image = [factor for factor in term.factors if factor.name == trace.roles.image]
                    if image:
                        assert image[0].place == (n, channel, *trace.positions(p, k))


@pytest.mark.smoke
def test_a_sum_reads_as_one_does_it_in_the_head() -> None:
    trace = hg.explain(torch.tensor([[[1, 2, 3, 4]]]), torch.tensor([[[5, -6]]]), torch.tensor([7]), stride=2)
    assert str(trace.sum("output", (0, 0, 1))) == "y[0, 0, 1] = 5·3 + (−6)·4 + 7 = −2"
    assert str(trace.sum("columns", (0, 1, 1))) == "cols[0, 1, 1] = x[0, 0, 3] = 4"
    assert str(trace.sum("input", (0, 0, 1))) == "x[0, 0, 1] = 2"
    assert trace.sum("grad_weight", (0, 0, 0)).line(1).startswith("dw[0, 0, 0] = … (2 more, together ")


def test_an_entry_that_no_window_reaches() -> None:
    trace = hg.explain((1, 1, 5), (1, 1, 2), stride=3)
    assert str(trace.sum("grad_input", (0, 0, 2))) == "dx[0, 0, 2] = nothing meets it = 0"


def test_your_own_tensors_and_a_batch_of_one() -> None:
    x, w = torch.randn(2, 5, 6), torch.randn(3, 2, 3, 2)
    dy = torch.randn(3, 3, 5)
    trace = hg.explain(x, w, grad_output=dy)
    assert torch.equal(trace["input"], x.double()[None])
    assert torch.equal(trace["grad_output"], dy.double()[None])
    assert "bias" not in trace.boxes
    assert max(trace.errors.values()) < 1e-13


@pytest.mark.parametrize("transposed", [False, True])
def test_ones_own_numbers_begin_with_the_sum_that_has_most_terms_that_are_not_zero(transposed: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    x, w = (torch.randint(0, 2, size, generator=generator) for size in ((1, 2, 5, 6), (2, 2, 3, 2)))
    shape = hg.explain(x, w, padding=1, transposed=transposed)["output"].shape
    dy = torch.randint(0, 2, shape, generator=generator)
    trace = hg.explain(x, w, grad_output=dy, padding=1, transposed=transposed)
    for name in RESULTS:
        every = entries(trace.boxes[name], most=1000)
        counts = {index: sum(term.value != 0 for term in trace.sum(name, index).terms) for index in every}
        assert counts[example(trace, name, views(trace))] == max(counts.values()) > min(counts.values())


def test_sizes_are_filled_with_the_same_small_integers() -> None:
    first, second = (hg.explain((1, 2, 5, 6), (3, 2, 3, 2), (3,)) for _ in range(2))
    for name in ("input", "weight", "bias", "grad_output"):
        assert torch.equal(first[name], second[name])
        assert torch.equal(first[name], first[name].round())
        assert first[name].abs().max() <= 5
    assert (first["weight"] != 0).all()
    assert (first["grad_output"] != 0).all()


def test_the_trace_is_frozen_and_its_operands_are_left_alone() -> None:
    x = torch.randn(1, 2, 5, 6, requires_grad=True)
    before = x.detach().clone()
    trace = hg.explain(x, (3, 2, 3, 2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace.title = "another"
    assert torch.equal(x, before)
    assert not trace["input"].requires_grad


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (((1, 2, 5), (3, 2)), {}, "explain: weight must have 3, 4 or 5 axes"),
        (((1, 2, 0), (3, 2, 2)), {}, "explain: input must be a tensor, or its size as positive ints"),
        (("abc", (3, 2, 2)), {}, "explain: input must be a tensor, or its size as positive ints"),
        ((torch.ones(1, 1, 4, dtype=torch.complex64), (1, 1, 2)), {}, "explain: complex numbers are not shown"),
        ((torch.ones(0, 1, 4), (1, 1, 2)), {}, "explain: there is nothing to show of an empty tensor"),
        (((1, 2, 5), (3, 2, 2)), {"output_padding": 1}, "output_padding has no meaning for a convolution that"),
        (((1, 3, 5), (3, 2, 2)), {"transposed": True, "padding_mode": "reflect"}, "padding_mode has no meaning for"),
        (((1, 3, 5), (3, 2, 2)), {}, "conv1d: input and weight disagree about channels"),
        (((9, 64, 99, 99), (64, 64, 3, 3)), {}, "explain: 48776256 numbers in the columns are too many"),
        (((10**21, 1, 5), (1, 1, 2)), {}, "explain: 5000000000000000000000 numbers in the input are too many"),
        (((1, 1, 9), (10**9, 1, 2)), {}, "explain: 2000000000 numbers in the weight are too many"),
        (((1, 1, 9), (10**7, 1, 1)), {}, "explain: 90000000 numbers in the output are too many"),
        (((1, 1, 9), (1, 1, 1)), {"padding": 2**30, "stride": 2**30}, "numbers in the padded input are too many"),
        (((1, 1, 9), (1, 1, 2)), {"transposed": True, "stride": 2**30}, "numbers in the padded output are too many"),
        ((torch.ones(1, 1, 9, device="meta"), (1, 1, 2)), {}, "explain: input is on the meta device"),
        (((1, 3, 5), (2, 3, 2)), {"grad_output": torch.ones(1, 2, 3)}, "conv1d_backward: grad_output has a size that"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained_is_said(arguments, options, message) -> None:
    with pytest.raises(hg.HandgradError, match=message):
        hg.explain(*arguments, **options)


def test_an_array_is_named_by_its_type_and_not_printed() -> None:
    with pytest.raises(hg.HandgradError, match="must be a tensor, or its size") as raised:
        hg.explain(torch.full((1, 1, 4), 7.5).numpy(), (1, 1, 2))
    assert "a numpy.ndarray" in str(raised.value)
    assert "torch.from_numpy" in str(raised.value)
    assert "7.5" not in str(raised.value)


def test_what_is_not_there_is_said() -> None:
    trace = hg.explain((1, 2, 5), (3, 2, 2))
    with pytest.raises(
        hg.HandgradError, match=r"there is no tensor 'grad_bias'\.\n  known  input, weight, output, columns"
    ):
        trace["grad_bias"]
    for name, index in [
        ("output", (0, 3, 0)),
        ("output", (0, 0, -1)),
        ("columns", (0, 4, 0)),
        ("columns", (0, 0, 4)),
        ("input", (0,)),
        ("grad_weight", (0,)),
        ("output", (0,)),
        ("columns", (0,)),
        ("grad_input", ()),
    ]:
        with pytest.raises(hg.HandgradError, match=f"explain: {name} has no such entry"):
            trace.sum(name, index)


def test_an_entry_of_the_padding_is_there_on_the_image_side_alone() -> None:
    trace = hg.explain((1, 1, 3, 3), (1, 1, 3, 3), padding=1)
    assert trace.sum("input", (0, 0, -1, 3)).value == 0
    assert trace.sum("grad_input", (0, 0, -1, -1)).terms
    with pytest.raises(hg.HandgradError, match="grad_output has no such entry"):
        trace.sum("grad_output", (0, 0, -1, 0))


def test_explaining_brings_neither_template_nor_plotting_until_they_are_used() -> None:
    code = "import sys, handgrad as hg; t = hg.explain((1, 1, 3), (1, 1, 2)); print(t); t.to_svg(); t.to_json()"
    code += "; print('brought', sorted({'jinja2', 'matplotlib', 'PIL'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("brought []\n")
