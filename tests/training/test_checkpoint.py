"""Checkpoints: what comes back is what went in, and nothing that is damaged or foreign comes back at all."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from handgrad import HandgradError
from handgrad._training import checkpoint

TENSORS = {
    "weight": torch.arange(12.0).view(3, 4),
    "step": torch.tensor(7.0),
    "half": torch.tensor([1.5, -2], dtype=torch.bfloat16),
    "count": torch.tensor(3),
    "rng": torch.arange(5, dtype=torch.uint8),
    "none": torch.empty(0, 3),
}
FACTS = {"epoch": 3, "loss": 1 / 3, "betas": [0.9, 0.999], "text": "é", "nothing": None, "history": [{"epoch": 1}]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, TENSORS, FACTS)
    return path


def test_tensors_and_facts_come_back_bit_for_bit(path):
    tensors, facts = checkpoint.load(path)
    assert facts == FACTS
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        assert (tensor.dtype, tensor.shape) == (TENSORS[name].dtype, TENSORS[name].shape)
        assert torch.equal(tensor, TENSORS[name])


def test_any_reader_of_safetensors_can_read_it(path):
    assert torch.equal(load_file(path)["weight"], TENSORS["weight"])


def test_equal_states_are_equal_bytes(path, tmp_path):
    checkpoint.save(tmp_path / "b.safetensors", dict(reversed(TENSORS.items())), FACTS)
    assert path.read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_ties_are_stored_once_and_restored(tmp_path):
    shared = torch.randn(50, 50)
    path = tmp_path / "tied.safetensors"
    checkpoint.save(path, {"a": shared, "b": shared, "turned": shared.T, "part": shared[:2]}, {})
    assert set(load_file(path)) == {"a", "turned", "part"}  # the same bytes seen otherwise are no tie
    tensors, _ = checkpoint.load(path)
    assert tensors["b"] is tensors["a"]
    assert torch.equal(tensors["turned"], shared.T)
    assert torch.equal(tensors["part"], shared[:2])


def test_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(HandgradError, match=r"damaged|not a checkpoint"):
            checkpoint.load(path)


def test_every_flipped_bit_is_refused(path):
    """Over the whole file: safetensors itself would not notice one in the values, nor in a fact."""
    checkpoint.save(
        path, TENSORS, FACTS | {"text": "plain"}
    )  # an escaped letter has two spellings, \\u00e9 and \\u00E9
    whole = path.read_bytes()
    blanks = whole[8 : len(whole) - sum(tensor.nbytes for tensor in TENSORS.values())]
    meant = range(8 + len(blanks.rstrip()))  # blanks fill the header up; a changed one changes nothing
    for position in [*meant, *range(8 + len(blanks), len(whole))]:
        bent = bytearray(whole)
        bent[position] ^= 1 << position % 8
        path.write_bytes(bent)
        with pytest.raises(HandgradError, match=r"damaged|not a checkpoint|written in format"):
            checkpoint.load(path)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    for metadata in (None, {"format": "pt"}, {"handgrad": "no json"}, {"handgrad": "[]"}, {"handgrad": "{}"}):
        save_file({"weight": torch.ones(3)}, path, metadata)
        with pytest.raises(HandgradError, match="not a checkpoint of handgrad"):
            checkpoint.load(path)
    path.write_bytes(pickle.dumps({"weight": 1}))
    with pytest.raises(HandgradError, match="damaged or truncated"):
        checkpoint.load(path)


def test_a_later_format_is_named(tmp_path):
    path = tmp_path / "later.safetensors"
    save_file({"weight": torch.ones(3)}, path, {"handgrad": json.dumps({"format": 99})})
    with pytest.raises(HandgradError, match="written in format 99; this handgrad reads format 1"):
        checkpoint.load(path)
