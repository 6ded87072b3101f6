"""The run's folder."""

import json
from dataclasses import replace

import pytest
import tiny_runs

from handgrad import HandgradError
from handgrad._training import run
from handgrad._training.facts import Facts


def test_a_folder_with_anything_in_it_is_not_touched(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(HandgradError, match="not empty, and no run is overwritten; --resume continues one"):
        run.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    with pytest.raises(HandgradError, match=r"note\.txt: not a folder"):
        run.create(tmp_path / "note.txt")


def test_new_and_empty_folders_are_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "new" / "deep"):
        assert run.create(folder).checkpoints.is_dir()


def test_the_default_is_dated_and_never_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [run.create(None).folder for _ in range(3)]
    assert len(set(folders)) == 3
    for folder in folders:
        assert folder.parent.name == "runs"


def test_what_is_no_run(tmp_path):
    with pytest.raises(HandgradError, match="gone: no such folder"):
        run.existing(tmp_path / "gone")
    with pytest.raises(HandgradError, match=r"not a run of handgrad: config\.toml is missing"):
        run.existing(tmp_path)


def test_one_process_at_a_time(tmp_path):
    place = run.create(tmp_path / "run")
    with place.locked(), pytest.raises(HandgradError, match="another process is training this run"), place.locked():
        pytest.fail("both had it")
    with place.locked():
        pass  # the lock goes with its owner


def test_the_facts_come_back(tmp_path):
    session, place = tiny_runs.begin(tiny_runs.config(tmp_path), tmp_path / "run")
    assert Facts.read(place.facts) == session.facts
    table = json.loads(place.facts.read_text())
    assert table["seed"] == 5
    assert table["config"]["lr"] == 0.01
    assert table["versions"].keys() >= {"handgrad", "torch", "numpy", "python"}
    assert table["parameters"] == sum(p.numel() for p in session.model.parameters())
    tiny_runs.go((session, place))
    assert Facts.read(place.facts) == replace(session.facts, finished=True)
    assert session.facts.result["test_accuracy"] == session.progress.history[-1]["test_accuracy"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged: "),
        ("[]", "damaged: "),
        ("{}", "damaged: KeyError"),
        ('{"format": 7}', "format 7; this handgrad reads"),
    ],
)
def test_damaged_facts(tmp_path, text, message):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(HandgradError, match=rf"run\.json: {message}"):
        Facts.read(tmp_path / "run.json")


def test_facts_that_lack_something(tmp_path):
    _, place = tiny_runs.begin(tiny_runs.config(tmp_path), tmp_path / "run")
    table = json.loads(place.facts.read_text())
    del table["scaling"]["mean"]
    place.facts.write_text(json.dumps(table))
    with pytest.raises(HandgradError, match=r"run\.json: damaged: KeyError\('mean'\)"):
        Facts.read(place.facts)
