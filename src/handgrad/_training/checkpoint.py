"""Checkpoints: one safetensors file each, written whole or not at all, believed only if its digest is right.

A file holds tensors and one JSON text under the metadata key `handgrad`: the format's version, which tensors are ties
of which (two names, one storage), a digest over everything, and the facts that the caller adds. Nothing is pickled.
One key, because safetensors writes several in no fixed order, and equal states shall be equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from handgrad._errors import HandgradError

from . import files

KEY, FORMAT = "handgrad", 1
Tensors = dict[str, Tensor]


class DamagedError(HandgradError):
    """A checkpoint that nobody will ever be able to read."""


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON-like `facts` to `path`: a temporary file, on disk, then renamed."""
    distinct, ties = _untie(tensors)
    header = {"format": FORMAT, "ties": ties, "facts": facts}
    header["digest"] = _digest(distinct, header)
    files.write(path, to_bytes(distinct, {KEY: json.dumps(header)}))


def load(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Tensors, ties restored, and facts.

    Raises HandgradError, which says what is wrong but not where, for a foreign file or one that may not be read, and
    DamagedError for a damaged or truncated one.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except OSError as problem:
        raise HandgradError(f"cannot be read: {problem.strerror or problem}") from problem
    except SafetensorError as problem:
        raise DamagedError(f"damaged or truncated: {problem}") from problem
    header = _header(metadata)
    if header.pop("digest", None) != _digest(tensors, header):
        raise DamagedError("damaged: its digest is not that of its content")
    return tensors | {alias: tensors[name] for alias, name in header["ties"].items()}, header["facts"]


def _header(metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(metadata[KEY])
        version = header["format"]
    except (KeyError, TypeError, ValueError) as problem:
        raise HandgradError("not a checkpoint of handgrad") from problem
    if version != FORMAT:
        raise HandgradError(f"written in format {version}; this handgrad reads format {FORMAT}")
    return header


def _untie(tensors: Mapping[str, Tensor]) -> tuple[Tensors, dict[str, str]]:
    """Contiguous tensors on the CPU, each storage once, and for every further name the first one."""
    distinct: Tensors = {}
    ties: dict[str, str] = {}
    first: dict[tuple[object, ...], str] = {}
    for name, tensor in tensors.items():
        identity = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and (owner := first.setdefault(identity, name)) != name:
            ties[name] = owner
        else:
            distinct[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    return distinct, ties


def _digest(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
