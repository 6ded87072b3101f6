"""`commands.run`, which tests/cli has."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "cli"))
