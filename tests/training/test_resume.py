"""A run that was stopped, killed or found damaged goes on to the very bits of one that never was."""

import json
import shutil

import pytest
import tiny_runs
import torch

from handgrad import HandgradError
from handgrad._training import checkpoint, loop, metrics
from handgrad._training.optim import OPTIMIZERS, SCHEDULES

pytestmark = pytest.mark.slow


@pytest.fixture
def whole(tmp_path):
    """A configuration and what its uninterrupted run leaves behind."""
    told = tiny_runs.config(tmp_path)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "whole"))
    return told, tiny_runs.content(tmp_path / "whole")


@pytest.mark.parametrize("batches", range(2 * tiny_runs.BATCHES))
def test_stopped_after_any_batch(tmp_path, whole, batches):
    told, expected = whole
    assert not tiny_runs.go(tiny_runs.begin(told, tmp_path / "stopped"), batches)
    torch.manual_seed(99)  # what the next process finds
    assert tiny_runs.go(tiny_runs.take_up(told, tmp_path / "stopped"))
    assert tiny_runs.content(tmp_path / "stopped") == expected


def test_stopped_after_every_single_batch(tmp_path, whole):
    told, expected = whole
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "stopped"), 1)
    for _ in range(30):
        if tiny_runs.go(tiny_runs.take_up(told, tmp_path / "stopped"), 1):
            break
    assert tiny_runs.content(tmp_path / "stopped") == expected


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_every_optimizer_and_schedule(tmp_path, optimizer, schedule, dtype):
    told = tiny_runs.config(tmp_path, optimizer=optimizer, schedule=schedule, dtype=dtype, weight_decay=0.01)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "whole"))
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "stopped"), 7)
    tiny_runs.go(tiny_runs.take_up(told, tmp_path / "stopped"))
    assert tiny_runs.content(tmp_path / "stopped") == tiny_runs.content(tmp_path / "whole")


class KilledError(BaseException):
    """As sudden as kill -9: nothing is saved."""


@pytest.mark.parametrize("moment", ["checkpoint.save", "metrics.append", "files.write"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_the_end_of_an_epoch(tmp_path, whole, monkeypatch, moment, when):
    told, expected = whole
    opened = tiny_runs.begin(told, tmp_path / "killed")
    module, name = moment.split(".")
    target = __import__(f"handgrad._training.{module}", fromlist=[name])
    real = getattr(target, name)

    def kill(*args):
        if when == "after":
            real(*args)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(target, name, kill)
        with pytest.raises(KilledError):
            tiny_runs.go(opened)
    tiny_runs.go(tiny_runs.take_up(told, tmp_path / "killed"))
    assert tiny_runs.content(tmp_path / "killed") == expected


def test_killed_after_the_last_epoch_but_before_the_end(tmp_path, whole):
    told, expected = whole
    opened = tiny_runs.begin(told, tmp_path / "killed")
    loop.fit(*opened, tiny_runs.Silent(), lambda: False)
    assert tiny_runs.go(tiny_runs.take_up(told, tmp_path / "killed"))
    assert tiny_runs.content(tmp_path / "killed") == expected


def test_a_killed_process_leaves_nothing_that_stays(tmp_path, whole):
    told, expected = whole
    folder = tmp_path / "killed"
    tiny_runs.go(tiny_runs.begin(told, folder), 7)
    (folder / "checkpoints" / ".00001-00000003.safetensors.tmp").write_bytes(b"half")
    (folder / ".metrics.jsonl.tmp").write_bytes(b"half")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 2, "train_loss": 9, "seconds": 1}) + '\n{"epoch": 3, "trai')
    tiny_runs.go(tiny_runs.take_up(told, folder))
    assert tiny_runs.content(folder) == expected


def test_lost_lines_of_metrics_come_back_from_the_checkpoint(tmp_path, whole):
    told, expected = whole
    folder = tmp_path / "stopped"
    tiny_runs.go(tiny_runs.begin(told, folder), 7)
    (folder / "metrics.jsonl").unlink()
    tiny_runs.take_up(told, folder)
    (line,) = metrics.read(folder / "metrics.jsonl")
    assert line.pop("seconds") is None
    assert line == expected["metrics.jsonl"][0]


@pytest.mark.parametrize("damage", ["cut", "bent", "foreign", "gone"])
def test_a_damaged_checkpoint_is_told_of_and_the_one_before_used(tmp_path, whole, damage):
    told, expected = whole
    folder = tmp_path / "stopped"
    tiny_runs.go(tiny_runs.begin(told, folder), 7)
    newest = max((folder / "checkpoints").iterdir())
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    foreign = {"cut": bytes(content[:300]), "bent": bytes(content), "foreign": b"hello"}
    if damage == "gone":
        newest.unlink()
    else:
        newest.write_bytes(foreign[damage])
    said = []
    resumed = tiny_runs.take_up(told, folder, said.append)
    assert (resumed[0].progress.epoch, resumed[0].progress.position) == (1, 0)
    assert [newest.name in text and text.endswith("trying the one before") for text in said] == [True] * (
        damage != "gone"
    )
    tiny_runs.go(resumed)
    assert tiny_runs.content(folder) == expected


def test_the_checkpoint_of_another_network_is_not_used(tmp_path, whole):
    told, expected = whole
    other = tiny_runs.MODEL.replace("out_channels = 3", "out_channels = 4")
    folder = tmp_path / "stopped"
    tiny_runs.go(tiny_runs.begin(told, folder), 7)
    newest = max((folder / "checkpoints").iterdir())
    (tmp_path / "tiny.toml").write_text(other)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "other"), 7)
    shutil.copy(max((tmp_path / "other" / "checkpoints").iterdir()), newest)
    said = []
    resumed = tiny_runs.take_up(told, folder, said.append)
    assert "the checkpoint is of another network" in said[0]
    newest.with_name(f"{newest.name}.unusable").unlink()  # kept, as it is somebody's
    tiny_runs.go(resumed)
    assert tiny_runs.content(folder) == expected


def test_facts_of_another_run(tmp_path):
    """Weights fit, but the optimizer's state does not."""
    told = tiny_runs.config(tmp_path)
    opened = tiny_runs.begin(told, tmp_path / "run")
    tiny_runs.go(opened, 3)
    path = max((tmp_path / "run" / "checkpoints").iterdir())
    tensors, facts = checkpoint.load(path)
    for change in ({"optimizer": []}, {"progress": {"epochs": 1}}, {"scheduler": None}):
        checkpoint.save(path, tensors, facts | change)
        said = []
        tiny_runs.take_up(told, tmp_path / "run", said.append)
        assert "the checkpoint is of another run" in said[0]
        checkpoint.save(path, tensors, facts)


@pytest.mark.parametrize("other", [{"lr": 0.02}, {"seed": 6}, {"epochs": 3}])
def test_a_checkpoint_copied_from_another_run_is_not_used(tmp_path, other):
    told = tiny_runs.config(tmp_path)
    for name, changes in (("run", {}), ("other", other)):
        tiny_runs.go(tiny_runs.begin(tiny_runs.config(tmp_path, **changes), tmp_path / name), 7)
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    shutil.copy(tmp_path / "other" / "checkpoints" / newest.name, newest)
    said = []
    tiny_runs.take_up(told, tmp_path / "run", said.append)
    assert said == [f"warning: {newest}: the checkpoint is of another run; trying the one before"]


def test_a_renamed_checkpoint_is_not_used(tmp_path):
    told = tiny_runs.config(tmp_path)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "run"), 7)
    folder = tmp_path / "run" / "checkpoints"
    shutil.copy(folder / "00001-00000000.safetensors", folder / "00001-00000004.safetensors")
    said = []
    tiny_runs.take_up(told, tmp_path / "run", said.append)
    assert "00001-00000004.safetensors: renamed: it was saved after 1 epochs and 0 batches; trying" in said[0]


def test_a_checkpoint_of_a_newer_format_is_kept(tmp_path, monkeypatch):
    told = tiny_runs.config(tmp_path)
    opened = tiny_runs.begin(told, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", 2)
        tiny_runs.go(opened, 3)
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    content = newest.read_bytes()
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    opened[0].progress = type(opened[0].progress)()
    opened[0].save(opened[1])
    tiny_runs.take_up(told, tmp_path / "run", print)
    assert newest.with_name(f"{newest.name}.unusable").read_bytes() == content


def test_a_configuration_changed_on_the_way_is_refused(tmp_path):
    told = tiny_runs.config(tmp_path)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "run"), 3)
    with pytest.raises(HandgradError, match=r"config\.toml: lr is 0\.5, but the run began with 0\.01"):
        tiny_runs.take_up(tiny_runs.config(tmp_path, lr=0.5), tmp_path / "run")


def test_when_no_checkpoint_is_left(tmp_path):
    told = tiny_runs.config(tmp_path)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "run"), 3)
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.raises(HandgradError, match="run: no usable checkpoint in it"):
        tiny_runs.take_up(told, tmp_path / "run")


def test_other_data_than_the_run_began_with(tmp_path):
    told = tiny_runs.config(tmp_path)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "run"), 3)
    labels = told.data / "t10k-labels-idx1-ubyte"
    content = bytearray(labels.read_bytes())
    content[-1], content[-2] = content[-2], content[-1]
    labels.write_bytes(content)
    with pytest.raises(HandgradError, match=r"data: not the data that .*run began with; its pixels or labels differ"):
        tiny_runs.take_up(told, tmp_path / "run")


def test_other_versions_are_told_of(tmp_path):
    told = tiny_runs.config(tmp_path)
    _, place = tiny_runs.begin(told, tmp_path / "run")
    place.facts.write_text(place.facts.read_text().replace('"threads": ', '"threads": 1'))
    said = []
    tiny_runs.take_up(told, tmp_path / "run", said.append)
    assert "warning: threads were 1" in said[0]
    assert "the last bits may differ" in said[0]


def test_checkpoints_within_an_epoch_and_which_of_them_stay(tmp_path, monkeypatch):
    told = tiny_runs.config(tmp_path, save_every=0.0)
    opened = tiny_runs.begin(told, tmp_path / "run")
    tiny_runs.go(opened, 8)  # the stop saves too, at the same place
    names = sorted(path.stem for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["00000-00000000", "00001-00000000", "00001-00000002", "00001-00000003"]
    tiny_runs.go(tiny_runs.take_up(told, tmp_path / "run"))
    names = sorted(path.stem for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["00001-00000000", "00002-00000000"]
    saved = []
    told = tiny_runs.config(tmp_path, save_every=None)
    opened = tiny_runs.begin(told, tmp_path / "rare")
    monkeypatch.setattr(type(opened[0]), "save", lambda session, _place: saved.append(session.progress.position))
    tiny_runs.go(opened)
    assert saved == [0, 0]


def test_saving_within_an_epoch_changes_nothing(tmp_path, whole):
    _, expected = whole
    tiny_runs.go(tiny_runs.begin(tiny_runs.config(tmp_path, save_every=0.0), tmp_path / "often"))
    often = tiny_runs.content(tmp_path / "often")
    for name in ("config.toml", "run.json"):  # where the option itself stands
        assert often.pop(name) != expected.pop(name)
    assert often == expected
