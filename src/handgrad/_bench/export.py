"""A run as JSON or CSV: everything that was measured, in seconds, FLOP/s and bytes."""

from __future__ import annotations

import csv
import json
import platform
import re
from collections.abc import Iterator
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from . import summary
from .run import Report, Row

VERSION = 1  # of the form of the JSON file


def as_json(report: Report) -> str:
    """One object: the machine, the peaks, the rows with each contestant's result, and the summary."""
    whole = {
        "version": VERSION,
        "machine": {
            "processor": _processor(),
            "system": platform.platform(),
            "torch": torch.__version__,
            "vectors": torch.backends.cpu.get_cpu_capability(),
        },
        "left_out": report.settings.left_out,
        "peaks": [
            {"dtype": _plain(dtype), "threads": threads, **asdict(peak)}
            for (dtype, threads), peak in report.peaks.items()
        ],
        "rows": [{**_task(row), "results": dict(_results(report, row))} for row in report.rows],
        "summary": {
            "means": [_plain(asdict(mean)) for mean in summary.means(report)],
            "shares": [_plain(asdict(share)) for share in summary.shares(report)],
            "errors": [_plain(asdict(accuracy)) for accuracy in summary.accuracies(report)],
        },
    }
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def as_csv(report: Report) -> str:
    """One line for each contestant at each task."""
    lines = [
        {**_task(row), "contestant": name, **result} for row in report.rows for name, result in _results(report, row)
    ]
    text = StringIO()
    if lines:
        writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return text.getvalue()


def _task(row: Row) -> dict[str, Any]:
    task, shape = row.task, row.task.shape
    sizes = {
        key: "x".join(map(str, value)) if isinstance(value, tuple) else value for key, value in asdict(shape).items()
    }
    return {**sizes, "op": task.op, "dtype": _plain(task.dtype), "threads": task.threads, "flop": shape.flop}


def _results(report: Report, row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, result in row.results.items():
        gflops = row.gflops(name)
        error = result.error if result.error is not None and result.error < float("inf") else None  # JSON has no NaN
        yield (
            name,
            {
                "status": result.status,
                "reason": result.reason,
                "error": error,
                "calls": len(result.times),
                "best": result.best,
                "median": result.median,
                "flops": None if gflops is None else gflops * 1e9,
                "of_peak": report.of_peak(row, name),
                "extra": result.extra,
            },
        )


def _plain(value: Any) -> Any:
    """dtypes by their name, all the way down."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else value


def _processor() -> str:
    """Its name, which on Linux only a file tells."""
    file = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", file.read_text(), re.MULTILINE) if file.exists() else []
    return names[0] if names else platform.processor()
