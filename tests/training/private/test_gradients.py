"""A private step: against a loop that takes one image at a time through autograd, and its noise."""

import math

import pytest
import tiny_runs
import torch
from scipy.stats import kstest
from torch import nn
from torch.nn import functional as F

from handgrad import layers
from handgrad._training import loop
from handgrad._training.private import clipping, sampling
from handgrad._training.private.gradients import clipped_sum, gradients
from handgrad._training.private.randomness import generator
from handgrad.per_sample import Samples

EVERYBODY = torch.arange(40)


@pytest.fixture
def prepared(tmp_path):
    """From changed options to a session without dropout and shifts, in float64."""

    def prepare(**changes):
        given = tiny_runs.PRIVATE | {"dtype": "float64", "augment_shift": 0} | changes
        begun = tiny_runs.prepared(tiny_runs.config(tmp_path, **given))
        for layer in begun.model:
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
        return begun

    return prepare


def one_by_one(session, indices):
    """Each image's gradient of its own loss, by autograd: [{parameter's name: gradient}]."""
    twin = layers.to_torch(session.model)
    x = session.facts.scaling.apply(session.data.train.images, session.dtype)
    found = []
    for index in indices.tolist():
        twin.zero_grad()
        with torch.enable_grad():
            F.cross_entropy(twin(x[index : index + 1]), session.data.train.labels[index : index + 1]).backward()
        found.append({name: parameter.grad.clone() for name, parameter in twin.named_parameters()})
    return found


def clipped_by_hand(session, indices, bound, per_layer):
    """Σ of the clipped gradients, {name: sum}."""
    total = {name: torch.zeros_like(parameter) for name, parameter in session.model.named_parameters()}
    together = [[name for name in total if name.startswith(f"{layer}.")] for layer in {n.split(".")[0] for n in total}]
    for image in one_by_one(session, indices):
        for names in together if per_layer else [list(total)]:
            share = bound / math.sqrt(len(together)) if per_layer else bound
            norm = math.sqrt(sum(float(image[name].square().sum()) for name in names))
            for name in names:
                total[name] += image[name] * min(1.0, share / norm)
    return total


def named(session, sums):
    names = {parameter: name for name, parameter in session.model.named_parameters()}
    return {names[parameter]: tensor for parameter, tensor in sums.items()}


@pytest.mark.parametrize("most", [1, 7, 256])
@pytest.mark.parametrize("bound", [0.3, 4.8, 100.0])  # every image is clipped, some are, none is
@pytest.mark.parametrize("kind", clipping.CLIPPINGS)
def test_the_clipped_sum_is_that_of_a_loop(prepared, kind, bound, most):
    session = prepared(clipping=kind, max_physical_batch_size=most)
    got = named(session, clipped_sum(session, bound, EVERYBODY))
    wanted = clipped_by_hand(session, EVERYBODY, bound, kind == "per-layer")
    assert got.keys() == wanted.keys()
    for name in wanted:
        torch.testing.assert_close(got[name], wanted[name], rtol=1e-10, atol=1e-11)


def size(tensors):
    return math.sqrt(sum(float(tensor.square().sum()) for tensor in tensors.values()))


def test_some_are_clipped_and_some_are_not(prepared):
    """Or the test above would not see the difference."""
    norms = [size(image) for image in one_by_one(prepared(), EVERYBODY)]
    assert 0.3 < min(norms) < 4.8 < max(norms) < 100.0


@pytest.mark.parametrize("bound", [0.3, 4.8, 100.0])
@pytest.mark.parametrize("kind", clipping.CLIPPINGS)
def test_any_one_image_changes_the_sum_by_the_bound_at_most(prepared, kind, bound):
    """And by just that if its gradient is longer, and by its gradient if it is shorter."""
    session = prepared(clipping=kind)
    everything = named(session, clipped_sum(session, bound, EVERYBODY))
    for planted, raw in zip(range(0, 40, 5), one_by_one(session, EVERYBODY[::5]), strict=True):
        without = named(session, clipped_sum(session, bound, EVERYBODY[planted != EVERYBODY]))
        change = size({name: everything[name] - without[name] for name in without})
        assert change <= bound * (1 + 1e-12)
        if kind == "flat":
            assert change == pytest.approx(min(bound, size(raw)), rel=1e-10)


def test_an_empty_batch_is_noise_alone(prepared):
    session = prepared()
    gradients(session, session.privacy, EVERYBODY[:0])
    chance = generator(False, 5, 0, 0, 2)
    for parameter in session.model.parameters():
        noise = torch.from_numpy(chance.standard_normal(parameter.numel())).view_as(parameter)
        torch.testing.assert_close(parameter.grad, 0.5 * noise / 8)
    assert session.progress.seen == 0
    assert session.progress.mean_loss is None
    assert session.progress.accuracy is None


@pytest.mark.parametrize("secure", [False, True])
def test_the_noise_is_normal_and_divided_by_the_expected_batch(prepared, secure):
    """(B · gradient − sum) / (σ C) is standard normal, whatever the batch has: Kolmogorov's and Smirnov's test."""
    session = prepared(secure_noise=secure, noise_multiplier=3.0, max_grad_norm=2.0)
    found = []
    for position in range(20):
        session.progress.position = position
        who = EVERYBODY[: 2 * position]
        sums = clipped_sum(session, 2.0, who)
        gradients(session, session.privacy, who)
        found += [((8 * p.grad - total) / 6.0).flatten() for p, total in sums.items()]
    numbers = torch.cat(found).numpy()
    assert len(numbers) > 1000
    assert kstest(numbers, "norm").pvalue > 1e-6
    assert len(set(numbers.round(12))) == len(numbers)  # no step has another's noise, no parameter another's


def test_every_step_is_the_one_that_a_loop_would_take(tmp_path, prepared):
    """Two epochs: batches and noise from the same generator, gradients one by one, torch.optim's own step."""
    session = prepared()
    twin = prepared()
    optimizer = torch.optim.Adam(twin.model.parameters(), 0.01, betas=(0.9, 0.999))
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    for epoch in range(2):
        for position, who in enumerate(sampling.batches(40, 8, 5, epoch, secure=False)):
            sums = clipped_by_hand(twin, who, 0.5, per_layer=False)
            chance = generator(False, 5, epoch, position, 2)
            for name, parameter in twin.model.named_parameters():
                noise = torch.from_numpy(chance.standard_normal(parameter.numel())).view_as(parameter)
                parameter.grad = (sums[name] + 0.5 * noise) / 8
            optimizer.step()
            scheduler.step()
    from handgrad._training import session as sessions

    loop.fit(session, sessions.begin(session, tmp_path / "run"), tiny_runs.Silent(), lambda: False)
    for ours, theirs in zip(session.model.parameters(), twin.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def test_pieces_in_bfloat16_are_added_in_float32(prepared):
    """What they were rounded to would go beyond the bound: by half a part in 1000 here."""
    session = prepared(dtype="bfloat16", max_physical_batch_size=1)
    sums = clipped_sum(session, 0.5, EVERYBODY)
    assert {total.dtype for total in sums.values()} == {torch.float32}
    for index in EVERYBODY[:, None]:
        assert size(clipped_sum(session, 0.5, index)) <= 0.5 * (1 + 1e-5)
    gradients(session, session.privacy, EVERYBODY)
    assert {parameter.grad.dtype for parameter in session.model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_gradient_without_a_finite_norm_stops_the_run(prepared, monkeypatch, norm):
    """Its factor would be 0, and the image be left out without a word."""
    session = prepared()
    monkeypatch.setattr(Samples, "sqnorms", lambda _: {p: torch.full((40,), norm) for p in session.model.parameters()})
    message = "epoch 1, batch 1: the norm of an image's gradient is not finite; a lower --lr helps"
    with pytest.raises(loop.DivergedError, match=message):
        clipped_sum(session, 0.5, EVERYBODY)
