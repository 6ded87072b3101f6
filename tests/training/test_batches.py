"""The order of the images."""

import pytest
import torch

from handgrad._training.batches import batches, count


@pytest.mark.parametrize(("images", "size", "sizes"), [(10, 4, [4, 4, 2]), (9, 4, [4, 5]), (8, 4, [4, 4]), (1, 4, [1])])
def test_every_image_once_and_never_one_alone(images, size, sizes):
    """Batch normalisation cannot normalise one value: a single image joins the batch before."""
    made = batches(images, size, seed=0, epoch=0)
    assert [len(batch) for batch in made] == sizes
    assert sorted(torch.cat(made).tolist()) == list(range(images))
    assert count(images, size) == len(made)


def test_batches_of_one_are_left_alone_if_they_were_asked_for():
    assert [len(batch) for batch in batches(3, 1, seed=0, epoch=0)] == [1, 2]


def test_seed_and_epoch_alone_decide():
    def order(seed, epoch):
        torch.manual_seed(seed + 7 * epoch)  # the global generator has no say
        return torch.cat(batches(50, 8, seed, epoch)).tolist()

    assert order(1, 2) == order(1, 2)
    orders = [order(1, 2), order(1, 3), order(2, 1), order(2, 2), order(2**63 - 1, 0)]
    assert len({tuple(one) for one in orders}) == 5


def test_the_global_generator_is_not_drawn_from():
    before = torch.get_rng_state()
    batches(50, 8, seed=0, epoch=0)
    assert torch.equal(torch.get_rng_state(), before)
