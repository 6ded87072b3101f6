"""Which algorithms may run: set for a context, for one call, or by the environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Literal

from .._errors import error

Algorithm = Literal["auto", "reference", "gemm", "depthwise", "native", "measured"]

NAMES = ("reference", "gemm", "depthwise", "native")
_CHOICES = ("auto", *NAMES, "measured")
_NOT_REPRODUCIBLE = ("native", "measured")


@dataclass(frozen=True, eq=False)  # `settled` makes one object for each meaning: as a key it is its identity
class Setting:
    """What `set_algorithm` says, checked."""

    algorithm: str
    exclude: tuple[str, ...]
    deterministic: bool
    notes: list[Any] | None = None  # where calls are noted down instead of computed, while a choice is explained

    @property
    def allowed(self) -> tuple[str, ...]:
        """The algorithms that are not left out."""
        out = (*self.exclude, *(_NOT_REPRODUCIBLE if self.deterministic else ()))
        return tuple(name for name in NAMES if name not in out)


_CURRENT: ContextVar[Setting | None] = ContextVar("handgrad_setting", default=None)


def current() -> Setting:
    """The setting of this context, or else the environment's."""
    return _CURRENT.get() or _from_environment()


def set_algorithm(
    algorithm: Algorithm = "auto", *, exclude: Collection[str] = (), deterministic: bool = False
) -> AbstractContextManager[None]:
    """Say which algorithm computes the convolutions and their gradients, from here on or in a `with` block.

    It holds for the current context (`contextvars`): a task of asyncio sees what its maker had set, a new thread begins
    with the environment variable `HANDGRAD_ALGORITHM`, or "auto".

    Args:
        algorithm: "auto", a model of the cost of each; "reference", the readable one; "gemm" and "depthwise",
            handgrad's own kernels; "native", PyTorch's; or "measured", a race, once for each geometry, memory layout,
            dtype and number of threads, whose winner is remembered in a file.
        exclude: algorithms that "auto" and "measured" leave out.
        deterministic: leave out "native" and "measured", so that results have the same bits in every run, and those
            of the kernels with any number of threads too.

    Returns:
        A context manager, if it is wanted: at the end of its `with` block all is as it was before the call.

    Raises:
        HandgradError: for an unknown name, or an algorithm that the rest leaves out. A call whose geometry the set
            algorithm cannot compute raises it too, and names those that can.
    """
    chosen = _settled("set_algorithm", algorithm, _names(exclude), bool(deterministic))
    return _Until(chosen)


class _Until(AbstractContextManager[None]):
    """Sets at once, and goes back at the end of a `with` block."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._before = setting, _CURRENT.get()
        _CURRENT.set(setting)

    def __enter__(self) -> None:
        _CURRENT.set(self._setting)

    def __exit__(self, *_: object) -> None:
        _CURRENT.set(self._before)


@lru_cache(maxsize=256)
def for_call(op: str, setting: Setting, algorithm: str) -> Setting:
    """The setting with one call's own `algorithm`; what is left out stays out."""
    own = _settled(op, algorithm, setting.exclude, setting.deterministic)
    return own if setting.notes is None else replace(own, notes=setting.notes)


@contextmanager
def reproducible(where: str) -> Iterator[None]:
    """As it is set, but `deterministic`; raise, worded for `where`, if what is set cannot be."""
    now = current()
    with _Until(_settled(where, now.algorithm, now.exclude, True)):
        yield


@contextmanager
def noting() -> Iterator[list[Any]]:
    """Calls within are noted down, as what `run` was given and the setting, and compute nothing."""
    notes: list[Any] = []
    before = _CURRENT.get()
    _CURRENT.set(replace(current(), notes=notes))
    try:
        yield notes
    finally:
        _CURRENT.set(before)


@lru_cache(maxsize=256)
def _settled(where: str, algorithm: str, exclude: tuple[str, ...], deterministic: bool) -> Setting:
    """The one `Setting` with this meaning; raise, worded for `where`, if there is no sense in it."""
    if algorithm not in _CHOICES:
        raise error(where, f"unknown algorithm {algorithm!r}", known=", ".join(_CHOICES))
    if unknown := [name for name in exclude if name not in NAMES]:
        raise error(where, f"unknown algorithm {unknown[0]!r} in exclude", known=", ".join(NAMES))
    if deterministic and algorithm in _NOT_REPRODUCIBLE:
        raise error(where, f"{algorithm!r} does not promise the same bits, deterministic=True leaves it out")
    if algorithm in exclude:
        raise error(where, f"{algorithm!r} is excluded", exclude=", ".join(exclude))
    setting = Setting(algorithm, exclude, deterministic)
    if not setting.allowed:
        raise error(where, "no algorithm is left", exclude=", ".join(exclude), deterministic=deterministic)
    return setting


def _names(exclude: Collection[str]) -> tuple[str, ...]:
    if isinstance(exclude, str) or not all(isinstance(name, str) for name in exclude):
        raise error("set_algorithm", "exclude must be a collection of names", exclude=repr(exclude))
    return tuple(sorted(set(exclude)))


@cache
def _from_environment() -> Setting:
    return _settled("HANDGRAD_ALGORITHM", os.environ.get("HANDGRAD_ALGORITHM") or "auto", (), False)
