"""The table of numbers that a kernel is called with: its fields, in order. Distances are in elements."""

from __future__ import annotations

FIELDS = (
    *("next", "slots", "jobs", "src", "weight", "bias", "out", "other", "zeros"),
    *("scratch", "scratch_bytes", "taps", "N", "G", "M", "C", "T"),
    *("src_n", "src_c", "src_d", "src_h", "src_w", "src_D", "src_H", "src_W"),  # the source: distances, sizes
    *("out_n", "out_m", "out_d", "out_h", "out_w", "out_D", "out_H", "out_W"),  # the positions that are followed
    *("step_d", "step_h", "step_w", "low_d", "low_h", "low_w"),
    *("phases", "phase_table", "planes", "rows", "cols", "slack"),  # a channel's slab: phases · planes · rows · cols
    *("block_n", "block_h", "block_w", "block_m", "block_c"),
    *("w_m", "w_c", "w_g", "adds", "slab_at", "table_at", "tile_at", "other_at"),
    *("in_place", "pieces", "line", "together", "positions", "dense", "linear_at", "squared"),
    *("taps_d", "taps_h", "taps_w", "row_blocks", "kernel_h", "kernel_w"),  # of channels that stand alone
)
(
    NEXT, SLOTS, JOBS, SRC, WEIGHT, BIAS, OUT, OTHER, ZEROS,
    SCRATCH, SCRATCH_BYTES, TAPS, N, G, M, C, T,
    SRC_N, SRC_C, SRC_D, SRC_H, SRC_W, SRC_DEPTH, SRC_HEIGHT, SRC_WIDTH,
    OUT_N, OUT_M, OUT_D, OUT_H, OUT_W, OUT_DEPTH, OUT_HEIGHT, OUT_WIDTH,
    STEP_D, STEP_H, STEP_W, LOW_D, LOW_H, LOW_W,
    PHASES, PHASE_TABLE, PLANES, ROWS, COLS, SLACK,
    BLOCK_N, BLOCK_H, BLOCK_W, BLOCK_M, BLOCK_C,
    W_M, W_C, W_G, ADDS, SLAB_AT, TABLE_AT, TILE_AT, OTHER_AT,
    IN_PLACE, PIECES, LINE, TOGETHER, POSITIONS, DENSE, LINEAR_AT, SQUARED,
    TAPS_D, TAPS_H, TAPS_W, ROW_BLOCKS, KERNEL_H, KERNEL_W,
) = range(len(FIELDS))  # fmt: skip
