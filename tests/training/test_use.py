"""A trained network handed on: to evaluation, to ONNX, to plain PyTorch."""

import subprocess
import sys
from dataclasses import replace

import idx_files
import numpy as np
import pytest
import tiny_runs
import torch
from torch import nn

from handgrad import HandgradError
from handgrad._training import export, use


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, its session and its folder."""
    folder = tmp_path_factory.mktemp("use")
    opened = tiny_runs.begin(tiny_runs.config(folder, epochs=3), folder / "run")
    tiny_runs.go(opened)
    return opened


def test_it_is_the_network_of_the_last_epoch(run):
    session, place = run
    trained = use.load(place.folder, None, print)
    assert not trained.model.training
    for name, tensor in session.model.state_dict().items():
        assert torch.equal(trained.model.state_dict()[name], tensor)
    result, count = use.evaluated(trained, None)
    last = session.progress.history[-1]
    assert (result.accuracy, result.loss, count) == (last["test_accuracy"], last["test_loss"], 20)


def test_probabilities_are_those_of_the_plain_network(run):
    session, place = run
    images = session.data.test.images
    given = use.load(place.folder, None, print).probabilities(images)
    plain = eval(session.description.python(), {"nn": nn})
    plain.load_state_dict(session.model.state_dict())
    wanted = plain.eval()(session.facts.scaling.apply(images, torch.float32)).softmax(1)
    torch.testing.assert_close(given, wanted.double(), atol=1e-6, rtol=1e-5)


def test_an_unfinished_run_can_be_used_and_a_damaged_checkpoint_is_passed_over(tmp_path):
    tiny_runs.go(tiny_runs.begin(tiny_runs.config(tmp_path), tmp_path / "run"), 7)
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    said = []
    use.load(tmp_path / "run", None, said.append)
    assert newest.name in said[0]
    assert newest.exists()  # looking at a run changes nothing in it


def test_images_of_another_kind(run, tmp_path):
    trained = use.load(run[1].folder, None, print)
    idx_files.write(tmp_path / "large", idx_files.arrays(size=9))
    idx_files.write(tmp_path / "many", idx_files.arrays(classes=5))
    with pytest.raises(HandgradError, match=r"large: images of \(1, 9, 9\), but the network takes \(1, 8, 8\)"):
        use.evaluated(trained, tmp_path / "large")
    with pytest.raises(
        HandgradError, match=r"many: its classes \(0, 1, 2, 3, 4\) are not the network's \(0, 1, 2, 3\)"
    ):
        use.evaluated(trained, tmp_path / "many")
    other = idx_files.write(tmp_path / "other", idx_files.arrays(test=7))
    assert use.evaluated(trained, other)[1] == 7


def test_the_runs_own_data_has_changed(run):
    trained = use.load(run[1].folder, None, print)
    said = []
    use.evaluated(trained, None, said.append)
    assert not said
    use.evaluated(replace(trained, facts=replace(trained.facts, fingerprint="other")), None, said.append)
    assert "not the data that the run began with" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_onnx_is_in_float32_whatever_the_run_was(tmp_path, dtype):
    onnx = pytest.importorskip("onnx")
    tiny_runs.go(tiny_runs.begin(tiny_runs.config(tmp_path, dtype=dtype), tmp_path / "run"), 3)
    export.onnx(use.load(tmp_path / "run", None, print), tmp_path / "net.onnx")
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert {one.type.tensor_type.elem_type for one in (*graph.input, *graph.output)} == {onnx.TensorProto.FLOAT}


def test_a_device_that_is_not_there(run):
    with pytest.raises(HandgradError, match="--device cuda:99: not to be had on this machine: "):
        use.load(run[1].folder, "cuda:99", print)
    with pytest.raises(HandgradError, match="--device meta: not to be had on this machine: "):
        use.load(run[1].folder, "meta", print)
    with pytest.raises(HandgradError, match="--device toaster: not to be had on this machine: "):
        use.load(run[1].folder, "toaster", print)


def network_input(run, count):
    session, place = run
    images = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8)
    x = session.facts.scaling.apply(images, torch.float32)
    return x, use.load(place.folder, None, print).model(x)[0]


@pytest.mark.slow
def test_onnx_in_one_file_for_any_number_of_images(run, tmp_path, capfd):
    runtime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "net.onnx"
    export.onnx(use.load(run[1].folder, None, print), path)
    assert capfd.readouterr() == ("", "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.onnx"]
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 2, 7):
        x, logits = network_input(run, count)
        (given,) = session.run(["logits"], {"images": x.numpy()})
        np.testing.assert_allclose(given, logits.numpy(), atol=1e-5)
    notes = session.get_modelmeta().custom_metadata_map
    assert notes["handgrad.classes"] == "0 1 2 3"
    assert notes["handgrad.input"].startswith("(pixel / 255 - [0.")


def test_onnx_without_onnx_names_the_extra(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(HandgradError, match=r"ONNX needs the extra: pip install 'handgrad\[onnx\]'"):
        export.onnx(use.load(run[1].folder, None, print), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(run, tmp_path):
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(HandgradError, match=r"folder\.pt: is a folder"):
        export.pytorch(use.load(run[1].folder, None, print), tmp_path / "folder.pt")


def test_a_state_dict_fits_the_text_that_goes_with_it(run, tmp_path):
    trained = use.load(run[1].folder, None, print)
    export.pytorch(trained, tmp_path / "net.pt")
    model = eval(trained.description.python(), {"nn": nn})
    model.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    x, logits = network_input(run, 5)
    torch.testing.assert_close(model.eval()(x), logits)


@pytest.mark.slow
def test_a_program_needs_no_handgrad(run, tmp_path):
    export.pytorch(use.load(run[1].folder, None, print), tmp_path / "net.pt2")
    x, logits = network_input(run, 5)
    torch.save((x, logits), tmp_path / "pair.pt")
    code = (
        "import sys, torch; sys.modules['handgrad'] = None\n"
        "model = torch.export.load('net.pt2').module()\n"
        "x, logits = torch.load('pair.pt')\n"
        "torch.testing.assert_close(model(x), logits); torch.testing.assert_close(model(x[:1]), logits[:1])"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    ("low", "high", "formula"),
    [(0.0, 255.0, "(pixel / 255 - [0.5]) / [0.25]"), (-1.0, 3.0, "(pixel - -1) / 4 - [0.5]) / [0.25]")],
)
def test_the_formula_for_pixels(run, low, high, formula):
    trained = use.load(run[1].folder, None, print)
    scaling = replace(trained.facts.scaling, low=low, high=high, mean=(0.5,), std=(0.25,))
    assert export.preparation(replace(trained, facts=replace(trained.facts, scaling=scaling))).endswith(formula)
