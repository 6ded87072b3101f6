"""The corpus as an exam: wrong programs are named right, none is named wrong, and correct ones raise no alarm.

A third of it, the scored set, is never looked at while hypotheses are written; only counts are printed for it.
"""

from __future__ import annotations

import pytest
import torch
from running import Outcome, programs, run, summary

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["open", "scored"])
def outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    torch.set_num_threads(1)
    found = [run(program) for program in programs(request.param)]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{request.param}: {summary(found)}")
    return found


@pytest.fixture
def not_yet(outcomes: list[Outcome], request: pytest.FixtureRequest) -> None:
    """What the scored set does not reach so far; strict, so that reaching it fails until this fixture goes."""
    if outcomes[0].program.set == "scored":
        reason = "at the last count 79 of 86 were named right and 5 were named wrong"
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


def _told(outcomes: list[Outcome]) -> str:
    """Which ones of the open set; of the scored set only how many, since its names would tell too much."""
    lines = [f"{o.program.name}: {o.program.expect}, said {o.said}" for o in outcomes if o.program.set == "open"]
    return f"{len(outcomes)} programs " + "; ".join(lines)


def _fail_unless(holds: bool, outcomes: list[Outcome]) -> None:
    """Fail without showing what an `assert` would show of the scored set."""
    __tracebackhide__ = True
    if not holds:
        pytest.fail(_told(outcomes), pytrace=False)


@pytest.mark.usefixtures("not_yet")
def test_wrong_programs_are_named_right(outcomes: list[Outcome]) -> None:
    wrong = [outcome for outcome in outcomes if outcome.program.expect != "correct"]
    missed = [outcome for outcome in wrong if not outcome.right]
    _fail_unless(len(missed) <= 0.05 * len(wrong), missed)


@pytest.mark.usefixtures("not_yet")
def test_none_is_named_wrong(outcomes: list[Outcome]) -> None:
    named_wrong = [outcome for outcome in outcomes if outcome.named_wrong]
    _fail_unless(not named_wrong, named_wrong)


def test_correct_programs_raise_no_alarm(outcomes: list[Outcome]) -> None:
    alarms = [outcome for outcome in outcomes if outcome.program.expect == "correct" and not outcome.right]
    _fail_unless(not alarms, alarms)


def test_the_corpus_is_large_enough() -> None:
    everything = programs("open") + programs("scored")
    assert sum(program.expect != "correct" for program in everything) >= 100
    assert sum(program.expect == "correct" for program in everything) >= 40
    assert 0.25 < len(programs("scored")) / len(everything) < 0.42
