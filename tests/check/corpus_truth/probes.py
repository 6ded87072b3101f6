"""Side effects: what a program does besides giving a gradient. Each probe is `(a fresh play) → bool`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .differences import Truth
from .layers import layer_of
from .play import Gradients, Play, load, quiet
from .plays import is_layer, play


def inputs_modified(one: Play) -> bool:
    """The arrays handed in are not what they were."""
    return any(not np.array_equal(np.asarray(a), b) for a, b in zip(one.handed_in, one.before, strict=True))


def not_repeatable(one: Play) -> bool:
    """The backward's second call says something else."""
    with quiet():
        return not _same(one.backward(one.grad_output), one.gradients)


def not_linear_in_grad_output(one: Play) -> bool:
    """U(2g) is not 2 U(g)."""
    twice = play(one.entry, one.before[:-1], 2 * one.grad_output)
    return not _same(twice.gradients, {n: None if u is None else 2 * u for n, u in one.gradients.items()})


def assumes_contiguous(one: Play) -> bool:
    """A grad_output that lies in another order in memory gives another gradient, or an error."""
    g = np.asfortranarray(one.before[-1])
    fresh = play(one.entry, one.before[:-1])
    try:
        with quiet():
            again = fresh.backward(torch.from_numpy(g) if one.entry.library == "torch" else g)
    except RuntimeError:  # view() of a tensor that is not contiguous
        return True
    return not _same(again, fresh.gradients)


def ties_counted_twice(one: Play) -> bool:
    """With tied maxima more comes out than went in: Σ U > Σ g."""
    tied = play(one.entry, [np.maximum(one.before[0], 0).round()], np.ones_like(one.grad_output))
    return tied.gradients["x"].sum() > tied.grad_output.sum() + 0.5


def autograd_cut(one: Play) -> bool:
    """Autograd through the program's own forward does not see what the differences see."""
    name = one.entry.gradient[0] if one.entry.gradient else next(iter(one.values))
    leaves = {n: torch.from_numpy(np.array(v)).requires_grad_() for n, v in one.values.items()}
    if is_layer(one.entry):
        output = layer_of(one.entry).forward(leaves[name])
    else:
        output = load(one.entry)["forward"](*leaves.values())
    g = torch.from_numpy(one.grad_output)
    (seen,) = torch.autograd.grad(output, leaves[name], g, allow_unused=True)
    return not Truth(one, name).matches(None if seen is None else seen.numpy())


def _same(a: Gradients, b: Gradients) -> bool:
    """Equal to float32 rounding, as far as both sides have a gradient."""
    pairs = [(a[name], b[name]) for name in b if a.get(name) is not None and b[name] is not None]
    return all(u.shape == v.shape and np.allclose(u, v, rtol=1e-5, atol=1e-6) for u, v in pairs)


PROBES: dict[str, Callable[[Play], bool]] = {
    "inputs-modified": inputs_modified,
    "not-repeatable": not_repeatable,
    "not-linear-in-grad-output": not_linear_in_grad_output,
    "assumes-contiguous": assumes_contiguous,
    "ties-counted-twice": ties_counted_twice,
    "autograd-cut": autograd_cut,
}
