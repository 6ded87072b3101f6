"""An operation's setting in the terms of somebody's code: their names, their layout, the options that they take.

Code takes what it takes: a stride as one number only, a weight as (I, O), no dilation, a kernel fixed in an object.
So a setting is tried in several forms, from the setting as it is to what the code's own shapes leave of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from .inputs import Draw
from .operations import Operation, Setting
from .subjects import Subject
from .subjects.arguments import option_of
from .subjects.returned import word

_WORDS = {"input": {"x"}, "weight": {"w", "gamma"}, "bias": {"b", "beta"}, "target": {"t", "target", "labels", "y"}}


def forms(subject: Subject, operation: Operation, setting: Setting, given: Mapping[str, Any]) -> Iterator[Draw]:
    """The draws to try for one setting, the truest first; none where the setting cannot be had at all."""
    sized = _with_groups(setting, given)
    if sized is None:
        return
    names = names_of(subject, operation, setting)
    tensors = {names[role]: value for role, value in sized.inputs(len(setting.name)).items() if role in names}
    for options in _options(subject, sized, given):
        for inputs in _layouts(subject, tensors, names):
            yield Draw(inputs, options, setting.name, own=False)


def names_of(subject: Subject, operation: Operation, setting: Setting) -> dict[str, str]:
    """The code's name for each role that it has: by what the names mean, then by their order."""
    known = {option for one in operation.settings() for option in one.options}
    free = [name for name in subject.adapter.inputs if option_of(name) not in known]
    free += subject.adapter.parameters()
    found: dict[str, str] = {}
    for role in setting.sizes:
        match = next(
            (n for n in free if n not in found.values() and word(n.rpartition(".")[2]) in _WORDS.get(role, ())), None
        )
        if match:
            found[role] = match
    for role in setting.sizes:
        rest = [name for name in free if name not in found.values()]
        if role not in found and rest:
            found[role] = rest[0]
    return {role: found[role] for role in setting.sizes if role in found}


def _with_groups(setting: Setting, given: Mapping[str, Any]) -> Setting | None:
    """The setting at the number of groups that was asked for; None if it is there for another number."""
    groups, own = given.get("groups", 1), setting.options.get("groups", 1)
    if groups == own or "groups" not in given:
        return setting
    if own != 1:
        return None
    sizes = {role: list(size) for role, size in setting.sizes.items()}
    for role, axis in (("input", 1), ("weight", 0), ("bias", 0)):
        if role in sizes:
            sizes[role][axis] *= groups
    return Setting(setting.name, {role: tuple(size) for role, size in sizes.items()}, setting.options, setting.kinds)


def _options(subject: Subject, setting: Setting, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The setting's options that the code takes, under those that were given; then with one number for every axis."""
    taken = {name: value for name, value in setting.options.items() if name in subject.adapter.accepts}
    if setting.options.get("groups", 1) != (taken | dict(given)).get("groups", 1):
        return
    yield taken | dict(given)
    one = {name: max(value) if isinstance(value, tuple) else value for name, value in taken.items()}
    if one != taken:
        yield one | dict(given)


def _layouts(subject: Subject, tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> Iterator[dict[str, Tensor]]:
    """PyTorch's layout; a matrix the other way round; for an object, the shapes that its own parameters have."""
    own = subject.adapter.parameters()
    tensors = {name: _of_rank(value, own.get(name, value)) for name, value in tensors.items()}
    rest = {name: value for name, value in own.items() if name not in tensors}
    yield {**tensors, **rest}
    matrices = [name for role, name in names.items() if role == "weight" and tensors[name].ndim == 2]
    if matrices:
        yield {**tensors, **rest, **{name: tensors[name].mT.contiguous() for name in matrices}}
    if own:
        yield from _own_shapes(tensors, names, own)


def _of_rank(value: Tensor, own: Tensor) -> Tensor:
    """A vector as (1, n) or (n, 1) where the object keeps it so."""
    if value.ndim != 1 or own.ndim < 2 or own.numel() != max(own.shape):
        return value
    long = max(range(own.ndim), key=lambda axis: own.shape[axis])
    return value.reshape([-1 if axis == long else 1 for axis in range(own.ndim)])


def _own_shapes(
    tensors: Mapping[str, Tensor], names: Mapping[str, str], own: Mapping[str, Tensor]
) -> Iterator[dict[str, Tensor]]:
    """The object's parameters keep their shapes, and every axis that an input shares with them follows."""
    generator = torch.Generator().manual_seed(11)
    kept = {n: v + 0.4 * torch.randn(v.shape, generator=generator, dtype=torch.float64) for n, v in own.items()}
    for turned in (False, True):
        sizes: dict[int, int] = {}
        for name in names.values():
            if name in own and own[name].ndim == tensors[name].ndim:
                shape = reversed(own[name].shape) if turned and own[name].ndim == 2 else own[name].shape
                sizes |= dict(zip(tensors[name].shape, shape, strict=True))
        inputs = {name: value for name, value in tensors.items() if name not in own}
        yield {**{n: _resized(v, sizes, generator) for n, v in inputs.items()}, **kept}


def _resized(value: Tensor, sizes: Mapping[int, int], generator: torch.Generator) -> Tensor:
    """Another draw whose channel axis, which is the second or the last, has the size that the parameters say."""
    if not value.is_floating_point():
        return value
    shape = [
        sizes.get(size, size) if axis in (1, value.ndim - 1) and axis else size for axis, size in enumerate(value.shape)
    ]
    return torch.randn(shape, generator=generator, dtype=torch.float64)
