"""From draws to findings: what is accepted as a cause, what is said where nothing explains it."""

# ruff: noqa: ARG001, ARG005 - a backward pass is given what it may not need
from __future__ import annotations

from dataclasses import replace

import pytest
import test_slips
import test_slips_conv
import torch
from making import case, cases_of
from torch.nn import functional as F

from handgrad._check.case import OWN
from handgrad._check.causes import CAUSES
from handgrad._check.diagnose import diagnose
from handgrad._check.where import wrong_entries, wrong_map

# Words that are found elsewhere: by running code, by the other readings of a script, or by counting what came back.
ELSEWHERE = {
    "correct",
    "rounding-only",
    "forward-differs",
    "autograd-cut",
    "not-differentiable-here",
    "inputs-modified",
    "not-repeatable",
    "assumes-contiguous",
}


def named_in_tests() -> set[str]:
    tables = [
        [cause for cause, *_ in test_slips.LINEAR_WEIGHT + test_slips.BIAS + test_slips.CONV_BIAS],
        [cause for _, cause, _ in test_slips.ACTIVATIONS + test_slips.SOFTMAX + test_slips.LAYER_NORM],
        [cause for cause, _ in test_slips.CROSS_ENTROPY + test_slips.PRODUCTS],
        [cause for _, causes, _ in test_slips.BATCH_NORM + test_slips.ATTENTION for cause in causes],
        [cause for _, cause in test_slips_conv.SLIPS + test_slips_conv.GROUPS],
        # each of these has a test of its own
        ["reversed-axes", "updated-weight", "mask-from-wrong-tensor", "ties-counted-twice", "unexplained"],
        ["not-linear-in-grad-output", "wrong-return-count", "input-instead-of-grad-output", "wrong-return-order"],
    ]
    return {cause for table in tables for cause in table}


def test_every_word_is_reachable():
    assert named_in_tests() | ELSEWHERE == set(CAUSES)
    assert not named_in_tests() & ELSEWHERE


def doubled_where(condition):
    """A weight gradient that is twice too large in some draws only."""

    def wrong(g, input, weight, bias):
        return g.T @ input * (2 if condition(input) else 1)

    return cases_of("linear", "weight", wrong)


def test_a_right_gradient_has_no_findings():
    assert diagnose(doubled_where(lambda x: False), "weight") == ()


def test_a_slip_in_one_branch_of_the_code_needs_two_draws():
    cases = doubled_where(lambda x: len(x) > 3)
    wrong = [one for one in cases if not one.is_right("weight")]
    assert [len(wrong), len(cases)] == [2, 4]
    assert [f.cause for f in diagnose(wrong, "weight", cases)] == ["scale-factor"]
    alone = diagnose(wrong[:1], "weight", [wrong[0], *(one for one in cases if one.is_right("weight"))])
    assert [f.cause for f in alone] == ["unexplained"]


def test_a_cause_must_hold_on_every_wrong_draw():
    def wrong(g, input, weight, bias):
        return g.T @ input * (2 if len(input) == 5 else 3 + len(input) ** 0.5)

    (finding,) = diagnose(cases_of("linear", "weight", wrong), "weight")
    assert "another in each draw" in finding.message

    def by_size(g, input, weight, bias):
        return g.T @ input if len(input) > 4 else g.T @ input.abs()

    assert [f.cause for f in diagnose(cases_of("linear", "weight", by_size), "weight")] == ["unexplained"]


def test_a_message_has_the_numbers_of_its_draw_and_the_evidence_is_json():
    cases = cases_of("linear", "weight", lambda g, input, **_: torch.einsum("no,ni->noi", g, input))
    (finding,) = diagnose(cases, "weight")
    assert finding.fix == "sum over the batch: `dweight.sum(0)`"
    assert "one a sample" in finding.message
    assert finding.evidence["draws"] == 4
    assert finding.evidence["expected_shape"] == [3, 4]


def test_a_message_has_the_numbers_of_the_persons_own_sizes():
    cases = cases_of("linear", "weight", lambda g, input, **_: g.T @ input / len(g))
    own = [replace(one, label=OWN) if len(one.inputs["input"]) == 5 else one for one in cases]
    (finding,) = diagnose(cases, "weight")
    assert "N = 2 " in finding.message
    (finding,) = diagnose(own, "weight")
    assert "N = 5 " in finding.message


def test_nothing_came_back():
    (finding,) = diagnose(cases_of("linear", "weight", lambda g, **_: None), "weight")
    assert finding.cause == "wrong-return-count"
    assert "no gradient came back for `weight`" in finding.message


def test_a_crop_that_leaves_nothing():
    cases = cases_of("conv2d", "input", lambda g, input, **_: input[:, :, 0:0, 0:0])
    (finding,) = diagnose(cases, "input")
    assert (finding.cause, "(6, 2, 0, 0)" in finding.message) == ("wrong-crop", True)


@pytest.mark.parametrize(
    ("added", "statement"),
    [
        (lambda g, weight: -0.1 * weight, "it is off by -0.1·`weight`"),  # forgotten, or of the wrong sign
        (lambda g, weight: g.mean() * weight, "·`weight`"),
    ],
)
def test_only_a_constant_and_positive_multiple_of_the_weight_is_a_regularizer(added, statement):
    def wrong(g, input, weight, bias):
        return g.T @ input + added(g, weight)

    # one size only, so that grad_output is the same in all draws
    found = diagnose(cases_of("linear", "weight", wrong, only="square"), "weight")
    assert found[-1].cause == "unexplained"
    assert statement in found[-1].message


def test_infinity_is_not_right():
    (finding,) = diagnose(cases_of("linear", "weight", lambda g, input, **_: g.T @ input / 0.0), "weight")
    assert finding.cause == "unexplained"
    assert "infinity" in finding.message


def test_nan_is_unexplained_and_says_so():
    (finding,) = diagnose(cases_of("linear", "weight", lambda g, input, **_: g.T @ input * float("nan")), "weight")
    assert finding.cause == "unexplained"
    assert "NaN" in finding.message


@pytest.mark.parametrize(
    ("wrong", "statement"),
    [
        (lambda g, x: changed(2 * g * x, 1, slice(None)), "only sample 1 of axis 0 is wrong"),
        (lambda g, x: changed(2 * g * x, slice(None), 2), "only channel 2 of axis 1 is wrong"),
        (lambda g, x: changed(2 * g * x, ..., slice(3, None)), "only the tail of axis 2, from 3 on, is wrong"),
        (lambda g, x: changed(2 * g * x, ..., [0, 4]), "only the border of axis 2 is wrong: [0, 4]"),
        (lambda g, x: changed(2 * g * x, ..., [1, 3]), "along axis 2 the indices [1, 3] are wrong, every 2"),
        (
            lambda g, x: 2 * g * x * torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1),
            "along axis 1 each index is right up to a factor",
        ),
    ],
)
def test_the_unexplained_says_where_it_is_wrong(wrong, statement):
    x = torch.randn(2, 3, 5, dtype=torch.float64)
    (finding,) = diagnose([case(lambda x: x**2, {"x": x}, "x", wrong)], "x")
    assert finding.cause == "unexplained"
    assert statement in finding.message
    worst = tuple(finding.evidence["worst_index"])
    assert finding.evidence["user"] != pytest.approx(finding.evidence["truth"])
    assert finding.evidence["truth"] == pytest.approx(
        float((2 * x * case(lambda x: x**2, {"x": x}, "x", wrong).grad_output)[worst])
    )


def changed(gradient, *place):
    out = gradient.clone()
    # factors that no slip makes
    factors = 1.1 + torch.arange(out.numel(), dtype=torch.float64).reshape(out.shape).cos()
    out[place] = out[place] * factors[place]
    return out


def test_what_is_not_linear_in_grad_output_is_said_before_the_unexplained():
    cases = cases_of("linear", "weight", lambda g, input, **_: g.clamp(-0.5, 0.5).T @ input)
    assert [f.cause for f in diagnose(cases, "weight")] == ["not-linear-in-grad-output", "unexplained"]


def test_the_map_shows_how_much_of_each_place_is_wrong():
    truth = torch.zeros(4, 2, 3)
    user = truth.clone()
    user[:, 0, 1] = 1
    user[0, 1, 2] = 1
    assert wrong_map(wrong_entries(user, truth + 0.0, 1e-9)) == ".█.\n..░"


def test_float32_code_is_compared_at_its_own_rounding():
    def wrong(g, input, weight, bias):
        return (g.float().T @ input.float() / len(g)).double()

    cases = [
        case(F.linear, setting, "weight", wrong, tolerance=1e-4)
        for setting in (
            {"input": torch.randn(n, 3).double(), "weight": torch.randn(4, 3).double(), "bias": torch.randn(4).double()}
            for n in (5, 7)
        )
    ]
    assert [f.cause for f in diagnose(cases, "weight")] == ["mean-instead-of-sum"]


def test_zero_everywhere_is_said_once():
    """And not that each index is right up to the factor 0."""
    inputs = [{"x": torch.randn(n, 3, 5, dtype=torch.float64)} for n in (2, 4)]
    (finding,) = diagnose([case(lambda x: x**2, one, "x", lambda g, x: 0 * g * x) for one in inputs], "x")
    assert finding.evidence["correlates_with"] == ["it is zero everywhere"]
