"""A script at other sizes: its literal sizes rewritten, a few at a time, wherever its forward pass still runs.

Sizes that belong together, `randn(4, 3)` and `zeros(4, 10)`, are found by trying: a size is changed alone, then with
others of the same value. A change counts if the forward pass runs, grad_output has the output's shape, and nothing is
broadcast that was not broadcast before.
"""

from __future__ import annotations

import ast
import itertools
import time
from collections.abc import Iterable, Iterator

from ..._errors import HandgradError
from ..subjects.calling import UserCodeError, from_library
from .literals import Change, Literal, Place, literals, literals_of, rewritten
from .names import last_store, root, slice_of
from .program import Program, execute, new_namespace, running
from .trace import Recorder, Shape, expression_shapes, shape_at, traced_run
from .variables import evaluate

_SECONDS, _PARTNERS = 2.0, 8  # of this thread's own time; literals that may belong together


class Sizes:
    """The search for other sizes; `groups` are changes of one size each, `together` is all of them at once."""

    def __init__(self, program: Program, output: str, grad_output: str | None) -> None:
        self.program, self.output, self.grad_output = program, output, grad_output
        names = [root(ast.parse(name, mode="eval").body) or name for name in (output, grad_output) if name]
        end = max((last_store(program.statements, name, len(program.statements)) or 0) + 1 for name in names)
        self.end, self.names = end, names
        self.known = literals(program)
        lines = [(s.lineno, s.end_lineno or 0) for s in map(program.statements.__getitem__, self._wanted(names))]
        self._mine = [item for item in self.known if any(a <= item.place[0] <= b for a, b in lines)]
        self.groups: list[Change] = []
        self._programs: dict[tuple[tuple[Place, int], ...], Program] = {}
        self.together: Change = {}
        self._until = time.thread_time() + _SECONDS
        posted = self._run({})
        if posted is not None:
            self.posted, self.posted_shape = posted
            self._search()

    def program_at(self, change: Change) -> Program:
        """The script at other sizes, the same object each time, so that what is known of it stays known."""
        key = tuple(sorted(change.items()))
        if key not in self._programs:
            self._programs[key] = rewritten(self.program, change)
        return self._programs[key]

    def _search(self) -> None:
        for literal in [item for item in self._mine if item.primary]:
            if literal.place in self.together:
                continue
            change = next(self._changes(literal), None)
            if change is not None:
                self.groups.append({place: change[place] for place in change if place not in self.together})
                self.together = change

    def _wanted(self, names: Iterable[str]) -> list[int]:
        return slice_of(self.program.statements, names, self.end)

    def _changes(self, literal: Literal) -> Iterator[Change]:
        """What can be changed together with this literal: the fewest first, a loop of its length always."""
        partners = [item for item in self._mine if item.place not in {literal.place, *self.together}]
        partners = [item for item in partners if _follows(item, literal)][:_PARTNERS]
        counts = range(min(len(partners), 3) + 1)
        counted = any(item.counts and item.value == literal.value for item in partners)
        for count, value in itertools.product(counts, self._values(literal.value)):
            for chosen in itertools.combinations(partners, count):
                if counted and not any(item.counts for item in chosen):
                    continue
                if time.thread_time() > self._until:
                    return
                scaled = {item.place: item.value * value // literal.value for item in chosen}
                change = self._allowed({**self.together, literal.place: value, **scaled})
                if change is not None:
                    yield change

    def _values(self, value: int) -> list[int]:
        """Other values to try: small ones that no other size has."""
        taken = {item.value for item in self.known} | set(self.together.values())
        # a large size gets small and keeps its remainder by 2 and 4, for the strides
        large = [size for size in (value % 4 + more for more in (4, 8, 12)) if size < value]
        # a small size grows: a buffer that does not follow is then too small, and the change is refused
        near = [value + 1, value + 2, value + 3]
        wanted = large if value >= 8 else [3, 2, 5] if value == 1 else near
        free = [v for v in wanted if v not in taken]
        return (free + [v for v in wanted if v not in free])[:2]

    def _allowed(self, change: Change) -> Change | None:
        """The change, completed by grad_output's own shape, if the forward pass takes it."""
        change = {**change, **self._grad_output_sizes(change)}
        ran = self._run(change)
        if ran is None or _broadcasts_more(self.posted, ran[0]) or ran[0].uneven - self.posted.uneven:
            return None  # a window that the edge cuts off changes its shape
        return change

    def _grad_output_sizes(self, change: Change) -> Change:
        """Where grad_output is made from literals alone, `randn(1, 1, 784)`, they are the output's shape."""
        if self.grad_output is None:
            return {}
        at = last_store(self.program.statements, self.names[1], len(self.program.statements))
        places = [item.place for item in literals_of(self.program.statements[at or 0])]
        shape = self._output_shape(change)
        return dict(zip(places, shape, strict=True)) if shape is not None and len(shape) == len(places) else {}

    def _output_shape(self, change: Change) -> Shape | None:
        ran = self._run(change, only_output=True)
        return ran[1] if ran is not None else None

    def _run(self, change: Change, only_output: bool = False) -> tuple[Recorder, Shape] | None:
        """Run the forward pass at these sizes: what was seen and the output's shape; None where it does not work."""
        program = rewritten(self.program, change) if change else self.program
        names = self.names[:1] if only_output else self.names
        namespace = new_namespace(program)
        try:
            with running(program):
                statements = [program.statements[i] for i in self._wanted(names)]
                recorder = Recorder()
                if only_output:
                    execute(program, statements, namespace)
                else:
                    recorder = traced_run(program, namespace, statements)
                output = from_library(evaluate(namespace, self.output))
                if output is None or not bool(output.isfinite().all()):  # windows beyond the edge are empty
                    return None
                shape = tuple(output.shape)
                if not only_output and self.grad_output is not None:
                    given = tuple(getattr(evaluate(namespace, self.grad_output), "shape", ()))
                    if given != shape:
                        return None
        except (UserCodeError, HandgradError):
            return None
        return recorder, shape


def _follows(item: Literal, literal: Literal) -> bool:
    """Whether a literal may be this size, or a product with it."""
    return item.value == literal.value or (literal.value > 1 and item.value % literal.value == 0)


def _broadcasts_more(before: Recorder, after: Recorder) -> bool:
    """Whether operands that had the same size along an axis no longer do."""
    shapes = expression_shapes(before), expression_shapes(after)
    for node in before.nodes:
        if isinstance(node, ast.BinOp):
            # of a product of matrices only the axes before the last two are broadcast
            end = -2 if isinstance(node.op, ast.MatMult) else None
            old, new = ([(shape_at(seen, side) or ())[:end] for side in (node.left, node.right)] for seen in shapes)
            if _unequal(*new) - _unequal(*old):
                return True
    return False


def _unequal(first: Shape, second: Shape) -> set[int]:
    """The axes, from the right, along which two shapes differ."""
    return {-i - 1 for i, (a, b) in enumerate(zip(reversed(first), reversed(second), strict=False)) if a != b}
