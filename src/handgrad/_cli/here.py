"""What to type for this program, where it is."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """`handgrad`, or the path that it was called by where a shell would not find it, as after `make train`."""
    found = Path(sys.argv[0]).name != "handgrad" or shutil.which("handgrad") is not None
    return "handgrad" if found else shlex.quote(sys.argv[0])
