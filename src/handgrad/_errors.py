"""One root error, one warning, and the one place that words an error.

A message is a small table: the operation and what is wrong with it, then one row for each thing involved.

    conv2d: input and weight disagree about channels.
      input   (2, 5, 8, 8)     C = 5
      weight  (4, 3, 3, 3)     C/groups = 3, groups = 1
      needed  C = 3 · 1 = 3, got 5
"""

from __future__ import annotations


class HandgradError(ValueError):
    """What every function of handgrad raises on bad input: operation, shapes by name, the equation that failed."""


class HandgradWarning(UserWarning):
    """What works, but not as it could: kernels that are off, a cache that cannot be written, modules left alone."""


def error(operation: str, problem: str, hint: object = None, **rows: object) -> HandgradError:
    """The error `operation: problem.` with one aligned row for each keyword; a tuple (value, note) gets a note.

    A row's value is printed with `str`, except that a `torch.Size` prints as a plain tuple.
    """
    table = {
        name: row if isinstance(row, tuple) and len(row) == 2 and isinstance(row[1], str) else (row, "")
        for name, row in rows.items()
    }
    values = {name: _plain(value) for name, (value, _) in table.items()}
    noted = [len(values[name]) for name, (_, note) in table.items() if note]
    name_width, value_width = max(map(len, table), default=0), max(noted, default=0)
    lines = [f"{operation}: {problem}."]
    for name, (_, note) in table.items():
        row = f"  {name:{name_width}}  {values[name]:{value_width}}" + (f"     {note}" if note else "")
        lines.append(row.rstrip())
    if hint:
        lines.append(f"hint: {hint}")
    return HandgradError("\n".join(lines))


def _plain(value: object) -> str:
    return str(tuple(value)) if isinstance(value, tuple) else str(value)
