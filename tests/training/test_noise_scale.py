"""The simple noise scale, against gradients taken one at a time by autograd."""

import itertools
from dataclasses import replace

import pytest
import tiny_runs
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from handgrad import layers
from handgrad._training import noise_scale, step
from handgrad._training.state import Progress


def config(folder, **changes):
    told = tiny_runs.config(folder, grad_noise_scale=True, **changes)
    (folder / "tiny.toml").write_text(tiny_runs.PRIVATE_MODEL)
    return told


@pytest.fixture
def prepared(tmp_path):
    """In float64, without dropout and shifts."""
    session = tiny_runs.prepared(config(tmp_path, dtype="float64", augment_shift=0))
    for layer in session.model:
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return session


def one_by_one(session, count) -> Tensor:
    """(n, parameters): the gradient of each of the first images."""
    twin = layers.to_torch(session.model)
    x = session.facts.scaling.apply(session.data.train.images, session.dtype)
    rows = []
    for index in range(count):
        with torch.enable_grad():
            loss = F.cross_entropy(twin(x[index : index + 1]), session.data.train.labels[index : index + 1])
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(twin.parameters()))]))
    return torch.stack(rows)


def estimates(session, indices):
    session.progress = Progress()
    step.gradients(session, torch.as_tensor(indices))
    return session.progress.noise_trace, session.progress.noise_square


def test_the_trace_is_the_unbiased_variance(prepared):
    rows = one_by_one(prepared, 12)
    trace, square = estimates(prepared, range(12))
    assert trace == pytest.approx(float(rows.var(0, correction=1).sum()), rel=1e-9)
    assert square == pytest.approx(float(rows.mean(0).square().sum()) - trace / 12, rel=1e-9)


def test_neither_is_biased(prepared):
    """Over all 6² pairs of six images, the mean of the estimates is the six's own tr(Σ) and |G|²."""
    rows = one_by_one(prepared, 6)
    pairs = [estimates(prepared, pair) for pair in itertools.product(range(6), repeat=2)]
    trace, square = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    assert trace == pytest.approx(float(rows.var(0, correction=0).sum()), rel=1e-9)
    assert square == pytest.approx(float(rows.mean(0).square().sum()), rel=1e-9)


def test_an_epochs_scale_is_the_ratio_of_the_sums(prepared):
    parts = [estimates(prepared, range(start, start + 8)) for start in (0, 8)]
    prepared.progress = Progress()
    for start in (0, 8):
        step.gradients(prepared, torch.arange(start, start + 8))
    trace, square = (sum(values) for values in zip(*parts, strict=True))
    assert noise_scale.of(prepared.progress) == pytest.approx(trace / square)


def test_one_image_says_nothing(prepared):
    assert estimates(prepared, [3]) == (0.0, 0.0)


@pytest.mark.parametrize("square", [0.0, -1.0])
def test_a_gradient_that_is_lost_in_the_noise_has_no_scale(square):
    assert noise_scale.of(Progress(noise_trace=2.0, noise_square=square)) is None


@pytest.mark.slow
def test_it_stands_with_every_epoch_changes_no_bit_and_goes_on_after_a_stop(tmp_path):
    told = config(tmp_path)
    opened = tiny_runs.begin(told, tmp_path / "whole")
    tiny_runs.go(opened)
    history = opened[0].progress.history
    assert all(line["grad_noise_scale"] > 0 for line in history)
    tiny_runs.go(tiny_runs.begin(told, tmp_path / "stopped"), 7)
    tiny_runs.go(tiny_runs.take_up(told, tmp_path / "stopped"))
    assert tiny_runs.content(tmp_path / "stopped") == tiny_runs.content(tmp_path / "whole")
    plain = tiny_runs.begin(replace(told, grad_noise_scale=False), tmp_path / "plain")
    tiny_runs.go(plain)
    for ours, theirs in zip(opened[0].model.parameters(), plain[0].model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert [{**line, "grad_noise_scale": 0} for line in plain[0].progress.history] == [
        {**line, "grad_noise_scale": 0} for line in history
    ]
