"""The embedded digits: the real ones, split without overlap and in proportion, with their licence beside them."""

import hashlib
from importlib import resources

import numpy as np
import torch

from handgrad._training import data
from handgrad._training.data import digits

PER_CLASS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # as the data set's own description has it


def test_they_are_the_1797_of_the_set():
    parts = digits.load(seed=0)
    assert np.bincount(np.concatenate([parts[1], parts[3]])).tolist() == PER_CLASS
    images = np.concatenate([parts[0], parts[2]])
    assert images.shape == (1797, 8, 8)
    assert images.min() == 0
    assert images.max() == 16


def test_they_are_those_that_scikit_learn_ships():
    """Each image with its label, in any order; the digest was taken of `sklearn.datasets.load_digits()`."""
    train, train_labels, test, test_labels = digits.load(seed=3)
    pairs = [*zip(train, train_labels, strict=True), *zip(test, test_labels, strict=True)]
    rows = sorted(image.astype(np.uint8).tobytes() + bytes([int(label)]) for image, label in pairs)
    assert hashlib.sha256(b"".join(rows)).hexdigest() == (
        "f67d6a29d0e1f70e7f0cd9dcf25816b694881f4b8f27f5cc1db59551f0499fb8"
    )


def test_a_fifth_of_every_class_is_held_out():
    _, train, _, test = digits.load(seed=0)
    assert np.bincount(test).tolist() == [round(count / 5) for count in PER_CLASS]
    assert len(train) + len(test) == 1797


def test_no_image_is_in_both_parts():
    train, _, test, _ = digits.load(seed=0)
    both = {image.tobytes() for image in train} & {image.tobytes() for image in test}
    assert not both  # no two of the 1,797 are equal


def test_the_seed_draws_the_split():
    def fingerprint(seed):
        return data.load(None, seed).fingerprint()

    assert fingerprint(1) == fingerprint(1)
    assert fingerprint(1) != fingerprint(2)


def test_as_a_data_set():
    found = data.load(None, seed=0)
    assert (found.shape, found.classes, found.low, found.high) == ((1, 8, 8), tuple(range(10)), 0.0, 16.0)
    assert found.train.images.dtype == torch.uint8


def test_attribution_and_licence_lie_beside_them():
    text = (resources.files("handgrad._training.data") / "digits.LICENSE.txt").read_text()
    for needed in (
        "Alpaydin",
        "Kaynak",
        "UCI Machine Learning Repository",
        "CC BY 4.0",
        "creativecommons.org/licenses/by/4.0",
    ):
        assert needed in text
