"""The boxes of a trace: operands and results, what lies in their padding, and both matrices of columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch.nn.functional
from torch import Tensor

from .._algorithms.reference import fold, windows
from .._geometry import ConvGeometry
from .._padding import pad
from .box import Box
from .roles import CONV, SYMBOLS, TRANSPOSED, letters, words


def boxes(tensors: Mapping[str, Tensor], geometry: ConvGeometry, mode: str, transposed: bool) -> dict[str, Box]:
    """From input, weight, output and their gradients (and bias and its gradient) to the boxes, columns included."""
    roles = TRANSPOSED if transposed else CONV
    whole = replace(geometry, input=geometry.padded, padding=((0, 0),) * geometry.dims)
    image = _surrounded(tensors[roles.image], geometry, mode)
    product = _product(tensors["weight"], tensors[roles.map], geometry)
    around = {roles.image: image, roles.folded: _folded(product, tensors[roles.folded], geometry, whole)}
    columns = {roles.unfolded: windows(image, whole).reshape(product.shape), roles.product: product}
    everything = {**tensors, **columns}
    return {
        name: Box(
            name,
            symbol,
            letters(name, geometry.dims, transposed, geometry.groups),
            words(name, geometry.dims, transposed),
            everything[name],
            (0, 0, *(low for low, _ in geometry.padding)) if name in around else (0,) * everything[name].dim(),
            around.get(name, everything[name]),
        )
        for name, symbol in SYMBOLS.items()
        if name in everything
    }


def _surrounded(x: Tensor, geometry: ConvGeometry, mode: str) -> Tensor:
    """(N, C, *I) → (N, C, *(low + I + high)), padded as the windows see it."""
    if mode != "zeros":
        return pad(x, geometry, mode)
    return torch.nn.functional.pad(x, [end for pair in reversed(geometry.padding) for end in pair])


def _folded(cols: Tensor, result: Tensor, geometry: ConvGeometry, whole: ConvGeometry) -> Tensor:
    """What the windows add up to on the padded grid; inside it is the result itself, with its bias or copies."""
    # (N, C·K, L) → (N, C, *K, *L)
    folded = fold(cols.view(*result.shape[:2], *geometry.kernel, *geometry.output), whole)
    inside = [slice(low, low + n) for n, (low, _) in zip(geometry.input, geometry.padding, strict=True)]
    folded[(slice(None), slice(None), *inside)] = result
    return folded


def _product(w: Tensor, rows: Tensor, geometry: ConvGeometry) -> Tensor:
    """w (A, B, *K), rows (N, A, *L) → (N, C·K, L): the weight's transpose with the entries of every window."""
    groups = geometry.groups
    w = w.reshape(groups, w.shape[0] // groups, w[0].numel())  # (A, B, *K) → (G, A/G, B·K)
    rows = rows.reshape(rows.shape[0], *w.shape[:2], rows[0, 0].numel())  # (N, A, *L) → (N, G, A/G, L)
    return (w.mT @ rows).flatten(1, 2)  # (G, B·K, A/G) @ (N, G, A/G, L) = (N, G, B·K, L) → (N, C·K, L)
