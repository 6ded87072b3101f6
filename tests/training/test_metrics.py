"""metrics.jsonl, and the pictures that are drawn of it."""

import json

import pytest
import tiny_runs
import torch
from PIL import Image

from handgrad._training import loop, metrics, pictures


def test_lines_are_appended_and_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert metrics.read(path) == []
    lines = [{"epoch": epoch, "test_loss": 1 / epoch, "seconds": 0.5} for epoch in (1, 2, 3)]
    for line in lines:
        metrics.append(path, line)
    assert metrics.read(path) == lines
    assert [json.loads(text) for text in path.read_text().splitlines()] == lines


def test_a_line_is_on_the_disk_before_the_run_goes_on(tmp_path, monkeypatch):
    path, synced = tmp_path / "metrics.jsonl", []
    monkeypatch.setattr("os.fsync", lambda _: synced.append(path.read_text()))
    metrics.append(path, {"epoch": 1})
    assert synced == ['{"epoch": 1}\n']


@pytest.mark.parametrize("rest", ["", '{"epoch": 4, "te', "null\n", "[1]\n", "\x00\x00", '{"loss": 1}\n'])
def test_restored_to_what_the_checkpoint_knows(tmp_path, rest):
    path = tmp_path / "metrics.jsonl"
    for epoch in (1, 2, 3):
        metrics.append(path, {"epoch": epoch, "loss": epoch / 3, "seconds": epoch})
    with path.open("a") as file:
        file.write(rest)
    history = [{"epoch": 1, "loss": 1 / 3}, {"epoch": 2, "loss": 2 / 3}]
    wanted = [{**line, "seconds": line["epoch"]} for line in history]
    assert metrics.restore(path, history) == wanted
    assert [json.loads(text) for text in path.read_text().splitlines()] == wanted


@pytest.fixture
def ended(tmp_path):
    opened = tiny_runs.begin(tiny_runs.config(tmp_path), tmp_path / "run")
    tiny_runs.go(opened)
    return opened


def test_three_pictures_the_same_for_the_same_run(ended):
    session, place = ended
    result = loop.test(session)
    paths = pictures.draw(session, place, result)
    assert [path.name for path in paths] == ["curves.png", "confusion.png", "filters.png"]
    before = [path.read_bytes() for path in paths]
    session.model.zero_grad()
    torch.manual_seed(123)
    assert [path.read_bytes() for path in pictures.draw(session, place, result)] == before
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 150
            assert len(picture.convert("L").getcolors(256)) > 10  # not blank


def test_curves_show_the_figures(ended):
    history = ended[0].progress.history
    left, right = pictures.curves(history).axes
    assert left.lines[1].get_ydata().tolist() == [line["test_loss"] for line in history]
    assert right.lines[0].get_ydata().tolist() == [100 * (1 - line["train_accuracy"]) for line in history]


def test_the_confusion_matrix_counts():
    true, predicted = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([0, 1, 1, 0, 0, 2])
    axes = pictures.confusion(true, predicted, classes=[1, 2, 3]).axes[0]
    shown = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    assert shown == {(0, 0): "1", (0, 1): "1", (1, 1): "1", (2, 0): "2", (2, 2): "1"}  # (true, predicted)
    assert axes.get_title() == "3 of 6 wrong"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "3"]


def test_a_confusion_matrix_of_many_classes_stays_small():
    figure = pictures.confusion(torch.arange(300), torch.arange(300), classes=range(300))
    (axes,) = figure.axes
    assert max(figure.get_size_inches()) < 15
    assert not axes.texts
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(label) for label in range(0, 300, 10)]


def test_filters_stand_above_their_gradients(ended):
    """The gradient is autograd's, of the mean loss over the first training images in evaluation mode."""
    from torch.nn import functional as F

    from handgrad import layers

    session, _ = ended
    twin = layers.to_torch(session.model).eval()
    x = session.facts.scaling.apply(session.data.train.images[: pictures.IMAGES], torch.float32)
    F.cross_entropy(twin(x), session.data.train.labels[: pictures.IMAGES]).backward()
    shown = [axes.images[0].get_array() for axes in pictures.filters(session).axes]
    assert len(shown) == 2 * 3
    for index in range(3):
        torch.testing.assert_close(torch.tensor(shown[index]), session.model[0].weight[index, 0].detach())
        torch.testing.assert_close(torch.tensor(shown[3 + index]), twin[0].weight.grad[index, 0])


def test_a_network_without_a_convolution_has_no_filters(tmp_path):
    (tmp_path / "flat.toml").write_text('[[layers]]\ntype = "Flatten"\n[[layers]]\ntype = "Linear"\n')
    opened = tiny_runs.begin(tiny_runs.config(tmp_path, model=str(tmp_path / "flat.toml"), epochs=1), tmp_path / "run")
    tiny_runs.go(opened)
    drawn = pictures.draw(*opened, loop.test(opened[0]))
    assert [path.name for path in drawn] == ["curves.png", "confusion.png"]
