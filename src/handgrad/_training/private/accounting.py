"""What a private run gives away: ε for a δ, by Google's dp-accounting, which is imported only here and only when used.

Each step is a Gaussian mechanism on a Poisson sample, and the steps compose. Neighbouring data sets differ in one image
that is added or taken away. `pld` composes privacy loss distributions, which is tight; `rdp` composes Rényi divergences
(Mironov et al., 2019), which is what most published figures were computed with, and larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from handgrad._errors import HandgradError

ACCOUNTANTS = {"pld": "PLDAccountant", "rdp": "RdpAccountant"}  # each in dp_accounting's module of its name
LEAST_NOISE = 0.1  # noise multiplier: ε is above a hundred there, pld takes a minute, and further down rdp is wrong
TOLERANCE = 1e-4  # of a noise multiplier that is looked for
TIGHTER = 0.8  # pld's noise multiplier is rarely less than this much of rdp's


@dataclass(frozen=True)
class Mechanism:
    """What a private step does, and all that ε follows from.

    The chance of an image to be in a batch; the bound on the norm of its gradient, and the noise's deviation for a
    bound of 1; and the δ that ε is told for.
    """

    accountant: str
    sampling_probability: float
    noise_multiplier: float
    max_grad_norm: float
    delta: float

    def __post_init__(self) -> None:
        """Raise TypeError for what no run has written, as it may come from a file."""
        numbers = self.sampling_probability, self.noise_multiplier, self.max_grad_norm, self.delta
        if self.accountant not in ACCOUNTANTS or not all(isinstance(number, int | float) for number in numbers):
            raise TypeError(f"no private run is so: {self}")

    def epsilon(self, steps: int) -> float:
        """What so many steps give away. Raises HandgradError without dp-accounting, or if there is no bound."""
        spent = (self.accountant, self.sampling_probability, self.noise_multiplier, steps, self.delta)
        return _epsilon(*spent) if steps else 0.0  # of nothing the library makes an error


def noise_multiplier(accountant: str, probability: float, steps: int, epsilon: float, delta: float) -> float:
    """The least noise, up to `TOLERANCE` and not below `LEAST_NOISE`, that keeps so many steps within `epsilon`.

    Raises HandgradError without dp-accounting, or where no noise is enough.
    """
    dp = _library()

    def within(name: str, noise: float) -> bool:
        return bool(_composed(name, probability, noise, steps).get_epsilon(delta) <= epsilon)

    def calibrated(name: str, bracket: Any) -> float:
        def event(noise: float) -> Any:
            return _event(probability, noise, steps)

        return float(
            dp.calibrate_dp_mechanism(lambda: _accountant(name), event, epsilon, delta, bracket, tol=TOLERANCE)
        )

    try:
        if within("rdp", LEAST_NOISE):
            return LEAST_NOISE
        enough = calibrated("rdp", dp.LowerEndpointAndGuess(LEAST_NOISE, 1.0))  # at once; pld takes seconds and more
        while accountant != "rdp" and enough > LEAST_NOISE:
            less = max(LEAST_NOISE, TIGHTER * enough)
            if not within(accountant, less):
                return calibrated(accountant, dp.ExplicitBracketInterval(less, enough))
            enough = less
        return enough
    except (dp.mechanism_calibration.NoBracketIntervalFoundError, ValueError) as problem:
        raise HandgradError(
            f"--target-epsilon {epsilon:g}: no noise keeps {steps} steps within it at --delta {delta:g}"
        ) from problem


def shown(epsilon: float) -> str:
    """ε to the next hundredth, or to two digits where it is smaller: upwards, for what is promised must be kept."""
    exact = Decimal(repr(epsilon))
    return str(exact.quantize(Decimal(1).scaleb(min(-2, exact.adjusted() - 1)), ROUND_CEILING)).lower()


@cache
def _epsilon(accountant: str, probability: float, noise: float, steps: int, delta: float) -> float:
    epsilon = float(_composed(accountant, probability, noise, steps).get_epsilon(delta))
    if not math.isfinite(epsilon):
        raise HandgradError(f"noise multiplier {noise:g}, δ = {delta:g}: no ε bounds what {steps} steps give away")
    return epsilon


def _composed(accountant: str, probability: float, noise: float, steps: int) -> Any:
    return _accountant(accountant).compose(_event(probability, noise, steps))


def _event(probability: float, noise: float, steps: int) -> Any:
    dp = _library()
    return dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(probability, dp.GaussianDpEvent(noise)), steps)


def _accountant(name: str) -> Any:
    return getattr(getattr(_library(), name), ACCOUNTANTS[name])()


def _library() -> ModuleType:
    try:
        for name in ACCOUNTANTS:
            import_module(f"dp_accounting.{name}")
        import_module("absl.logging").set_verbosity("error")  # it warns of each order that rdp leaves out
        return import_module("dp_accounting")
    except ImportError as problem:
        raise HandgradError(
            f'--private counts with dp-accounting, which is not here ({problem}): pip install "handgrad[private]"'
        ) from problem
