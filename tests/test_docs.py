"""Every code block of README.md and docs/ does what the page says, and every name on them exists.

A page is read from top to bottom, its Python in one namespace, in an empty folder. The fences:

    ```python     runs, and prints the `output` block right after it, or nothing where there is none
    ```console    each `$ command` runs and prints the lines below it; `\\` at its end goes on in the next line
    ```sh         for the reader to run: its make targets, subcommands and options must exist
    ```toml title="NAME", ```python title="NAME"    is written to that file
    ```text       a formula, not run

In what is printed `...` stands for anything.
"""

from __future__ import annotations

import doctest
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import torch

import handgrad as hg
from handgrad import kfac, layers, losses, per_sample, testing
from handgrad._check.causes import CAUSES
from handgrad._check.inputs import KINDS
from handgrad._check.operations import names as operations
from handgrad._cli import main
from handgrad._cli.check import _CODES as CHECK_STATUS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$(?:\n+```output\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*\n)((?:(?!\$ ).*\n)*)", re.MULTILINE)
VERDICT = re.compile(rf"^({'|'.join(CHECK_STATUS)}): ", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block, the `output` block that follows it, and where it starts, as page and line."""

    language: str
    info: str
    text: str
    output: str
    page: Path
    line: int


def blocks(page: Path) -> list[Block]:
    """The page's blocks, in order."""
    source = page.read_text()
    return [
        Block(*match.groups(default=""), page, source.count("\n", 0, match.start()) + 1)
        for match in FENCE.finditer(source)
    ]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_slow(page: Path) -> bool:
    return any(block.language == "console" for block in blocks(page))


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=named(page), marks=[pytest.mark.slow] * is_slow(page)) for page in PAGES]
)
@pytest.mark.filterwarnings("ignore:The use of `x.T` on tensors of dimension other than 2")  # the question's own slip
def test_every_block_does_what_the_page_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    with torch.random.fork_rng(devices=[]):
        for block in blocks(page):
            READ_AS[block.language](block, namespace)


def run_python(block: Block, namespace: dict[str, Any]) -> None:
    if block.info:
        write_file(block)
        return
    code = compile("\n" * block.line + block.text, str(block.page), "exec")  # a traceback names the page's own line
    try:
        with redirect_stdout(StringIO()) as printed:
            exec(code, namespace)
    except Exception:
        pytest.fail(traceback.format_exc(), pytrace=False)  # pytest's own would show the whole page
    expect(block, block.text, printed.getvalue(), block.output)


def run_console(block: Block, _namespace: dict[str, Any]) -> None:
    """Run every command as in a terminal of 84 columns, which is what a page has room for."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "NO_COLOR": "1", "COLUMNS": "84"}
    for command, wanted in COMMAND.findall(block.text):
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, shell=True, env=environment, timeout=100, check=False, **streams)
        expect(block, command, done.stdout, wanted)
        assert done.returncode == status_of(command, done.stdout), f"{named(block.page)}, line {block.line}: {command}"


def status_of(command: str, printed: str) -> int:
    """How a command must exit: 0, and `handgrad check` as its verdict says."""
    verdict = VERDICT.search(printed) if command.startswith("handgrad check") else None
    return CHECK_STATUS[verdict[1]] if verdict else 0


def expect(block: Block, source: str, got: str, wanted: str) -> None:
    """Fail, with the difference, unless `got` is what the page shows."""
    checker = doctest.OutputChecker()
    if not checker.check_output(wanted, got, doctest.ELLIPSIS):
        difference = checker.output_difference(doctest.Example(source, wanted), got, doctest.ELLIPSIS)
        pytest.fail(f"{named(block.page)}, line {block.line}:\n{source}\n{difference}", pytrace=False)


def check_sh(block: Block, _namespace: dict[str, Any]) -> None:
    """Targets, subcommands and options must exist, and arguments be of their kind."""
    for line in block.text.splitlines():
        match shlex.split(line, comments=True):
            case ["make", *targets]:
                known = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
                assert set(targets) <= set(known), f"{named(block.page)}: {line}"
            case ["handgrad", name, *arguments]:
                command = main.get_command(click.Context(main), name)
                assert command, f"{named(block.page)}: there is no command {name}"
                command.make_context(name, arguments)
            case ["pip", "install", *_] | []:
                pass
            case _:
                pytest.fail(f"{named(block.page)}, line {block.line}: nobody checks `{line}`")


def write_toml(block: Block, _namespace: dict[str, Any]) -> None:
    tomllib.loads(block.text)
    write_file(block)


def write_file(block: Block) -> None:
    title = re.fullmatch(r' title="([\w.]+)"', block.info)
    assert title, f"{named(block.page)}, line {block.line}: a file needs a name"
    Path(title[1]).write_text(block.text)


READ_AS: dict[str, Callable[[Block, dict[str, Any]], None]] = {
    "python": run_python,
    "console": run_console,
    "sh": check_sh,
    "toml": write_toml,
    "text": lambda *_: None,
}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_name_on_a_page_exists(page: Path) -> None:
    for dotted in re.findall(r"\b(?:hg|handgrad)((?:\.[A-Za-z]\w*)+)", page.read_text()):
        thing: Any = hg
        for part in dotted.split(".")[1:]:
            assert hasattr(thing, part), f"{named(page)}: hg{dotted}"
            thing = getattr(thing, part)


CHECKING = (ROOT / "docs" / "check.md").read_text()


def test_the_table_of_causes_is_the_vocabulary() -> None:
    table = CHECKING.partition("\n## The causes\n")[2]
    assert dict(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", table, re.MULTILINE)) == CAUSES


def test_the_table_of_verdicts_has_their_exit_statuses() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d) \|", CHECKING, re.MULTILINE)
    assert {verdict: int(status) for verdict, status in rows} == CHECK_STATUS


def test_every_operation_and_kind_of_input_is_named() -> None:
    plain = [name for name in operations() if "+" not in name]
    assert [name for name in (*plain, *KINDS) if f"`{name}`" not in CHECKING] == []


DOCUMENTED = [hg, kfac, layers, losses, per_sample, testing]
EXAMPLES = [*DOCUMENTED, *(getattr(module, name) for module in DOCUMENTED for name in module.__all__)]


@pytest.mark.parametrize("thing", [thing for thing in EXAMPLES if ">>>" in (inspect.getdoc(thing) or "")])
def test_examples_in_docstrings(thing: Any) -> None:
    names = {"hg": hg, "torch": torch}
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(thing) or "", names, str(thing), None, None)
    report = StringIO()
    doctest.DocTestRunner().run(example, out=report.write)
    assert not report.getvalue()
