"""What the command line knows of where it runs."""

import sys

import pytest

from handgrad._cli import here


@pytest.mark.parametrize(
    ("called", "on_path", "program"),
    [
        (".venv/bin/handgrad", False, ".venv/bin/handgrad"),
        ("my env/handgrad", False, "'my env/handgrad'"),
        (".venv/bin/handgrad", True, "handgrad"),
        ("/usr/lib/handgrad/__main__.py", False, "handgrad"),
    ],
)
def test_the_program_is_called_as_a_shell_finds_it(monkeypatch, called, on_path, program):
    monkeypatch.setattr(sys, "argv", [called, "train"])
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/handgrad" if on_path else None)
    assert here.program() == program
