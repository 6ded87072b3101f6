"""What follows for every kind of use from its gradients alone, a few samples at a time."""

from __future__ import annotations

import pytest
import torch

from handgrad.per_sample._use import Each, Total, Use
from oracles import assert_equal

N, SHAPE = 5, (2, 3)
PIECES = [1, 2, 3, N]  # samples that fit


@pytest.mark.parametrize("fit", PIECES)
@pytest.mark.parametrize("uses", [1, 2])
def test_pieces_of_the_batch_make_the_whole(fit: int, uses: int) -> None:
    """Complex, so that a block which is mirrored must be conjugate as well."""
    given = [torch.randn(N, *SHAPE, dtype=torch.complex128) for _ in range(uses)]
    use: Use = Each(given[0]) if uses == 1 else Total([Each(gradients) for gradients in given])
    flat, v, a = sum(given).flatten(1), torch.randn(SHAPE, dtype=torch.complex128), torch.randn(N)
    sample = use.entries * use.dtype.itemsize
    for use.max_bytes in (fit * sample, 2 * fit * sample):  # norms and products; pairs of gradients take two
        assert_equal(use.gradients(), flat.view(N, *SHAPE))
        assert_equal(use.sqnorms(), flat.abs().square().sum(1))
        assert_equal(use.dots(v), flat.conj() @ v.flatten())
        assert_equal(use.gram(), flat.conj() @ flat.mT)
        assert_equal(use.weighted(a), (a.to(flat.dtype) @ flat).view(SHAPE))
        assert_equal(use.weighted(), flat.sum(0).view(SHAPE))
    use.max_bytes = fit * sample
    assert next(use.pieces(use.max_bytes)) == slice(0, fit)


def test_gradients_that_were_there_already_are_not_handed_out_themselves() -> None:
    given = torch.randn(N, *SHAPE, requires_grad=True)
    with torch.no_grad():
        ours = Each(given).gradients()
    assert not ours.requires_grad
    assert ours.data_ptr() != given.data_ptr()
