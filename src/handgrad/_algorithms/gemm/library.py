"""The kernels as machine code: compiled once by Numba, kept as object files, loaded by LLVM alone.

A file is named after a digest of everything that went into it: all sources of this folder, the versions of Numba and
LLVM, and the processor with its features. Whatever changes, the old file is not found. Its first line is the digest of
what follows, so a damaged file is made anew.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
import threading
import warnings
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llvmlite import binding

from ..._cache import cache_folder
from ..._errors import HandgradWarning
from .machine import Kind, kind

ENTRY = "handgrad_kernel"
_SOURCES = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]  # those that are imported now
_lock = threading.Lock()
_engines: list[Any] = []  # what they own is running: never let go of


def _after_fork() -> None:
    """In a child none of the parent's threads is left that could let go of the lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def kernel(name: str, size: int) -> Callable[[int], None]:
    """The kernel of the module `name` for elements of `size` bytes, called with the address of its table of numbers."""
    with _lock:
        return _kernel(name, size)


@cache
def _kernel(name: str, size: int) -> Callable[[int], None]:
    file = cache_folder() / "kernels" / f"{name}-{kind(size).name}-{_digest()}.o"
    code = _read(file)
    if code is None:
        code = _compiled(name, kind(size))
        _write(file, code)
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_loaded(code))


@cache
def _digest() -> str:
    """Of all that the machine code depends on."""
    host = f"{version('numba')} {version('llvmlite')} {binding.get_host_cpu_name()} {_features()}"
    return hashlib.sha256(b"\0".join([*_SOURCES, host.encode()])).hexdigest()[:20]


def _features() -> str:
    return str(binding.get_host_cpu_features().flatten())


def _compiled(name: str, kind: Kind) -> bytes:
    """An object file with one function, `ENTRY`, of a pointer to the table."""
    from importlib import import_module

    from numba import njit, types

    written = import_module(f".{name}", __package__).kernel(kind)
    function: Any = njit(types.void(types.intp), error_model="numpy")(written.py_func)
    signature = function.signatures[0]
    inner = function.overloads[signature].fndesc.mangled_name
    _initialize()
    module = binding.parse_assembly(function.inspect_llvm(signature) + _ENTRY.format(inner=inner))
    machine = _target()
    _only_what_is_reached(module, machine)
    return bytes(machine.emit_object(module))


# Numba's functions return a status and take the addresses of a result and of an exception; a kernel has neither.
_ENTRY = """
define void @handgrad_kernel(ptr %table) {{
  %result = alloca ptr
  %exception = alloca ptr
  %address = ptrtoint ptr %table to i64
  %status = call i32 @"{inner}"(ptr %result, ptr %exception, i64 %address)
  ret void
}}
"""


def _only_what_is_reached(module: Any, machine: Any) -> None:
    """Drop Numba's wrappers, which need Python: an object file is loaded into processes without Numba."""
    for function in module.functions:
        if not function.is_declaration and function.name != ENTRY:
            function.linkage = "internal"
    passes = binding.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options()))
    outside = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    if set(outside) - {"memset", "memcpy", "memmove"}:
        raise AssertionError(f"a kernel calls {outside}")


def _loaded(code: bytes) -> int:
    """The address of `ENTRY`."""
    _initialize()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(ENTRY))


@cache
def _initialize() -> None:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


def _target() -> Any:
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=binding.get_host_cpu_name(), features=_features(), opt=3, jit=True)


def _read(file: Path) -> bytes | None:
    try:
        digest, _, code = file.read_bytes().partition(b"\n")
    except OSError:
        return None
    return code if hashlib.sha256(code).hexdigest().encode() == digest else None


def _write(file: Path, code: bytes) -> None:
    """In one step, for whoever reads or writes the same at the same time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(handle, "wb") as to:
            to.write(hashlib.sha256(code).hexdigest().encode() + b"\n" + code)
        os.replace(temporary, file)
    except OSError as problem:
        text = f"compiled kernels cannot be kept, every process compiles its own: {problem}"
        warnings.warn(HandgradWarning(text), stacklevel=2)
