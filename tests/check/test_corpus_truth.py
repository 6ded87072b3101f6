"""corpus.toml is true: every program's gradients are what it says, proven without the checker.

The oracle is the program's own forward, differentiated by central differences; where a cause has an equation
(U.sum(0) = T, U = BW(y), …) the wrong gradient has to satisfy it. A program that is declared correct is right, leaves
its inputs alone, gives the same again, and is linear in grad_output, whatever its memory layout.
"""

import collections
import functools
import hashlib

import numpy as np
import pytest
from corpus_truth.differences import Truth
from corpus_truth.play import Play, load
from corpus_truth.plays import play, plays
from corpus_truth.probes import PROBES
from corpus_truth.proofs import proof_of
from corpus_truth.sizes import reference
from corpus_truth.table import HERE, Entry, entries

from handgrad._check.causes import CAUSES

ENTRIES = entries()
KINKS = {"np_pair_act_01", "np_course_pool_02", "np_course_pool_03"}  # their example inputs are a kink or a tie
MAY_BE_RIGHT = {"correct", "forward-differs", "wrong-return-count", *PROBES}  # causes that need no wrong gradient


def each(chosen: list[Entry]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", chosen, ids=lambda entry: entry.name)


def drawn(entry: Entry) -> list[Play]:
    """The plays; a program whose own inputs are a kink is run beside it."""
    if entry.name in KINKS:
        shape = np.shape(load(entry)["example_inputs"]()[0])
        return [play(entry, [np.random.default_rng(1).standard_normal(shape)])]
    return plays(entry)


@functools.cache
def truths_of(name: str) -> list[dict[str, Truth]]:
    """The truth for every value of every play, shared by the tests."""
    entry = next(e for e in ENTRIES if e.name == name)
    return [{value: Truth(one, value) for value in one.values} for one in drawn(entry)]


@each(ENTRIES)
def test_the_named_gradients_are_wrong_and_no_others(entry: Entry) -> None:
    wrong = set()
    for truths in truths_of(entry.name):
        wrong |= {name for name, t in truths.items() if not t.matches(t.play.gradients.get(name))}
    assert wrong == set(entry.gradient)
    assert wrong or entry.expect in MAY_BE_RIGHT


@each([e for e in ENTRIES if proof_of(e)])
def test_the_wrong_gradient_is_wrong_in_the_named_way(entry: Entry) -> None:
    for truths in truths_of(entry.name):
        for truth in (truths[name] for name in entry.gradient):
            u = truth.play.gradients[truth.name]
            assert truth.matches(u) or proof_of(entry)(truth, u)  # right where the sizes hide the slip


@each([e for e in ENTRIES if e.expect == "wrong-reduction-axes" and proof_of(e)])
def test_another_gradient_of_the_same_total_is_no_sum_over_wrong_axes(entry: Entry) -> None:
    for truths in truths_of(entry.name):
        for truth in (truths[name] for name in entry.gradient):
            u = truth.play.gradients[truth.name]
            other = u + np.random.default_rng(3).permutation(np.linspace(-1, 1, u.size)).reshape(u.shape)
            assert u.size < 2 or not proof_of(entry)(truth, other)


@each([e for e in ENTRIES if e.like])
def test_the_forward_is_the_operation_it_is_like(entry: Entry) -> None:
    for truths in truths_of(entry.name):
        one = next(iter(truths.values())).play
        expected = reference(entry.like, one.before[:-1], entry.geometry)
        same = expected.shape == one.output.shape and np.allclose(expected, one.output)
        assert same == (entry.expect != "forward-differs")


@each([e for e in ENTRIES if e.expect in PROBES])
def test_the_side_effect_is_there(entry: Entry) -> None:
    assert PROBES[entry.expect](drawn(entry)[0])


@each([e for e in ENTRIES if e.expect == "correct" and e.style != "script"])
def test_a_correct_program_has_no_side_effect(entry: Entry) -> None:
    one = drawn(entry)[0]
    for cause in ("inputs-modified", "not-repeatable", "not-linear-in-grad-output", "assumes-contiguous"):
        assert not PROBES[cause](one), cause


@each([e for e in ENTRIES if e.expect == "wrong-return-count"])
def test_too_few_gradients_come_back(entry: Entry) -> None:
    count, expected = drawn(entry)[0].returned
    assert count < expected


def test_every_program_is_listed_once_and_lies_where_its_name_says() -> None:
    assert sorted(path.stem for path in (HERE / "corpus").glob("*/*.py")) == sorted(e.name for e in ENTRIES)
    for entry in ENTRIES:
        third = int(hashlib.sha1(entry.name.encode()).hexdigest(), 16) % 3 == 0
        assert entry.set == ("scored" if third and entry.name != "script_question" else "open")
        assert entry.path.exists()


def test_causes_are_words_of_the_vocabulary_and_all_of_them_occur() -> None:
    used = collections.Counter(cause for e in ENTRIES for cause in [e.expect, *e.also])
    beside_correct = {"rounding-only", "not-differentiable-here"}  # never a slip
    assert set(used) == set(CAUSES) - beside_correct
    assert {cause for e in ENTRIES if e.expect == "correct" for cause in e.accept} == beside_correct


def test_no_comment_gives_the_slip_away() -> None:
    words = ("# wrong", "# bug", "# slip", "# mistake", "# fixme", *(f"# {cause}" for cause in CAUSES))
    for entry in ENTRIES:
        assert not any(word in entry.path.read_text().lower() for word in words), entry.name
