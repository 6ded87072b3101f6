"""From a target to a subject: `file.py`, `file.py:Name`, `module:Name`, or objects that are there already."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from ..._errors import error
from . import together
from .arguments import name_of
from .autograd_function import AutogradFunction
from .calling import call, steady
from .classes import ClassInstance, make
from .functions import Functions
from .subject import Adapter, Subject


@dataclass(frozen=True)
class Target:
    """A file or module, and the name in it; the name is empty where the only candidate is meant."""

    module: str
    name: str = ""

    @property
    def is_file(self) -> bool:
        """Whether it is a path rather than the name of a module."""
        return self.module.endswith(".py") or "/" in self.module


def parse(text: str) -> Target:
    """`path/file.py:Name` as path and name. Raises `HandgradError` if the file is not there."""
    module, colon, name = text.rpartition(":")
    named = colon and module and "/" not in name and not Path(text).is_file()
    target = Target(module, name) if named else Target(text)
    if target.is_file and not Path(target.module).is_file():
        raise error("check", f"there is no file {target.module}", hint="TARGET is file.py, file.py:Name or module:Name")
    if not target.is_file and not target.name:
        raise error(
            "check", f"{text} is neither a file nor module:Name", hint="TARGET is file.py, file.py:Name or module:Name"
        )
    return target


def load(target: Target) -> ModuleType:
    """Run the file, or import the module. Raises `UserCodeError` with whatever the code raises."""
    if not target.is_file:
        return call("import", importlib.import_module, target.module)  # type: ignore[no-any-return]
    path = Path(target.module).resolve()
    spec = importlib.util.spec_from_file_location(f"checked_{path.stem}", path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    before = list(sys.path)
    sys.path.insert(0, str(path.parent))
    try:
        with steady():
            call("import", spec.loader.exec_module, module)
    finally:
        with suppress(ValueError):  # the file may have changed sys.path
            sys.path.remove(str(path.parent))
        sys.path += [entry for entry in before if entry not in sys.path]  # what is imported later must still be there
    return module


def is_script(path: str) -> bool:
    """Whether a file defines nothing with a backward pass, so that it can only be a flat script."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except SyntaxError:
        return False
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.walk(tree) if isinstance(node, functions)}
    if together.defines_both(tree):
        return False
    return not any("backward" in name or name == "vjp" or name.startswith("example_") for name in names)


def candidates(namespace: Mapping[str, Any], module: str) -> dict[str, Callable[[], Adapter]]:
    """What can be checked among the names of a file, each with a way to make its adapter."""
    own = {n: v for n, v in namespace.items() if getattr(v, "__module__", None) == module}
    found: dict[str, Callable[[], Adapter]] = {}
    for name, value in own.items():
        if inspect.isclass(value):
            if _is_checkable(value) and not _is_base(value, own.values()):
                found[name] = partial(of_class, value, namespace)
        elif inspect.isfunction(value) and (pair := _pair(name, own)):
            found[pair] = partial(Functions, pair, value, own[_backward(name)])
    return found or dict(together.candidates(own))


def _is_checkable(cls: type) -> bool:
    if issubclass(cls, torch.autograd.Function):
        return True
    return hasattr(cls, "backward") and (hasattr(cls, "forward") or "__call__" in vars(cls))


def _is_base(cls: type, values: Any) -> bool:
    """Whether another class of the file inherits from it: an abstract layer."""
    return any(inspect.isclass(other) and other is not cls and issubclass(other, cls) for other in values)


def _backward(name: str) -> str:
    return name.replace("forward", "backward")


def _pair(name: str, own: Mapping[str, Any]) -> str | None:
    """The NAME of NAME_forward or forward_NAME, if its backward is there too; `forward` for a bare pair."""
    if "forward" not in name or not inspect.isfunction(own.get(_backward(name))):
        return None
    return name.replace("forward", "").strip("_") or "forward"


def of_class(cls: type, namespace: Mapping[str, Any]) -> Adapter:
    """The adapter of a class; an instance comes from `example_layer()` or from no arguments.

    Raises `HandgradError` if neither is possible.
    """
    if issubclass(cls, torch.autograd.Function):
        return AutogradFunction(cls)
    layer = namespace.get("example_layer")
    with steady():
        if layer is not None:
            made = call("example_layer", layer)
            if isinstance(made, cls):
                return ClassInstance(made, cls.__name__)
        return ClassInstance(make(cls), cls.__name__)


def of_object(thing: Any) -> Adapter:
    """The adapter of a live object: a Function (or its `apply`), a pair of functions, a class or an instance."""
    owner = getattr(thing, "__self__", None)
    if inspect.isclass(owner) and issubclass(owner, torch.autograd.Function):
        thing = owner
    if isinstance(thing, tuple | list) and len(thing) == 2 and all(callable(part) for part in thing):
        return Functions(name_of(thing[0]), thing[0], thing[1])
    if inspect.isclass(thing):
        return of_class(thing, {})
    if hasattr(thing, "forward") or callable(thing):
        return ClassInstance(thing)
    raise error(
        "check",
        f"a {type(thing).__name__} cannot be checked",
        hint="an autograd.Function, (forward, backward), an object with both, or a path",
    )


def choose(found: Mapping[str, Callable[[], Adapter]], target: Target, example: Callable[[], Any] | None) -> Subject:
    """The candidate that was asked for, the only one, or what `example_layer` returns.

    Raises `HandgradError` that lists them otherwise.
    """
    name = target.name
    for ending in ("_forward", "_backward"):
        name = name.removesuffix(ending)
    if name in found:
        return Subject(found[name]())
    if not target.name and len(found) == 1:
        return Subject(next(iter(found.values()))())
    if not target.name and example is not None:  # several classes, and the file says which one it is about
        with steady():
            return Subject(of_object(call("example_layer", example)))
    what = (
        f"there is no `{target.name}` in {target.module}"
        if target.name
        else f"{target.module} has several things to check"
    )
    if not found:
        what = f"{target.module} has nothing to check"
    raise error("check", what, hint="TARGET is file.py:Name", candidates=", ".join(found) or "none")
