"""Private runs from start to end, stopped, killed and taken up."""

import json

import pytest
import tiny_runs
import torch

from handgrad import HandgradError
from handgrad._training import loop, models, session
from handgrad._training.config import Config
from handgrad._training.facts import Facts
from handgrad._training.private import accounting

pytestmark = pytest.mark.slow


def config(folder, **changes):
    return tiny_runs.config(folder, **tiny_runs.PRIVATE | changes)


@pytest.fixture
def whole(tmp_path):
    """A configuration whose batches are sometimes empty, and what its uninterrupted run leaves behind."""
    told = config(tmp_path, batch_size=2, epochs=1, max_physical_batch_size=2)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "whole"))
    return told, tiny_runs.content(tmp_path / "whole")


@pytest.mark.parametrize("batches", range(0, 20, 3))
def test_stopped_after_any_batch(tmp_path, whole, batches):
    told, expected = whole
    assert not tiny_runs.go(tiny_runs.begin(told, tmp_path / "stopped"), batches)
    torch.manual_seed(99)  # what the next process finds
    assert tiny_runs.go(tiny_runs.take_up(told, tmp_path / "stopped"))
    assert tiny_runs.content(tmp_path / "stopped") == expected


def test_some_of_those_batches_were_empty(whole):
    told, expected = whole
    sizes = [len(batch) for batch in tiny_runs.prepared(told).rest_of_epoch()]
    assert min(sizes) == 0
    assert max(sizes) > told.max_physical_batch_size
    assert len(expected["metrics.jsonl"]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"clipping": "per-layer", "optimizer": "sgd", "schedule": "onecycle"},
        {"dtype": "bfloat16", "optimizer": "adamw", "weight_decay": 0.01, "schedule": "step"},
        {"noise_multiplier": None, "target_epsilon": 2.0, "save_every": 0.0},
        {"accountant": "pld", "dtype": "float64"},
    ],
)
def test_with_other_options(tmp_path, changes):
    told = config(tmp_path, **changes)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "whole"))
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "stopped"), 7)
    tiny_runs.go(tiny_runs.take_up(told, tmp_path / "stopped"))
    assert tiny_runs.content(tmp_path / "stopped") == tiny_runs.content(tmp_path / "whole")


def test_epsilon_stands_with_every_epoch_and_at_the_end(tmp_path):
    opened = tiny_runs.begin(config(tmp_path), tmp_path / "run")
    tiny_runs.go(opened)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    expected = [accounting.Mechanism("rdp", 0.2, 1.0, 0.5, 1e-3).epsilon(steps) for steps in (5, 10)]
    assert [line["epsilon"] for line in lines] == expected
    table = json.loads((tmp_path / "run" / "run.json").read_text())
    assert table["result"]["epsilon"] == expected[-1]
    assert table["result"]["delta"] == 1e-3
    assert table["privacy"] == {
        "accountant": "rdp",
        "sampling_probability": 0.2,
        "noise_multiplier": 1.0,
        "max_grad_norm": 0.5,
        "delta": 1e-3,
    }
    assert Facts.read(tmp_path / "run" / "run.json").privacy == opened[0].privacy


def test_an_ordinary_run_has_no_epsilon(tmp_path):
    opened = tiny_runs.begin(tiny_runs.config(tmp_path), tmp_path / "run")
    tiny_runs.go(opened)
    assert opened[0].epsilon is None
    assert "epsilon" not in opened[0].progress.history[0]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["privacy"] is None


def test_the_noise_of_a_target_is_not_looked_for_again(tmp_path, monkeypatch):
    told = config(tmp_path, noise_multiplier=None, target_epsilon=2.0)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "run"), 3)
    monkeypatch.setattr(accounting, "noise_multiplier", lambda *_: pytest.fail("it was looked for"))
    before = Facts.read(tmp_path / "run" / "run.json")
    resumed = session.prepare(told, models.read(told.model), before.privacy)
    assert resumed.privacy == before.privacy


def test_a_run_with_other_noise_is_another_run(tmp_path):
    """As a newer accountant might find it."""
    told = config(tmp_path)
    _, place = tiny_runs.begin(told, tmp_path / "run")
    place.facts.write_text(
        place.facts.read_text().replace('"noise_multiplier": 1.0,\n    "max', '"noise_multiplier": 2.0,\n    "max')
    )
    said = []
    with pytest.raises(HandgradError, match="no usable checkpoint"):
        tiny_runs.take_up(told, tmp_path / "run", said.append)
    assert "the checkpoint is of another run" in said[0]


@pytest.mark.parametrize(("true", "bent"), [('"delta": 0.001', '"delta": "x"'), ('"rdp"', '"mine"')])
def test_bent_privacy_is_told_with_its_file(tmp_path, true, bent):
    _, place = tiny_runs.begin(config(tmp_path), tmp_path / "run")
    text = place.facts.read_text()
    head, told = text.split('"privacy"')
    assert true in told
    place.facts.write_text(f'{head}"privacy"{told.replace(true, bent)}')
    with pytest.raises(HandgradError, match=r"run\.json: damaged: TypeError\(.no private run is so: Mechanism"):
        Facts.read(place.facts)


def test_secure_noise_is_new_each_time_and_costs_the_same(tmp_path):
    told = config(tmp_path, secure_noise=True)
    for name in ("a", "b"):
        tiny_runs.go(tiny_runs.begin(told, tmp_path / name), None if name == "a" else 7)
    tiny_runs.go(tiny_runs.take_up(told, tmp_path / "b"))
    a, b = (tiny_runs.content(tmp_path / name) for name in "ab")
    assert [line["epsilon"] for line in a["metrics.jsonl"]] == [line["epsilon"] for line in b["metrics.jsonl"]]
    assert a["metrics.jsonl"] != b["metrics.jsonl"]
    assert a["checkpoints/00002-00000000.safetensors"] != b["checkpoints/00002-00000000.safetensors"]


def test_the_scaling_does_not_look_at_the_images(tmp_path):
    scaling = tiny_runs.prepared(config(tmp_path)).facts.scaling
    assert (scaling.mean, scaling.std) == ((0.5,), (0.5,))


def test_an_epoch_that_saw_no_image(tmp_path, monkeypatch):
    opened = tiny_runs.begin(config(tmp_path, epochs=1), tmp_path / "run")
    monkeypatch.setattr(type(opened[0]), "rest_of_epoch", lambda _: iter([torch.arange(0)]))
    loop.fit(*opened, tiny_runs.Silent(), lambda: False)
    (line,) = opened[0].progress.history
    assert line["train_loss"] is None
    assert line["train_accuracy"] is None


def test_verification_changes_no_bit(tmp_path):
    told = config(tmp_path)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "plain"))
    prepared = tiny_runs.prepared(told)
    session.check_gradients(prepared, print)
    tiny_runs.go((prepared, session.begin(prepared, tmp_path / "verified")))
    assert tiny_runs.content(tmp_path / "verified") == tiny_runs.content(tmp_path / "plain")


@pytest.mark.parametrize("seed", range(3))
def test_it_learns_the_digits(tmp_path, seed):
    """With ε = 4.00, in half the time of the setting that the documentation measures."""
    told = Config(**tiny_runs.PRIVATE | {"max_grad_norm": 1.0, "noise_multiplier": 1.1}, model="cnn-group", seed=seed)
    opened = tiny_runs.begin(told, tmp_path / "run")
    tiny_runs.go(opened)
    assert opened[0].progress.history[-1]["test_accuracy"] >= 0.85
