"""Mutants of the corpus' correct programs: is what the checker names first what an independent equation says?

`python tests/check/mutants.py --each 8` prints a line a named gradient and the figures. A mutant counts where it runs
and its gradient is not the truth, by central differences of its own forward (`corpus_truth.differences`); a name is
`proven` where the equation of its word (`corpus_truth.proofs`) holds, and a `suspect` where it fails. Several findings
for one gradient, and words without an equation, are printed to be read.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from corpus_truth.differences import Truth
from corpus_truth.plays import plays
from corpus_truth.proofs import proof_of
from corpus_truth.table import Entry, entries
from mutating import Mutation, mutations
from running import Program, run

from handgrad._check.report import Report

HONEST = ("unexplained", "not-linear-in-grad-output")  # true of any gradient that the checker says it of


@dataclass(frozen=True)
class Mutant(Entry):
    """A program of the corpus whose file is another."""

    file: Path = Path()

    @property
    def path(self) -> Path:
        return self.file


@dataclass(frozen=True)
class _Run(Program):
    file: Path = Path()

    @property
    def path(self) -> Path:
        return self.file


@dataclass(frozen=True)
class Named:
    """What was said about one wrong gradient, and what the equation of that word says."""

    program: str
    mutation: Mutation
    gradient: str
    causes: tuple[str, ...]
    judged: str  # proven, suspect, read, unexplained, missed, or the verdict where there is none

    def __str__(self) -> str:
        change = f"{self.mutation.before!r} -> {self.mutation.after!r}" if self.mutation.before.count("\n") < 1 else ""
        causes = " + ".join(self.causes)
        return f"{self.judged:11} {causes:34} {self.program} d{self.gradient} [{self.mutation.kind}] {change}"


def sources() -> list[Entry]:
    """The open corpus' correct programs."""
    return [entry for entry in entries() if entry.set == "open" and entry.expect == "correct"]


def changed(entry: Entry) -> list[Mutation]:
    """The mutations of a program."""
    source = entry.path.read_text()
    if entry.style != "script":
        return mutations(source)
    output, grad_output = entry.options("output")[0], entry.options("grad-output")[0]
    wrt = [text.split("=")[0] for text in entry.options("wrt")]
    return mutations(source, kept=(grad_output, *wrt), after=output)


def judged(entry: Entry, each: int, folder: Path) -> Iterator[Named]:
    """What is said about the first `each` mutants of a program that run and are wrong."""
    left = each
    for number, mutation in enumerate(changed(entry)):
        if not left:
            return
        file = folder / f"{entry.name}_{number}.py"
        file.write_text(mutation.source)
        mutant = Mutant(**{**_fields(entry), "file": file})
        truths = _truths(mutant)
        if any(not t.matches(t.play.gradients.get(name)) for one in truths for name, t in one.items()):
            left -= 1
            yield from _named(mutant, mutation, truths)


def _fields(entry: Entry) -> dict[str, object]:
    return {field.name: getattr(entry, field.name) for field in dataclasses.fields(Entry)}


def _truths(mutant: Mutant) -> list[dict[str, Truth]]:
    """The truth for every value of every play; nothing where the mutant does not run."""
    try:
        return [{name: Truth(one, name) for name in one.values} for one in plays(mutant)]
    except Exception:  # a mutant may raise anything
        return []


def _named(mutant: Mutant, mutation: Mutation, truths: list[dict[str, Truth]]) -> Iterator[Named]:
    kept = {key: getattr(mutant, key) for key in ("name", "set", "style", "expect")}
    outcome = run(_Run(**kept, args=tuple(mutant.args), target=mutant.target or "", file=mutant.path))
    if outcome.report is None or outcome.report.verdict != "wrong":
        verdict = outcome.report.verdict if outcome.report else outcome.said
        yield Named(mutant.name, mutation, "", outcome.causes, "missed" if verdict == "correct" else verdict)
        return
    yield from (
        Named(mutant.name, mutation, name, causes, _judgement(mutant, name, causes, truths))
        for name, causes in _causes(outcome.report)
    )


def _causes(report: Report) -> Iterator[tuple[str, tuple[str, ...]]]:
    for gradient in report.gradients:
        if gradient.findings:
            yield gradient.name, tuple(finding.cause for finding in gradient.findings)


def _judgement(mutant: Mutant, name: str, causes: Sequence[str], truths: list[dict[str, Truth]]) -> str:
    if causes[0] in HONEST:
        return "unexplained"
    proof = proof_of(dataclasses.replace(mutant, expect=causes[0]))
    known = all(name in one and one[name].play.gradients.get(name) is not None for one in truths)
    if proof is None or len(causes) > 1 or not known:
        return "read"
    holds = []
    for truth in (one[name] for one in truths):
        u = truth.play.gradients.get(name)
        if u is not None and not truth.matches(u):
            holds.append(_holds(proof, truth, u))
    return "proven" if holds and all(holds) else "suspect"


def _holds(proof, truth: Truth, u) -> bool:  # type: ignore[no-untyped-def]
    try:
        return bool(proof(truth, u))
    except (ValueError, IndexError, KeyError, StopIteration, TypeError):  # an equation of other shapes
        return False


def figures(named: Sequence[Named]) -> str:
    """The counts of each judgement, and of each word."""
    total = collections.Counter(one.judged for one in named)
    lines = [f"{len(named)} gradients of mutants: " + ", ".join(f"{n} {word}" for word, n in total.most_common())]
    words = collections.Counter((one.causes[0], one.judged) for one in named if one.causes)
    lines += [f"  {cause:34} {judged:12} {n}" for (cause, judged), n in sorted(words.items())]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=6, help="wrong mutants of each program")
    parser.add_argument("names", nargs="*", help="programs; all of them without any")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: list[Named] = []
    with tempfile.TemporaryDirectory() as folder:
        for entry in sources():
            if not options.names or entry.name in options.names:
                for one in judged(entry, options.each, Path(folder)):
                    print(one, flush=True)
                    found.append(one)
    print(figures(found))


if __name__ == "__main__":
    main()
