"""`handgrad evaluate`, `predict` and `export`, and the command as a whole."""

import json
import subprocess
import sys

import idx_files
import numpy as np
import pytest
import torch
from commands import run
from PIL import Image
from torch import nn

from handgrad._training import data
from handgrad._training.evaluate import Result

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run that learnt the real digits well enough to be asked."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    run("train", "--epochs", 3, "--no-verify", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """One held-out digit of each class, dark on light in the size of a photograph; the test set's own labels."""
    test = data.load(None, seed=0).test
    paths = []
    for label in range(10):
        index = int((test.labels == label).nonzero()[0])
        pixels = 255 - test.images[index, 0].numpy().astype(float) * (255 / 16)
        path = tmp_path_factory.mktemp("pictures") / f"{label}.png"
        Image.fromarray(pixels.astype(np.uint8)).resize((160, 160), Image.Resampling.NEAREST).convert("RGB").save(path)
        paths.append(path)
    return paths


def test_evaluate(digits):
    last = json.loads((digits / "metrics.jsonl").read_text().splitlines()[-1])
    result = run("evaluate", digits, "--json")
    answer = json.loads(result.stdout)
    assert answer["accuracy"] == last["test_accuracy"]
    assert answer["loss"] == last["test_loss"]
    assert (answer["images"], answer["wrong"]) == (359, round((1 - last["test_accuracy"]) * 359))
    text = run("evaluate", digits).stdout
    assert text == f"accuracy {answer['accuracy']:.2%} ({answer['wrong']} of 359 wrong), loss {answer['loss']:.4f}\n"


def test_a_loss_that_is_no_number_is_null_in_json(digits, monkeypatch):
    result = Result(float("nan"), 0.5, torch.zeros(2))
    monkeypatch.setattr("handgrad._training.use.evaluated", lambda *_args, **_more: (result, 2))
    assert json.loads(run("evaluate", digits, "--json").stdout, parse_constant=pytest.fail)["loss"] is None


def test_evaluate_other_data(digits, tmp_path):
    made = idx_files.arrays(train=50, test=30)
    for part in ("train", "test"):
        made[f"{part}_labels"] = np.arange(len(made[f"{part}_labels"])) % 10
    idx_files.write(tmp_path, made)
    assert json.loads(run("evaluate", digits, "--data", tmp_path, "--json").stdout)["images"] == 30
    result = run("evaluate", digits, "--data", tmp_path / "gone", exit_code=2)
    assert result.stderr == f"error: {tmp_path / 'gone'}: no such file or folder\n"


def test_predict_one_picture_as_json(digits, pictures):
    result = run("predict", digits, pictures[3], "--json")
    answer = json.loads(result.stdout)
    assert answer["label"] == 3
    assert len(answer["probabilities"]) == 10
    assert sum(answer["probabilities"]) == pytest.approx(1)
    assert int(np.argmax(answer["probabilities"])) == 3
    assert answer["prepared"] == ["turned to grey", "inverted", "resized from 160x160 to 8x8"]


def test_predict_real_digits(digits, pictures):
    answers = json.loads(run("predict", digits, *pictures, "--json").stdout)
    assert [answer["image"] for answer in answers] == [str(path) for path in pictures]
    assert sum(answer["label"] == label for label, answer in enumerate(answers)) >= 9
    lines = run("predict", digits, *pictures).stdout.splitlines()
    assert lines[0].startswith(f"{pictures[0]}: {answers[0]['label']}, ")
    assert lines[0].endswith("% sure  (turned to grey, inverted, resized from 160x160 to 8x8)")


def test_what_cannot_be_predicted(digits, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    assert run("predict", digits, tmp_path / "text.png", exit_code=2).stderr == (
        f"error: {tmp_path / 'text.png'}: not a picture in a format known here\n"
    )
    assert "gone: no such folder" in run("predict", tmp_path / "gone", "a.png", exit_code=2).stderr
    assert "not a run of handgrad" in run("predict", tmp_path, "a.png", exit_code=2).stderr
    assert "Missing argument 'IMAGE...'" in run("predict", digits, exit_code=2).stderr


def test_export_prints_a_network_that_the_file_fits(digits, tmp_path):
    path = tmp_path / "net.pt"
    text = run("export", digits, "--torch", path).stdout
    code = text[text.index("model = ") : text.index("each image")]
    known = {"nn": nn, "torch": torch}
    exec(code, known)
    test = data.load(None, seed=0).test
    formula = text.split("each image must be given as ")[1].replace("[", "").replace("]", "")
    images = eval(formula, {"pixel": test.images.float()})
    accuracy = float((known["model"](images).argmax(1) == test.labels).double().mean())
    assert accuracy == json.loads(run("evaluate", digits, "--json").stdout)["accuracy"]


def test_export_says_what_it_wrote(digits, tmp_path):
    pytest.importorskip("onnxscript")
    text = run("export", digits, "--onnx", tmp_path / "net.onnx", "--torch", tmp_path / "net.pt2").stdout
    assert f"{tmp_path / 'net.onnx'}: ONNX, images (N, 1, 8, 8) to logits" in text
    assert f"model = torch.export.load('{tmp_path / 'net.pt2'}').module()" in text
    assert (tmp_path / "net.onnx").exists()
    assert (tmp_path / "net.pt2").exists()
    assert "give --onnx FILE or --torch FILE" in run("export", digits, exit_code=2).stderr


def test_the_file_system_says_no_in_one_line(digits, tmp_path):
    result = run("export", digits, "--torch", tmp_path / "no" / "net.pt", exit_code=2)
    assert result.stderr == f"error: {tmp_path / 'no'}: no such folder\n"


def test_help_lists_the_commands_and_version_is_the_package_s():
    from importlib.metadata import version

    text = run("--help").output
    for command in ("train", "evaluate", "predict", "export"):
        assert f"\n  {command} " in text
    assert run("--version").output == f"handgrad {version('handgrad')}\n"


def test_as_a_module_and_without_what_only_commands_need():
    code = (
        "import runpy, sys; sys.argv[1:] = ['--version']\n"
        "try: runpy.run_module('handgrad', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([name for name in ('matplotlib', 'safetensors', 'rich', 'PIL', 'onnx') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[0].startswith("handgrad 0.")
    assert result.stdout.splitlines()[1] == "[]"
