"""benchmarks/per_sample_peers.py: docs/per-sample-peers.md shows what it measures, and the matrix has what it says."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "per-sample-peers.md").read_text()


def load() -> Any:
    spec = importlib.util.spec_from_file_location("per_sample_peers", ROOT / "benchmarks" / "per_sample_peers.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


peers = load()


@pytest.fixture(scope="module")
def measured() -> dict[str, str]:
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        return peers.blocks(peers.compare())


def block(name: str, page: str = PAGE) -> list[str]:
    return page.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0].strip().splitlines()


def columns(table: list[str]) -> dict[str, list[str]]:
    """By their titles."""
    cells = zip(*(line.strip("| ").split(" | ") for line in table), strict=True)
    return {title: entries for title, *entries in cells}


@pytest.mark.slow
@pytest.mark.parametrize("table", peers.TABLES)
def test_the_page_shows_every_column_that_can_be_measured_here(table: str, measured: dict[str, str]) -> None:
    """PyTorch's own and ours always can; whoever is installed too, in the version on the page."""
    shown, found = columns(block(table)), columns(measured[table].splitlines())
    assert {"weights", "padding", "handgrad"} <= set(found) <= set(shown)
    assert found == {title: shown[title] for title in found}


@pytest.mark.slow
def test_the_page_has_the_words_and_versions_of_whoever_is_here(measured: dict[str, str]) -> None:
    for name in ("words", "versions"):
        assert set(measured[name].splitlines()) <= set(block(name))


def test_the_page_has_every_column() -> None:
    for table, titles in peers.TABLES.items():
        assert list(columns(block(table)))[2:] == [peer.title for peer in titles]


def test_ours_are_right_everywhere() -> None:
    for table in peers.TABLES:
        assert set(columns(block(table))["handgrad"][1:]) == {"< 1e-10"}


def test_a_wrong_result_and_an_error_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(module: nn.Module, x: Tensor, dy: Tensor) -> dict[str, Tensor]:
        if len(x) == 40:
            raise RuntimeError("40 are too many\nfor conv2d")
        return {name: 1.5 * gradient for name, gradient in peers.loop(module, x, dy).items()}

    case = next(peers.cases())
    monkeypatch.setattr(peers, "TABLES", {"gradients": [peers.Peer("wrong", "torch", wrong)]})
    monkeypatch.setattr(peers, "cases", lambda: [case, case._replace(samples=40)])
    results = peers.compare()
    assert str(results.cells["gradients", "wrong", case.kind, case.row]) == "**0.5**, 1 of 2 raise"
    assert list(results.words) == [("wrong", "RuntimeError: … are too many")]


def test_a_result_of_another_shape_is_infinitely_wrong() -> None:
    assert peers.apart({"weight": torch.ones(2)}, {"weight": torch.ones(2, 1)}) == float("inf")


def test_the_matrix_is_the_product_of_its_settings() -> None:
    """Every module of torch.nn that convolves, each option in every kind, with and without a bias, for both N."""
    cases = list(peers.cases())
    assert {case.cls for case in cases} == {
        getattr(nn, f"Conv{name}{dims}d") for name in ("", "Transpose") for dims in (1, 2, 3)
    }
    for kind in peers.SIZES:
        of = [case for case in cases if case.kind == kind]
        assert {case.row for case in of} == set(peers.ROWS)
        assert {case.settings.get("padding_mode") for case in of} == {None, "reflect", "replicate", "circular"}
        crossed = {
            (case.settings.get("stride", 1), case.settings.get("dilation", 1), case.settings["bias"]) for case in of
        }
        assert len(crossed) == 8
    assert {case.samples for case in cases} == {5, 40}


def test_who_is_not_installed_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody, loop = (
        peers.Peer(title, package, peers.loop) for title, package in [("nobody", "no-such"), ("loop", "torch")]
    )
    case = next(peers.cases())
    monkeypatch.setattr(peers, "TABLES", {"gradients": [nobody, loop], "norms": []})
    monkeypatch.setattr(peers, "cases", lambda: [case])
    assert [key[1] for key in peers.compare().cells] == ["loop"]
    said = CliRunner().invoke(peers.main)
    assert said.stderr == "not installed, left out: no-such\n"
    assert "| weights | padding | loop |" in said.stdout
    assert "the page shows all of them" in CliRunner().invoke(peers.main, "--write").stderr


def test_a_page_is_renewed_between_its_marks() -> None:
    page = "before\n<!-- a -->\nold\n<!-- /a -->\nafter"
    assert peers.renewed(page, {"a": "new"}) == "before\n<!-- a -->\n\nnew\n\n<!-- /a -->\nafter"
