"""Somebody's picture of any size, mode and brightness becomes what the network was trained on."""

import numpy as np
import pytest
import torch
from PIL import Image

from handgrad import HandgradError
from handgrad._training import data, photo
from handgrad._training.facts import Facts
from handgrad._training.images import Scaling


def facts(shape=(1, 8, 8), dark=True, high=16.0, fill=1.0):
    """Of a network for images like this; the rest does not matter here."""
    scaling = Scaling(0.0, high, (0.0,), (1.0,), dark, fill)
    return Facts(0, {}, "", "", shape, tuple(range(10)), scaling, 0)


DIGIT = data.load(None, seed=0).test.images[3, 0]
GREY = (DIGIT.numpy() * (255 / 16)).round().astype(np.uint8)


def save(folder, array, mode=None, **options):
    """As a picture file."""
    path = folder / "picture.png"
    Image.fromarray(array, mode).save(path, **options)
    return path


def assert_is_the_digit(image, tolerance=0.05):
    assert image.shape == (1, 1, 8, 8)
    torch.testing.assert_close(image[0, 0], DIGIT.float(), atol=tolerance, rtol=0)


def test_a_picture_of_the_right_size_and_mode_is_left_alone(tmp_path):
    image, notes = photo.read(save(tmp_path, GREY), facts())
    assert_is_the_digit(image)
    assert notes == []


@pytest.mark.parametrize("factor", [2, 3, 25])
def test_an_enlarged_one_shrinks_to_exactly_the_same(tmp_path, factor):
    image, notes = photo.read(save(tmp_path, np.kron(GREY, np.ones((factor, factor), np.uint8))), facts())
    assert_is_the_digit(image)
    assert notes == [f"resized from {8 * factor}x{8 * factor} to 8x8"]


def test_a_very_long_picture_is_shortened_before_it_is_padded(tmp_path, monkeypatch):
    sizes, real = [], photo.F.pad
    monkeypatch.setattr(
        photo.F, "pad", lambda x, *args, **more: sizes.append((y := real(x, *args, **more)).numel()) or y
    )
    line = np.zeros((1, 60_000), np.uint8)
    line[0, ::2] = 255
    image, _ = photo.read(save(tmp_path, line), facts())
    assert image.shape == (1, 1, 8, 8)
    assert max(sizes) <= photo.LONG**2


def test_dark_on_light_is_inverted_where_the_training_images_are_light_on_dark(tmp_path):
    path = save(tmp_path, 255 - GREY)
    image, notes = photo.read(path, facts())
    assert_is_the_digit(image)
    assert notes == ["inverted"]
    image, notes = photo.read(path, facts(dark=False))
    assert_is_the_digit(16 - image)
    assert notes == []


def test_a_wide_picture_is_not_distorted_and_its_background_goes_on(tmp_path):
    wide = np.full((8, 24), 40, np.uint8)
    wide[1:7, 9:15] = 200  # a square, which falls on whole pixels when three become one
    image, notes = photo.read(save(tmp_path, wide), facts(high=255.0, fill=0.25))
    assert notes == ["resized from 24x8 to 8x8"]
    expected = torch.full((8, 8), 40.0)
    expected[3:5, 3:5] = 200
    torch.testing.assert_close(image[0, 0], expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("corner", [(0, 0), (50, 20), (88, 60)])
def test_wide_margins_are_cut_wherever_the_digit_stands(tmp_path, corner):
    """As on a sheet of paper: a digit that fills its own frame, small on a large page."""
    page = np.zeros((160, 140), np.uint8)
    page[corner[0] : corner[0] + 64, corner[1] : corner[1] + 64] = np.kron(GREY, np.ones((8, 8), np.uint8))
    box = np.nonzero(GREY > 64)
    full = [np.ptp(box[0]) + 1, np.ptp(box[1]) + 1]
    image, notes = photo.read(save(tmp_path, page), facts(fill=max(full) / 8))
    assert notes == ["margins cut", "resized from 64x64 to 8x8"]
    aside = round((full[0] - full[1]) / 2) - box[1].min()  # what is cut out is centred, the training image was not
    torch.testing.assert_close(image[0, 0], DIGIT.float().roll(int(aside), 1), atol=0.05, rtol=0)


def test_margins_like_those_of_the_training_images_stay(tmp_path):
    page = np.zeros((100, 100), np.uint8)
    page[30:70, 40:60] = 255
    for fill, expected in ((0.4, False), (0.49, False), (0.51, True), (1.0, True)):
        _, notes = photo.read(save(tmp_path, page), facts(fill=fill))
        assert ("margins cut" in notes) == expected


def test_an_empty_page_is_no_error(tmp_path):
    image, notes = photo.read(save(tmp_path, np.zeros((50, 50), np.uint8)), facts())
    assert notes == ["resized from 50x50 to 8x8"]
    assert image.unique().tolist() == [0]


def test_a_smaller_one_grows(tmp_path):
    image, notes = photo.read(save(tmp_path, GREY[::2, ::2]), facts())
    assert image.shape == (1, 1, 8, 8)
    assert notes == ["resized from 4x4 to 8x8"]


def colour(array):
    return np.stack([array] * 3, -1)


MODES = {  # (array, mode, note)
    "RGB": (colour(GREY), "RGB", "turned to grey"),
    "RGBA": (np.dstack([colour(255 - GREY), np.full((8, 8), 255, np.uint8)]), "RGBA", "turned to grey"),
    "ink on nothing": (np.dstack([colour(np.zeros_like(GREY)), GREY]), "RGBA", "laid over white"),
    "light ink on nothing": (np.dstack([colour(np.full_like(GREY, 255)), GREY]), "RGBA", "laid over black"),
    "grey and alpha": (np.dstack([np.zeros_like(GREY), GREY]), "LA", "laid over white"),
    "16 bits": (GREY.astype(np.uint16) * 257, None, "scaled to 8 bits"),
    "CMYK": (np.dstack([np.zeros((8, 8, 3), np.uint8), 255 - GREY]), "CMYK", "turned to grey"),
}


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("mode", MODES)
def test_every_mode(tmp_path, mode):
    array, kind, note = MODES[mode]
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    Image.fromarray(array, kind).save(path)
    image, notes = photo.read(path, facts())
    assert note in notes
    assert_is_the_digit(image, tolerance=0.2)


def test_palettes_bits_and_floats(tmp_path):
    path = tmp_path / "a.tiff"
    Image.fromarray(GREY).convert("P").save(path)
    assert_is_the_digit(photo.read(path, facts())[0])
    Image.fromarray((GREY / 255).astype(np.float32)).save(path)
    assert_is_the_digit(photo.read(path, facts())[0], tolerance=0.1)
    Image.fromarray(GREY > 127).save(path)
    assert set(photo.read(path, facts())[0].unique().tolist()) == {0.0, 16.0}


def test_a_photograph_that_lies_on_its_side_is_turned(tmp_path):
    picture = Image.fromarray(np.rot90(GREY).copy())
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was held so that the picture must be turned clockwise
    picture.save(tmp_path / "a.png", exif=exif)
    assert_is_the_digit(photo.read(tmp_path / "a.png", facts())[0])


def test_a_network_that_sees_colours_gets_them(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    array[[0, -1]] = 255  # a light border: colours are never inverted
    image, notes = photo.read(save(tmp_path, array), facts(shape=(3, 8, 8), high=255.0))
    assert notes == []
    assert torch.equal(image[0], torch.from_numpy(array).movedim(-1, 0).float())
    image, notes = photo.read(save(tmp_path, GREY), facts(shape=(3, 8, 8)))
    assert notes == ["turned to RGB"]
    assert image.shape == (1, 3, 8, 8)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    whole = save(tmp_path, np.kron(GREY, np.ones((20, 20), np.uint8))).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    for name, message in {
        "text.png": "not a picture in a format known here",
        "cut.png": "cannot be read: ",
        "gone.png": "cannot be read: No such file or directory$",
    }.items():
        with pytest.raises(HandgradError, match=rf"{name}: {message}"):
            photo.read(tmp_path / name, facts())
    with pytest.raises(HandgradError, match="the network takes images of 2 channels, a picture has 1 or 3"):
        photo.read(tmp_path / "picture.png", facts(shape=(2, 8, 8)))
