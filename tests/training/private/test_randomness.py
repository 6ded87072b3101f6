"""The numbers behind noise and batches."""

import os

import numpy as np
import pytest
from scipy.stats import kstest

from handgrad._training.private.randomness import System, generator


@pytest.mark.parametrize("secure", [False, True])
def test_the_distributions(secure):
    """Kolmogorov's and Smirnov's test at 1e-6, and no number tells of the next."""
    chance = generator(secure, 1, 2, 3)
    normal, uniform = chance.standard_normal(100_000), chance.random(100_000)
    assert kstest(normal, "norm").pvalue > 1e-6
    assert kstest(uniform, "uniform").pvalue > 1e-6
    assert (
        kstest(normal[np.abs(normal) > 2] ** 2, lambda x: 1 - (1 - _chi(x)) / (1 - _chi(4.0))).pvalue > 1e-6
    )  # the tails
    for numbers in (normal, uniform):
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.02
        assert numbers.dtype == np.float64


def _chi(x):
    from scipy.stats import chi2

    return chi2.cdf(x, 1)


def test_the_key_alone_decides():
    first = generator(False, 1, 2, 3).standard_normal(5)
    assert (generator(False, 1, 2, 3).standard_normal(5) == first).all()
    assert (generator(False, 1, 2, 4).standard_normal(5) != first).all()
    assert (generator(True, 1, 2, 3).standard_normal(5) != generator(True, 1, 2, 3).standard_normal(5)).all()


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_the_ends_of_the_systems_range(monkeypatch, byte):
    monkeypatch.setattr(os, "urandom", lambda size: byte * size)
    assert 0.0 <= System().random(3)[0] < 1.0
    assert np.isfinite(System().standard_normal(3)).all()
    assert abs(System().standard_normal(1)[0]) > 8


def test_the_systems_noise_is_made_of_four(monkeypatch):
    """So that no single number of the generator can be told from a number of the noise."""
    asked = []
    real = os.urandom
    monkeypatch.setattr(os, "urandom", lambda size: asked.append(size) or real(size))
    System().standard_normal(10)
    assert asked == [8 * 4 * 10]
