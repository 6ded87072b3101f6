"""What the rules know: each looks at one node of somebody's code and yields the edits that would undo a slip there.

A rule need not be sure of anything, since every edit is run. Their order is that of the findings: the more specific
and the more basic slips come first.
"""

from ..edits import Rule
from .elementwise import averages, derivatives, factors, signs, softmaxes, superfluous, terms
from .geometry import channels, flipped_indices, flips, geometry, windows
from .layout import memory_order, picks, reductions, tiles
from .loops import accumulation, repeated
from .operands import compared, mask, operand, scale, update
from .products import operand_order, reversed_axes, transposition

RULES: tuple[Rule, ...] = (
    reversed_axes, operand_order, operand, accumulation, repeated, windows, geometry, reductions, picks, factors,
    averages, update, compared, mask, scale, softmaxes, derivatives, superfluous, memory_order, tiles, channels,
    flipped_indices, flips, transposition, terms, signs,
)  # fmt: skip
