"""Batches by chance: each image on its own, with one probability, known from the seed alone or from nothing."""

import math

import pytest
import torch

from handgrad._training.private import sampling


def drawn(images, size, secure=False, epochs=40, seed=3):
    """(batches, images): who was in which."""
    batches = (batch for epoch in range(epochs) for batch in sampling.batches(images, size, seed, epoch, secure))
    return torch.stack([torch.zeros(images).index_fill(0, indices, 1.0) for indices in batches])


@pytest.mark.parametrize(
    ("images", "size", "steps"), [(1438, 64, 22), (60_000, 256, 234), (10, 10, 1), (10, 7, 1), (7, 2, 4)]
)
def test_an_epoch_sees_every_image_once_on_average(images, size, steps):
    assert sampling.steps(images, size) == steps
    assert len(list(sampling.batches(images, size, 0, 0, secure=False))) == steps


@pytest.mark.parametrize("secure", [False, True])
def test_each_image_by_its_own_chance(secure):
    """Frequencies of images and of pairs, and the sizes' variance, within 5 standard errors of independent draws."""
    images, size = 50, 10
    seen = drawn(images, size, secure, epochs=400)  # 2000 batches
    n, p = len(seen), size / images
    assert (seen.mean(0) - p).abs().max() < 5 * math.sqrt(p * (1 - p) / n)
    pairs = seen.T @ seen / n
    together = pairs[~torch.eye(images, dtype=torch.bool)]
    assert (together - p * p).abs().max() < 5 * math.sqrt(p * p * (1 - p * p) / n)
    sizes = seen.sum(1)
    assert abs(sizes.mean() - size) < 5 * math.sqrt(images * p * (1 - p) / n)
    assert sizes.var() == pytest.approx(images * p * (1 - p), rel=0.2)
    after = (seen[1:] * seen[:-1]).mean()  # one batch tells nothing about the next
    assert abs(after - p * p) < 5 * math.sqrt(p * p / (n * images))


def test_batches_may_be_empty_or_everything():
    sizes = drawn(20, 1).sum(1)
    assert {0, 1, 2} <= set(sizes.tolist())
    assert [batch.tolist() for batch in sampling.batches(5, 5, 0, 0, secure=False)] == [[0, 1, 2, 3, 4]]


def test_seed_epoch_and_position_alone_decide():
    before = torch.get_rng_state()
    whole = [batch.tolist() for batch in sampling.batches(50, 8, 1, 2, secure=False)]
    assert whole[3:] == [batch.tolist() for batch in sampling.batches(50, 8, 1, 2, secure=False, start=3)]
    others = [[batch.tolist() for batch in sampling.batches(50, 8, *key, secure=False)] for key in ((1, 3), (2, 2))]
    assert len({str(one) for one in (whole, *others)}) == 3
    assert torch.equal(torch.get_rng_state(), before)


def test_what_the_system_draws_is_another_each_time():
    first, second = ([batch.tolist() for batch in sampling.batches(50, 8, 1, 2, secure=True)] for _ in range(2))
    assert first != second
