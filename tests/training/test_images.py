"""What happens to pixels between the file and the network."""

import numpy as np
import pytest
import torch

from handgrad._training import data
from handgrad._training.images import Scaling, border_of, ink, shift


def dataset(images):
    """With so many images, every second one of the other class."""
    made = data.Split(images, torch.arange(len(images)) % 2)
    return data.Dataset("made", made, made, (0, 1), float(images.min()), float(images.max()))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_mean_0_and_deviation_1_in_every_channel(channels, dtype):
    images = (torch.rand(30, channels, 5, 7) * torch.tensor([200, 100, 50])[:channels, None, None] + 5).to(dtype)
    scaled = Scaling.of(dataset(images)).apply(images, torch.float64)
    assert scaled.dtype == torch.float64
    assert scaled.mean((0, 2, 3)).abs().max() < 1e-7
    assert (scaled.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-6


def test_a_channel_that_never_changes_stays_finite():
    images = torch.rand(30, 3, 5, 5)
    images[:, 1] = 0.5
    scaled = Scaling.of(dataset(images)).apply(images, torch.float32)
    assert scaled[:, 1].abs().max() < 1e-6


def test_the_scale_is_that_of_the_training_images_and_in_the_dtype_asked_for():
    scaling = Scaling(low=2.0, high=4.0, mean=(0.5,), std=(0.25,), dark=True, fill=1.0)
    pixels = torch.tensor([2, 3, 4], dtype=torch.uint8).view(1, 1, 1, 3)
    assert scaling.apply(pixels, torch.bfloat16).flatten().tolist() == [-2, 0, 2]
    assert scaling.apply(pixels, torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize("background", [0, 255])
def test_the_background_is_told_by_the_border(background):
    images = torch.full((20, 1, 8, 8), background, dtype=torch.uint8)
    images[:, :, 2:6, 1:7] = 255 - background
    assert Scaling.of(dataset(images)).dark == (background == 0)


def test_how_much_of_the_frame_is_drawn_on():
    images = torch.zeros(3, 1, 10, 8, dtype=torch.uint8)
    images[0, 0, 2:7, 3] = 200  # 5 of 10 rows, 1 of 8 columns
    images[1, 0, 5, 1:7] = 200  # 1 of 10 rows, 6 of 8 columns
    images[2] = 200 * (torch.arange(10)[:, None] % 9 == 0)  # the first row and the last
    assert Scaling.of(dataset(images)).fill == 0.75


def test_the_box_of_what_is_drawn():
    images = torch.full((3, 6, 7), 0.9)
    images[0, 1:4, 2] = 0.1
    images[0, 3, 2:6] = 0.1
    images[1, 0, 0] = 0.66  # a shade, no ink
    images[2, 5, 6] = 0.1
    assert ink(images, torch.tensor(0.9)).tolist() == [[3, 4, 1, 2], [6, 7, 0, 0], [1, 1, 5, 6]]


def test_the_border_is_the_four_sides():
    image = torch.zeros(2, 4, 5)
    image[:, [0, -1]] = 1
    image[:, :, [0, -1]] = 1
    assert border_of(image).unique().tolist() == [1]
    assert border_of(image).numel() == 2 * (2 * 4 + 2 * 5)


def test_each_image_is_moved_by_whole_pixels_and_edges_are_repeated():
    images = torch.arange(2 * 6 * 7.0).view(1, 2, 6, 7).repeat(300, 1, 1, 1)
    moved = shift(images, 2)
    assert moved.shape == images.shape
    source = np.pad(images[0].numpy(), ((0, 0), (2, 2), (2, 2)), mode="edge")
    allowed = {(dy, dx): source[:, dy : dy + 6, dx : dx + 7].tobytes() for dy in range(5) for dx in range(5)}
    seen = {image.numpy().tobytes() for image in moved}
    assert seen == set(allowed.values())  # every one of the 25, and nothing else


def test_the_embedded_digits_are_dark_behind_and_fill_their_frame():
    scaling = Scaling.of(data.load(None, seed=0))
    assert scaling.dark
    assert scaling.fill == 1.0
