"""Tiles of every height: a block's last rows are multiplied by a tile as high as they are many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def by_rows(tile_of: Callable[[int], Any], most: int) -> Any:
    """tile(rows, …) for 1 … `most` rows: what `tile_of(rows)` makes of the rest of the arguments."""
    tile = tile_of(most)
    fewer = by_rows(tile_of, most - 1) if most > 1 else njit(lambda *_: None)

    @njit
    def tile_by_rows(rows: int, *operands: int) -> None:
        if rows == most:
            tile(*operands)
        else:
            fewer(rows, *operands)

    return tile_by_rows
