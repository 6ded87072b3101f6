"""Reading labelled images: every layout gives the same pixels, every kind of bad data one line that names the file."""

import gzip
import re
import struct

import idx_files
import numpy as np
import pytest
import torch

from handgrad import HandgradError
from handgrad._training import data

LAYOUTS = {
    "flat": lambda folder: (folder, False),
    "gzipped": lambda folder: (folder, True),
    "raw": lambda folder: (folder / "raw", False),
    "torchvision": lambda folder: (folder / "MNIST" / "raw", True),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_idx_files_are_found_in_every_layout(tmp_path, layout):
    made = idx_files.arrays()
    idx_files.write(LAYOUTS[layout](tmp_path)[0], made, compressed=LAYOUTS[layout](tmp_path)[1])
    found = data.load(tmp_path, seed=0)
    assert torch.equal(found.train.images[:, 0], torch.from_numpy(made["train_images"]))
    assert torch.equal(found.test.images[:, 0], torch.from_numpy(made["test_images"]))
    assert found.train.labels.tolist() == made["train_labels"].tolist()
    assert found.test.labels.tolist() == made["test_labels"].tolist()
    assert (found.shape, found.classes, found.low, found.high) == ((1, 8, 8), (0, 1, 2, 3), 0.0, 255.0)


def test_a_plain_file_goes_before_its_gzipped_twin(tmp_path):
    idx_files.write(tmp_path, idx_files.arrays(train=24), compressed=True)
    idx_files.write(tmp_path, idx_files.arrays(train=12))
    assert len(data.load(tmp_path, seed=0).train) == 12


def test_file_names_with_a_dot_and_with_a_prefix(tmp_path):
    for name, array in idx_files.arrays().items():
        plain = idx_files.NAMES[name].replace("-idx", ".idx")
        (tmp_path / f"emnist-letters-{plain}").write_bytes(idx_files.idx(array))
    assert len(data.load(tmp_path, seed=0).train) == 40


@pytest.mark.parametrize(
    "keys",
    [("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels")],
)
@pytest.mark.parametrize("given", ["file", "folder"])
def test_npz_by_the_keys_of_keras_and_of_medmnist(tmp_path, keys, given):
    made = idx_files.arrays()
    np.savez(tmp_path / "some.npz", **dict(zip(keys, made.values(), strict=True)))
    found = data.load(tmp_path / "some.npz" if given == "file" else tmp_path, seed=0)
    assert torch.equal(found.test.images[:, 0], torch.from_numpy(made["test_images"]))
    assert found.train.labels.tolist() == made["train_labels"].tolist()


def test_what_nobody_asked_for_in_an_npz_does_not_matter(tmp_path):
    assert len(data.load(npz(tmp_path, notes=np.array([{}])), seed=0).test) == 20


def npz(folder, **changes):
    """Where an archive of good arrays lies, with some exchanged."""
    made = dict(zip(data.npz.KEYS[0], idx_files.arrays().values(), strict=True)) | changes
    np.savez(folder / "some.npz", **made)
    return folder / "some.npz"


def test_channels_come_first_whether_they_were_last_or_first(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (40, 8, 6, 3), dtype=np.uint8)
    last = data.load(npz(tmp_path, x_train=colours, x_test=colours[:20]), seed=0)
    first = data.load(npz(tmp_path, x_train=colours.transpose(0, 3, 1, 2), x_test=colours[:20]), seed=0)
    assert last.shape == first.shape == (3, 8, 6)
    assert torch.equal(last.train.images, first.train.images)
    assert last.train.images[5, 2, 7, 1] == colours[5, 7, 1, 2]


def test_columns_of_labels_and_labels_from_one(tmp_path):
    labels = np.arange(40, dtype=np.int64)[:, None] % 4 + 1
    found = data.load(npz(tmp_path, y_train=labels, y_test=labels[:20]), seed=0)
    assert found.classes == (1, 2, 3, 4)
    assert found.train.labels.tolist() == [index % 4 for index in range(40)]


def test_fractions_and_other_ranges(tmp_path):
    x = np.random.default_rng(0).random((40, 8, 8))
    fractions = data.load(npz(tmp_path, x_train=x * 0.9, x_test=x[:20]), seed=0)
    assert (fractions.low, fractions.high) == (0.0, 1.0)
    signed = data.load(npz(tmp_path, x_train=x * 8 - 4, x_test=x[:20]), seed=0)
    assert signed.low == pytest.approx(-4, abs=0.1)
    assert signed.high == pytest.approx(4, abs=0.1)


def test_big_endian_and_unsigned_values_become_torch_dtypes(tmp_path):
    wide = np.arange(40 * 64, dtype=">u2").reshape(40, 8, 8)
    found = data.load(npz(tmp_path, x_train=wide, x_test=wide[:20], y_train=np.arange(40, dtype=">u4") % 4), seed=0)
    assert found.train.images.flatten().tolist() == list(range(40 * 64))


def test_idx_of_another_type_than_bytes(tmp_path):
    made = idx_files.write(tmp_path, idx_files.arrays())
    values = np.linspace(0, 1, 40 * 64).astype(">f4")
    path = made / idx_files.NAMES["train_images"]
    path.write_bytes(struct.pack(">HBBIII", 0, 0x0D, 3, 40, 8, 8) + values.tobytes())
    assert torch.equal(data.load(tmp_path, seed=0).train.images.flatten(), torch.from_numpy(values.astype("f4")))


def test_the_fingerprint_changes_with_a_pixel_and_with_a_label(tmp_path):
    prints = [data.load(npz(tmp_path), seed=0).fingerprint() for _ in range(2)]
    made = idx_files.arrays()
    made["test_images"][0, 0, 0] ^= 1
    prints.append(data.load(npz(tmp_path, x_test=made["test_images"]), seed=0).fingerprint())
    made["train_labels"][:2] = made["train_labels"][1::-1]
    prints.append(data.load(npz(tmp_path, y_train=made["train_labels"]), seed=0).fingerprint())
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def with_label(label):
    labels = idx_files.arrays()["train_labels"].copy()
    labels[7] = label
    return labels


GOOD = idx_files.arrays()
TRAIN, LABELS = idx_files.NAMES["train_images"], idx_files.NAMES["train_labels"]
BAD_FILES = {  # what is wrong: (file, its content, what is said after its name)
    "magic": (TRAIN, b"\x89PNG" + bytes(100), "wrong magic number 0x89504e47, expected 0x00000803"),
    "swapped": (
        TRAIN,
        idx_files.idx(GOOD["train_labels"]),
        "0x00000801, expected 0x00000803; images and labels swapped?",
    ),
    "type": (TRAIN, b"\0\0\x0a\x03" + bytes(100), "wrong magic number 0x00000a03"),
    "empty": (TRAIN, b"", "truncated: 0 bytes are too few for an idx file"),
    "header": (TRAIN, b"\0\0\x08\x03\0\0", "truncated: 6 bytes, but its header alone takes 16"),
    "truncated": (
        TRAIN,
        idx_files.idx(GOOD["train_images"])[:-5],
        "truncated: 2571 bytes, but sizes (40, 8, 8) need 2576",
    ),
    "long": (LABELS, idx_files.idx(GOOD["train_labels"]) + b"\0", "too long: 49 bytes, but sizes (40,) need 48"),
    "gzip cut": (TRAIN, gzip.compress(idx_files.idx(GOOD["train_images"]))[:-20], "damaged gzip file"),
    "gzip bent": (TRAIN, b"\x1f\x8b" + bytes(50), "damaged gzip file"),
    "range": (LABELS, idx_files.idx(with_label(200)), "label 200 of image 7 is out of range"),
    "count": (LABELS, idx_files.idx(GOOD["train_labels"][:39]), "39 labels, but .*images-idx3-ubyte has 40 images"),
    "none": (TRAIN, idx_files.idx(np.zeros((0, 8, 8))), "no images in it, its shape is (0, 8, 8)"),
    "blank": (TRAIN, idx_files.idx(np.zeros((40, 8, 8))), "every pixel is 0; there is nothing to see"),
    "one class": (LABELS, idx_files.idx(np.zeros(40)), "every label is 0; there is nothing to tell apart"),
}


def one_line(error, path, text):
    """The error's message is one line that begins with the path and goes on with the text."""
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: "), message
    pattern = re.escape(text).replace(r"\.\*", ".*")
    assert re.search(pattern, message), message


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_idx_files(tmp_path, case):
    name, content, text = BAD_FILES[case]
    idx_files.write(tmp_path, GOOD)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HandgradError) as error:
        data.load(tmp_path, seed=0)
    one_line(error, tmp_path / name, text)


NAN = GOOD["train_images"] / 255
NAN[3, 0, 0] = np.nan
BAD_ARRAYS = {  # what is wrong: (arrays, the one that is named, what is said)
    "nan": ({"x_train": NAN}, "x_train", "NaN or infinite pixels, 1 of them, the first in image 3"),
    "infinite": ({"x_test": np.full((20, 8, 8), np.inf)}, "x_test", "NaN or infinite pixels, 1280 of them"),
    "text": ({"x_train": np.full((40, 8, 8), "a")}, "x_train", "images must be numbers, not <U1"),
    "flat": ({"x_train": np.ones((40, 64))}, "x_train", "images of shape (40, 64), expected (N, H, W)"),
    "channels": ({"x_train": np.ones((40, 5, 8, 8))}, "x_train", "images of shape (40, 5, 8, 8), expected (N, H, W)"),
    "sizes": ({"x_test": np.ones((20, 9, 8))}, "x_test", "images of (channels, height, width) (1, 9, 8), but"),
    "fractions": ({"y_train": np.ones(40)}, "y_train", "labels must be whole numbers of shape (N,), not float64"),
    "one-hot": ({"y_train": np.ones((40, 4), int)}, "y_train", "not int64 of shape (40, 4)"),
    "negative": ({"y_train": with_label(0).astype(int) - 1}, "y_train", "label -1 of image"),
    "unknown": ({"y_test": np.full(20, 4)}, "y_test", "label 4 of image 0 is out of range: the classes are 0 to 3"),
    "count": ({"y_test": np.zeros(19, int)}, "y_test", "19 labels, but"),
    "pickle": (
        {"y_test": np.array([{}] * 20)},
        None,
        "not a readable .npz archive: it holds pickled objects or is no archive",
    ),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(tmp_path, case):
    changes, name, text = BAD_ARRAYS[case]
    path = npz(tmp_path, **changes)
    with pytest.raises(HandgradError) as error:
        data.load(path, seed=0)
    one_line(error, path if name is None else f"{path}: {name}", text)


def test_bad_archives(tmp_path):
    path = npz(tmp_path)
    whole = path.read_bytes()
    np.savez(tmp_path / "keys.npz", a=np.ones(3), b=np.ones(3))
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "none.npz").write_bytes(b"")
    (tmp_path / "data.csv").write_text("1,2")
    for name, text in {
        "keys.npz": "holds a, b; expected x_train, y_train, x_test, y_test or train_images,",
        "cut.npz": "not a readable .npz archive",
        "none.npz": "not a readable .npz archive",
        "data.csv": "neither a folder of idx files nor an .npz file",
        "gone.npz": "no such file or folder",
    }.items():
        with pytest.raises(HandgradError) as error:
            data.load(tmp_path / name, seed=0)
        one_line(error, tmp_path / name, text)


def test_folders_without_data_with_half_of_it_and_with_too_much(tmp_path):
    def message(folder):
        with pytest.raises(HandgradError) as error:
            data.load(folder, seed=0)
        one_line(error, folder, "")
        return str(error.value)

    for name in ("empty", "half", "two", "mixed", "archives"):
        (tmp_path / name).mkdir()
    assert "no data here: expected train-images-idx3-ubyte(.gz)" in message(tmp_path / "empty")
    (idx_files.write(tmp_path / "half", GOOD) / LABELS).unlink()
    assert message(tmp_path / "half").endswith("train-labels-idx1-ubyte(.gz) is missing")
    for place in ("MNIST", "FashionMNIST"):
        idx_files.write(tmp_path / "two" / place / "raw", GOOD)
    assert re.search("more than one data set: .*FashionMNIST/raw, .*MNIST/raw; name one", message(tmp_path / "two"))
    (idx_files.write(tmp_path / "mixed", GOOD) / f"other-{TRAIN}").write_bytes(b"")
    assert "more than one data set: both other-train-" in message(tmp_path / "mixed")
    for name in ("a.npz", "b.npz"):
        (tmp_path / "archives" / name).write_bytes(b"")
    assert "more than one .npz file: a.npz, b.npz; name one" in message(tmp_path / "archives")


def test_a_folder_in_the_place_of_a_file(tmp_path):
    idx_files.write(tmp_path, GOOD)
    for name in (TRAIN, "some.npz"):
        (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).mkdir()
    for place, named in ((tmp_path, tmp_path / TRAIN), (tmp_path / TRAIN, tmp_path / TRAIN)):
        with pytest.raises(HandgradError) as error:
            data.load(place, seed=0)
        one_line(error, named, "cannot be read: Is a directory" if place == tmp_path else "no data here")
