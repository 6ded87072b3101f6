"""The pytest plugin of handgrad: a fixture `gradients` that checks a hand-written backward pass.

def test_my_layer(gradients):
    gradients(MyConv, inputs=(x, weight), like="conv2d", stride=2)

It lies beside the package, for what lies in it imports torch, and every run of pytest would wait for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def gradients() -> Callable[..., Any]:
    """A function with the arguments of `hg.check`; a wrong gradient fails the test with the diagnosis as message."""

    def check(target: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        from handgrad import check as run

        report = run(target, **options)
        if not report.ok:
            pytest.fail(str(report), pytrace=False)
        return report

    return check
