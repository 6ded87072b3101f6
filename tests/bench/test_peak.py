"""The peak: its loop does the multiplications that are counted, and without Numba a product stands in."""

from __future__ import annotations

import pytest
import torch

from handgrad._bench import peak


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_loop_takes_its_steps(steps: int, dtype: torch.dtype) -> None:
    """Chain i starts at i and is multiplied by 1 + steps in every step."""
    spin, lanes, chains = peak._loop(dtype)
    assert lanes * dtype.itemsize in (16, 32, 64)
    assert spin(steps) == sum(range(chains)) * (1 + steps) ** steps


def test_every_chain_and_lane_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    monkeypatch.setattr(peak, "_loop", lambda _: (ran.append, 8, 12))
    monkeypatch.setattr(peak, "_best", lambda call: (call(), 0.5)[1])
    found = peak.measure(torch.float32, 3)
    assert ran == [peak.STEPS] * 3
    assert found == peak.Peak(2 * 8 * 12 * peak.STEPS * 3 / 0.5, "FMA loop by Numba, 12 chains of 8 lanes a thread")


def test_without_numba_a_product_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "find_spec", lambda _: None)
    monkeypatch.setattr(peak, "_best", lambda call: (call(), 0.5)[1])
    found = peak.measure(torch.float64, 1)
    assert found == peak.Peak(2 * 1024**3 / 0.5, "torch.matmul, 1024×1024 (Numba is not installed)")


def test_the_best_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 3.0, 3.0, 5.0, *[9.0, 19.0] * (peak.ROUNDS - 2)])
    monkeypatch.setattr(peak, "perf_counter", lambda: next(times))
    assert peak._best(lambda: None) == 2.0


@pytest.mark.parametrize(
    ("features", "machine", "registers"),
    [
        ({"avx512f": True, "fma": True}, "x86_64", (64, 24)),
        ({"fma": True}, "AMD64", (32, 12)),
        ({}, "x86_64", (16, 12)),
        ({}, "arm64", (16, 24)),
    ],
)
def test_registers(
    features: dict[str, bool], machine: str, registers: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    monkeypatch.setattr(peak.platform, "machine", lambda: machine)
    assert peak._registers() == registers
