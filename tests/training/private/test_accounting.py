"""ε: published figures, closed forms, and an accountant of the test's own beside the library's."""

import math
import subprocess
import sys

import pytest
from dp_accounting import NoOpDpEvent
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp
from scipy.stats import norm

from handgrad import HandgradError
from handgrad._training.private import accounting
from handgrad._training.private.accounting import ACCOUNTANTS, Mechanism

DELTA = 1e-5
TUTORIALS = [  # MNIST in TensorFlow Privacy's tutorial: noise multiplier, epochs of batches of 256, and its ε
    (1.3, 15, 1.19),
    (1.1, 60, 3.01),
    (0.7, 45, 7.10),
]
ABADI = [(100, 1.26), (400, 2.55)]  # Abadi et al., 2016, section 3.2: epochs with q = 0.01, σ = 4, and the ε of each


def epsilon(accountant, probability, noise, steps, delta=DELTA):
    return Mechanism(accountant, probability, noise, 1.0, delta).epsilon(steps)


def rdp(probability, noise, order):
    """The Rényi divergence of one step at a whole order: Mironov, Talwar, Zhang, 2019, section 3.3."""
    terms = [
        gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
        + (order - k) * math.log1p(-probability) + k * math.log(probability)
        + k * (k - 1) / (2 * noise**2)
        for k in range(order + 1)
    ]  # fmt: skip
    return logsumexp(terms) / (order - 1)


def by_orders(probability, noise, steps, delta=DELTA):
    """ε by Mironov, 2017, proposition 3, as the tutorials of the time had it."""
    return min(steps * rdp(probability, noise, order) + math.log(1 / delta) / (order - 1) for order in range(2, 257))


def by_integral(probability, noise, delta):
    """The exact ε of a single step: δ(ε) = ∫ max(0, p − e^ε q), whichever of p and q has the image."""

    def without(x):
        return norm.pdf(x, 0, noise)

    def having(x):
        return (1 - probability) * norm.pdf(x, 0, noise) + probability * norm.pdf(x, 1, noise)

    def excess(epsilon):
        pairs = ((having, without), (without, having))
        far = 12 * noise
        return max(
            quad(lambda x, p=p, q=q: max(0.0, p(x) - math.exp(epsilon) * q(x)), -far, 1 + far, limit=2000, points=[0])[
                0
            ]
            for p, q in pairs
        )

    return brentq(lambda epsilon: excess(epsilon) - delta, 0, 20, xtol=1e-6)


@pytest.mark.parametrize(("noise", "epochs", "published"), TUTORIALS)
def test_the_tutorials_settings(noise, epochs, published):
    """The oracle meets the published figure; the library's two, which convert to ε more tightly, are below."""
    probability, steps = 256 / 60_000, epochs * 60_000 // 256
    oracle = by_orders(probability, noise, steps)
    assert oracle == pytest.approx(published, rel=0.01)
    theirs = epsilon("rdp", probability, noise, steps)
    assert 0.8 * oracle < theirs < oracle
    assert 0.8 * theirs < epsilon("pld", probability, noise, steps) < theirs


@pytest.mark.parametrize(("epochs", "published"), ABADI)
def test_the_moments_accountants_settings(epochs, published):
    oracle = by_orders(0.01, 4.0, 100 * epochs)
    assert oracle == pytest.approx(published, rel=0.015)
    assert 0.7 * oracle < epsilon("pld", 0.01, 4.0, 100 * epochs) < epsilon("rdp", 0.01, 4.0, 100 * epochs) < oracle


@pytest.mark.parametrize(("noise", "steps"), [(5.0, 100), (3.0, 1), (20.0, 400)])
def test_with_every_image_in_every_batch_it_is_one_gaussian(noise, steps):
    """Balle, Wang, 2018, theorem 8, has δ in closed form."""
    s = noise / math.sqrt(steps)

    def delta(epsilon):
        return norm.cdf(1 / (2 * s) - epsilon * s) - math.exp(epsilon) * norm.cdf(-1 / (2 * s) - epsilon * s)

    exact = brentq(lambda epsilon: delta(epsilon) - DELTA, 0, 50, xtol=1e-9)
    assert epsilon("pld", 1.0, noise, steps) == pytest.approx(exact, rel=1e-3)
    assert exact < epsilon("rdp", 1.0, noise, steps) < 1.2 * exact


@pytest.mark.parametrize(("probability", "noise"), [(0.0445, 1.1), (0.2, 0.8), (0.01, 2.0)])
def test_a_single_step_by_integration(probability, noise):
    exact = by_integral(probability, noise, DELTA)
    assert exact - 1e-4 < epsilon("pld", probability, noise, 1) < exact + 1e-3


@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_epsilon_grows_with_steps_and_falls_with_noise(accountant):
    values = [epsilon(accountant, 0.05, noise, steps) for noise, steps in ((2.0, 10), (2.0, 100), (1.0, 100))]
    assert values == sorted(values)
    assert 0 < values[0] < values[1] < values[2]
    assert epsilon(accountant, 0.05, 1.0, 0) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("accountant", ACCOUNTANTS)
@pytest.mark.parametrize(("probability", "steps", "target"), [(0.0445, 264, 3.0), (0.0445, 1, 1.0), (0.3, 50, 0.5)])
def test_the_noise_for_an_epsilon_is_enough_and_no_more(accountant, probability, steps, target):
    noise = accounting.noise_multiplier(accountant, probability, steps, target, DELTA)
    assert epsilon(accountant, probability, noise, steps) <= target
    assert epsilon(accountant, probability, noise - 2 * accounting.TOLERANCE, steps) > target


@pytest.mark.slow
@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_the_noise_for_an_epsilon_has_a_least_value(accountant):
    """For ε = 100 and this δ less would do."""
    assert accounting.noise_multiplier(accountant, 0.01, 1, 100.0, 0.9) == accounting.LEAST_NOISE


class Inverse:
    """An accountant whose ε is a number divided by the noise."""

    ledger = NoOpDpEvent()

    def __init__(self, number):
        self.number = number

    def compose(self, event):
        self.noise = event.event.event.noise_multiplier
        return self

    def get_epsilon(self, _delta):
        return self.number / self.noise


def test_pld_may_be_far_below_what_rdp_asks_for(monkeypatch):
    monkeypatch.setattr(accounting, "_accountant", lambda name: Inverse({"pld": 1.0, "rdp": 4.0}[name]))
    assert accounting.noise_multiplier("rdp", 0.1, 7, 2.0, DELTA) == pytest.approx(2.0, abs=1e-3)
    assert accounting.noise_multiplier("pld", 0.1, 7, 2.0, DELTA) == pytest.approx(0.5, abs=1e-3)
    assert accounting.noise_multiplier("pld", 0.1, 7, 20.0, DELTA) == accounting.LEAST_NOISE


@pytest.mark.parametrize(
    ("epsilon", "shown"),
    [
        (1.4650001, "1.47"),
        (4.0, "4.00"),
        (0.1, "0.10"),
        (2.0000001, "2.01"),
        (99.999, "100.00"),
        (0.0041, "0.0041"),
        (1.234e-7, "1.3e-7"),
        (0.0, "0.00"),
    ],
)
def test_epsilon_is_shown_rounded_up_and_never_as_nothing(epsilon, shown):
    assert accounting.shown(epsilon) == shown


def test_so_small_a_delta_that_there_is_no_epsilon():
    with pytest.raises(HandgradError, match=r"noise multiplier 1, δ = 1e-30: no ε bounds what 60 steps give away"):
        epsilon("pld", 0.2, 1.0, 60, 1e-30)


def test_no_noise_is_enough():
    with pytest.raises(HandgradError, match=r"--target-epsilon 1e-14: no noise keeps 264 steps within it at --delta"):
        accounting.noise_multiplier("pld", 0.0445, 264, 1e-14, 1e-12)


@pytest.mark.parametrize(
    "ask", [lambda: epsilon("pld", 0.1, 1.23, 7), lambda: accounting.noise_multiplier("pld", 0.1, 7, 3, DELTA)]
)
def test_without_the_library_it_says_how_to_get_it(monkeypatch, ask):
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    for name in ACCOUNTANTS:
        monkeypatch.delitem(sys.modules, f"dp_accounting.{name}", raising=False)
    with pytest.raises(
        HandgradError, match=r'dp-accounting, which is not here \(.*\): pip install "handgrad\[private\]"'
    ):
        ask()


@pytest.mark.slow
def test_the_library_is_imported_only_when_it_counts():
    code = "import sys, handgrad._cli.train, handgrad._training.loop; print('dp_accounting' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
