"""The options of `handgrad train`, typed and from a file: each arrives, and a wrong one is one clear error."""

import json
from pathlib import Path

import click
import pytest
import tiny_runs
from commands import run

from handgrad._cli.train import train
from handgrad._training import session
from handgrad._training.config import Config

# An option, its field in the configuration, and a value that is not the default.
OPTIONS = {
    "model": "lenet",
    "epochs": 3,
    "batch_size": 16,
    "optimizer": "adamw",
    "lr": 0.007,
    "momentum": 0.8,
    "weight_decay": 0.02,
    "schedule": "onecycle",
    "augment_shift": 2,
    "dtype": "float64",
    "device": "cpu:0",
    "seed": 11,
    "verify": False,
    "save_every": "epoch",
    "grad_noise_scale": True,
    "private": True,
    "max_grad_norm": 1.5,
    "noise_multiplier": 1.1,
    "target_epsilon": 3.0,
    "delta": 1e-5,
    "clipping": "per-layer",
    "accountant": "rdp",
    "secure_noise": True,
    "max_physical_batch_size": 32,
}


@pytest.fixture
def taken(monkeypatch):
    """The configurations that a run would have been prepared with; then it stops."""
    configurations = []

    class StopError(Exception):
        pass

    def prepare(given, _description, _privacy):
        configurations.append(given)
        raise click.exceptions.Exit(0)

    monkeypatch.setattr(session, "prepare", prepare)
    return configurations


def flags(name, value):
    dashed = name.replace("_", "-")
    return ["--" + ("" if value else "no-") + dashed] if isinstance(value, bool) else [f"--{dashed}", str(value)]


def test_every_field_of_the_configuration_is_an_option():
    names = {param.name for param in train.params} - {"config", "resume", "out"}
    assert names == set(Config.__dataclass_fields__) == {*OPTIONS, "data"}


def test_without_options_the_defaults_are_those_of_the_configuration(taken):
    run("train")
    assert taken == [Config()]


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_typed(taken, name):
    run("train", *flags(name, OPTIONS[name]))
    expected = {name: None if OPTIONS[name] == "epoch" else OPTIONS[name]}
    if name == "private":
        expected["model"] = "cnn-group"
    assert taken == [Config(**expected)]


def test_a_private_run_has_another_network_only_where_none_is_named(taken, tmp_path):
    (tmp_path / "run.toml").write_text('model = "cnn"')
    run("train", "--private")
    run("train", "--private", "--model", "cnn")
    run("train", "--private", "--config", tmp_path / "run.toml")
    assert [config.model for config in taken] == ["cnn-group", "cnn", "cnn"]


@pytest.mark.parametrize("spelling", ["_", "-"])
def test_all_options_from_a_file(taken, tmp_path, spelling):
    lines = [f"{name.replace('_', spelling)} = {json.dumps(value)}" for name, value in OPTIONS.items()]
    (tmp_path / "run.toml").write_text("\n".join([*lines, 'data = "images"']))
    run("train", "--config", tmp_path / "run.toml")
    assert taken == [Config(**OPTIONS | {"save_every": None}, data=tmp_path / "images")]


def test_the_command_line_goes_before_the_file(taken, tmp_path):
    (tmp_path / "run.toml").write_text("epochs = 7\nlr = 0.5\nverify = false")
    run("train", "--epochs", 3, "--config", tmp_path / "run.toml", "--verify")
    assert taken == [Config(epochs=3, lr=0.5, verify=True)]


def test_paths_in_a_file_are_seen_from_its_folder(taken, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "net.toml").write_text(tiny_runs.MODEL)
    (tmp_path / "sub" / "run.toml").write_text('model = "net.toml"\ndata = "../data"')
    monkeypatch.chdir(tmp_path)
    run("train", "--config", "sub/run.toml")
    assert taken == [Config(model="sub/net.toml", data=Path("sub/../data"))]


WRONG_FILES = {
    "lr = ": "run.toml: not TOML: ",
    "learning_rate = 1": "unknown key 'learning_rate'; known are out, data, model, epochs,",
    "config = 'a.toml'": "unknown key 'config'",
    "resume = 'run'": "unknown key 'resume'",
    "epochs = 3.5": "'3.5' is not a valid integer",
    "epochs = true": "'True' is not a valid integer",
    "epochs = [3]": "epochs must be one value",
    "[lr]\na = 1": "lr must be one value",
    "verify = 'perhaps'": "'perhaps' is not a valid boolean",
    "optimizer = 3": "'3' is not one of 'sgd', 'adam', 'adamw'",
    "lr = nan": "nan is not a finite number",
    "seed = -1": "-1 is not in the range",
}


@pytest.mark.parametrize("text", WRONG_FILES)
def test_a_wrong_file_is_one_clear_error(taken, tmp_path, text):
    (tmp_path / "run.toml").write_text(text)
    result = run("train", "--config", tmp_path / "run.toml", exit_code=2)
    assert WRONG_FILES[text] in " ".join(result.stderr.split())
    assert not taken


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--epochs", "0"], "0 is not in the range x>=1"),
        (["--lr", "0"], "0.0 is not in the range x>0"),
        (["--lr", "inf"], "inf is not a finite number"),
        (["--momentum", "1"], "1.0 is not in the range 0<=x<1"),
        (["--save-every", "often"], "'often' is not a valid float"),
        (["--save-every", "-1"], "-1.0 is not in the range x>=0"),
        (["--dtype", "float16"], "'float16' is not one of 'float32', 'float64', 'bfloat16'"),
        (["--config", "gone.toml"], "gone.toml: cannot be read: No such file"),
        (["--resume", "gone"], "gone: no such folder"),
        (["--data", "gone"], "gone: no such file or folder"),
        (["--model", "gone.toml"], "gone.toml: cannot be read: No such file"),
        (["--model", "vgg"], "--model vgg: neither cnn nor cnn-group nor lenet nor a .toml file"),
        (["--noise-multiplier", "0.05"], "0.05 is not in the range x>=0.1"),
        (["--target-epsilon", "0"], "0.0 is not in the range 0<x<=100"),
        (["--max-grad-norm", "1e-30"], "1e-30 is not in the range x>=1e-12"),
        (["--max-grad-norm", "nan"], "nan is not a finite number"),
        (["--delta", "1"], "1.0 is not in the range 0<x<1"),
        (["--max-physical-batch-size", "0"], "0 is not in the range x>=1"),
        (["--clipping", "none"], "'none' is not one of 'flat', 'per-layer'"),
        (["--accountant", "mine"], "'mine' is not one of 'pld', 'rdp'"),
        (["--device", "cuda:77"], "--device cuda:77: not to be had on this machine"),
    ],
)
def test_wrong_options_are_one_clear_error(tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    result = run("train", *args, exit_code=2)
    assert message in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


def test_the_help_says_every_option_and_its_default():
    text = " ".join(run("train", "--help").output.split())
    assert "the 1,797 digits that come with handgrad" in text
    for name in Config.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in text
    assert f"[default: {Config.epochs}; x>=1]" in text


@pytest.mark.parametrize("option", ["--batch-size", "--augment-shift"])
def test_a_number_too_large_for_a_tensor(option):
    assert "is not in the range" in run("train", option, "9" * 23, exit_code=2).stderr
