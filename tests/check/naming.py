"""Names of parametrized tests: the same in every process, whatever addresses its functions have."""

from __future__ import annotations

import re


def named(value: object) -> str:
    """`str` without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
