"""The shape of the package: who imports whom, what is public, and how little an import brings with it."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import handgrad as hg

PACKAGE = Path(hg.__file__).parent

# From the bottom up: a file or folder imports from rungs below its own, and from itself.
LADDER = [
    ["_errors", "_config", "_context", "_cache", "_pages"],
    ["_geometry", "_tensors", "_watch"],
    ["_targets", "_operands", "_padding", "_layout"],
    ["_algorithms"],
    ["functional"],
    ["per_sample"],
    ["layers", "kfac", "losses", "_accelerate", "_choice"],
    ["_explain"],
    ["_check"],
    ["testing"],
    ["_bench"],
    ["_training"],
    ["_cli"],
    ["__main__", "__init__"],
]
RUNG = {name: height for height, names in enumerate(LADDER) for name in names}

PUBLIC_MODULES = ["functional", "layers", "losses", "per_sample", "kfac", "testing"]


def parts(file: Path) -> tuple[str, ...]:
    return file.relative_to(PACKAGE).with_suffix("").parts


def imported(file: Path) -> Iterator[str]:
    """The file or folder behind each import of handgrad's own, in functions too; `__init__` for handgrad itself."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = ["handgrad", *parts(file)[:-1]]
            base = package[: len(package) + 1 - node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            targets = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for root, *rest in targets:
            if root == "handgrad":
                yield rest[0] if rest and rest[0] in RUNG else "__init__"


@pytest.mark.smoke
def test_nothing_imports_upwards() -> None:
    for file in sorted(PACKAGE.rglob("*.py")):
        own = parts(file)[0]
        assert own in RUNG, f"{own} has no place on the ladder yet"
        upwards = [name for name in imported(file) if name != own and RUNG[name] >= RUNG[own]]
        assert upwards == [], f"{file.relative_to(PACKAGE)} imports upwards"


def test_the_oracle_shares_nothing_with_what_it_judges() -> None:
    assert set(imported(PACKAGE / "testing" / "_loop.py")) == {"_errors"}


def test_the_ladder_is_seen() -> None:
    """The test above must read imports the way Python does."""
    assert set(imported(PACKAGE / "functional" / "convolution.py")) >= {"_algorithms", "_geometry", "functional"}
    assert set(imported(PACKAGE / "__main__.py")) == {"_cli"}


MODULES = ["handgrad", *(f"handgrad.{name}" for name in PUBLIC_MODULES if name in hg.__all__)]
OFFERED = [(module, name) for module in MODULES for name in importlib.import_module(module).__all__]


@pytest.mark.parametrize(("module", "name"), OFFERED, ids=[f"{module}.{name}" for module, name in OFFERED])
def test_every_public_name_says_what_it_is(module: str, name: str) -> None:
    thing = getattr(importlib.import_module(module), name)
    if inspect.isroutine(thing) or inspect.isclass(thing) or inspect.ismodule(thing):
        assert thing.__doc__
        assert thing.__doc__.strip()


@pytest.mark.parametrize("module", MODULES)
def test_all_that_is_there_is_offered(module: str) -> None:
    """Whatever of handgrad's own has no underscore in a public module is in its `__all__`."""
    found = importlib.import_module(module)
    own = [name for name, value in vars(found).items() if getattr(value, "__module__", "").startswith("handgrad")]
    assert len(set(found.__all__)) == len(found.__all__)
    if Path(found.__file__).name == "__init__.py":  # a single file also uses what it imports
        assert {name for name in own if not name.startswith("_")} <= set(found.__all__)


def test_public_modules() -> None:
    modules = {name for name in hg.__all__ if inspect.ismodule(getattr(hg, name))}
    assert modules <= set(PUBLIC_MODULES)
    assert {path.stem for path in PACKAGE.iterdir() if not path.stem.startswith("_")} - {"py"} == modules


def test_functional_is_all_on_the_first_page() -> None:
    for name in hg.functional.__all__:
        assert getattr(hg, name) is getattr(hg.functional, name)


def fresh(code: str) -> str:
    """What `code` prints in a process of its own."""
    path = Path(__file__).parent
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=path, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_importing_handgrad_brings_nothing_but_torch() -> None:
    """No plotting, no command line, no compiler: those come when they are used."""
    brought = fresh(
        "import sys, torch\n"
        "before = set(sys.modules)\n"
        "import handgrad\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    assert brought.split() == ["handgrad"]


def test_every_public_name_works_before_and_after_everything_is_imported() -> None:
    """A submodule's name must not shadow a function's: importing it would replace the function."""
    fresh("""
import importlib, pkgutil
import torch
import handgrad as hg
from test_functional_promises import calls

others = {
    "Gradients": lambda: hg.Gradients(None, None, None),
    "HandgradError": lambda: hg.HandgradError("wrong"),
    "HandgradWarning": lambda: hg.HandgradWarning("not as it could be"),
    "Report": lambda: hg.Report("correct", None),
    "Trace": lambda: hg.Trace.save,
    "explain": lambda: hg.explain((1, 1, 3), (1, 1, 2)),
    "check": lambda: hg.check((lambda x: 2 * x, lambda g, x: 2 * g), inputs=["x=3"]),
    "accelerate": lambda: hg.accelerate(torch.nn.Conv2d(1, 1, 1)),
    "explain_choice": lambda: hg.explain_choice("conv1d", torch.ones(1, 1, 3), torch.ones(1, 1, 2)),
    "set_algorithm": lambda: hg.set_algorithm("auto"),
    "show_config": hg.show_config,
    "functional": lambda: hg.functional.conv2d,
    "kfac": lambda: hg.kfac.conv1d_factors(torch.ones(1, 1, 3), (1, 1, 2), torch.ones(1, 1, 2)),
    "layers": lambda: hg.layers.Conv2d(1, 1, 1),
    "losses": lambda: hg.losses.mse_loss(torch.ones(2), torch.ones(2)),
    "per_sample": lambda: hg.per_sample.conv1d_bias(torch.ones(1, 1, 2)),
    "testing": lambda: hg.testing.conv_loop(torch.ones(1, 1, 2), torch.ones(1, 1, 1)),
}

def everything():
    for dims in (1, 2, 3):
        for name, (function, operands) in calls(dims).items():
            function(*operands)
            yield name, getattr(hg, name)
    for name, use in others.items():
        use()
        yield name, getattr(hg, name)

before = dict(everything())
assert set(before) == set(hg.__all__), set(before) ^ set(hg.__all__)
for module in pkgutil.walk_packages(hg.__path__, "handgrad."):
    if module.name != "handgrad.__main__":
        importlib.import_module(module.name)
assert dict(everything()) == before
""")
