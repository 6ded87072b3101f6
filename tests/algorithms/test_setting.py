"""Who may compute: what is set, for how long, for whom, and what is refused."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from contextvars import copy_context
from typing import Any

import pytest
import torch

import handgrad as hg
from handgrad._algorithms import reference
from handgrad._algorithms.setting import current

X, W = torch.randn(2, 3, 6, 5), torch.randn(4, 3, 3, 2)


@pytest.fixture(autouse=True)
def _as_it_was() -> Any:
    with hg.set_algorithm("auto"):
        yield


def test_a_call_sets_and_a_block_restores() -> None:
    hg.set_algorithm("reference")
    assert current().algorithm == "reference"
    with hg.set_algorithm("auto", exclude=["native"], deterministic=True):
        assert current().allowed == ("reference", "gemm", "depthwise")
        with hg.set_algorithm("native"):
            assert current().algorithm == "native"
            assert not current().deterministic
        assert current().deterministic
    assert current().algorithm == "reference"


def test_a_block_restores_after_an_error_and_can_be_entered_again() -> None:
    block = hg.set_algorithm("native")
    with pytest.raises(ZeroDivisionError), block:
        1 / 0  # noqa: B018
    assert current().algorithm == "auto"
    with block:
        assert current().algorithm == "native"
    assert current().algorithm == "auto"


def test_what_is_set_holds_for_its_context() -> None:
    seen = {}

    def look(name: str) -> None:
        seen[name] = current().algorithm

    hg.set_algorithm("reference")
    thread = threading.Thread(target=look, args=["thread"])
    thread.start()
    thread.join()
    copy_context().run(lambda: (hg.set_algorithm("native"), look("copy")))
    look("here")
    assert seen == {"thread": current_without_a_setting(), "copy": "native", "here": "reference"}


def current_without_a_setting() -> str:
    return os.environ.get("HANDGRAD_ALGORITHM") or "auto"


def test_tasks_do_not_see_each_other() -> None:
    async def use(name: str) -> str:
        with hg.set_algorithm(name):
            await asyncio.sleep(0)
            return current().algorithm

    async def both() -> list[str]:
        return await asyncio.gather(use("native"), use("reference"))

    assert asyncio.run(both()) == ["native", "reference"]


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        (("fast",), {}, "set_algorithm: unknown algorithm 'fast'.\n  known  auto, reference, gemm, depthwise, native"),
        (("auto",), {"exclude": ["auto"]}, "set_algorithm: unknown algorithm 'auto' in exclude.\n  known  reference"),
        (("auto",), {"exclude": "native"}, "set_algorithm: exclude must be a collection of names.\n  exclude  'nat"),
        (("auto",), {"exclude": [1]}, "set_algorithm: exclude must be a collection of names.\n  exclude  [1]"),
        (("native",), {"exclude": ["native"]}, "set_algorithm: 'native' is excluded.\n  exclude  native"),
        (("measured",), {"deterministic": True}, "set_algorithm: 'measured' does not promise the same bits, determin"),
        (("native",), {"deterministic": True}, "set_algorithm: 'native' does not promise the same bits, deterministic"),
        (("auto",), {"exclude": ["reference", "gemm", "depthwise"], "deterministic": True},
         "set_algorithm: no algorithm is left.\n  exclude        depthwise, gemm, reference\n  deterministic  True"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(args: tuple[Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(hg.HandgradError, match="^" + re.escape(words)):
        hg.set_algorithm(*args, **options)
    assert current().algorithm == "auto"


def test_one_call_may_have_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    for op in ("conv", "conv_weight", "conv_input"):
        function = getattr(reference, op)
        monkeypatch.setattr(reference, op, lambda *args, of=op, call=function: asked.append(of) or call(*args))
    dy = torch.randn(2, 4, 4, 4)
    with hg.set_algorithm("native"):
        hg.conv2d(X, W)
        assert asked == []
        hg.conv2d(X, W, algorithm="reference")
        hg.conv2d_input(X.shape, W, dy, algorithm="reference")
        hg.conv2d_weight(X, W.shape, dy, algorithm="reference")
        assert asked == ["conv", "conv_input", "conv_weight"]
        hg.conv2d_backward(dy, X, W, algorithm="reference")
        assert asked[3:] == ["conv_input", "conv_weight"]
        hg.conv_transpose2d(dy, W, algorithm="reference")
        hg.conv_transpose2d_input(dy.shape, W, X, algorithm="reference")
        hg.conv_transpose2d_weight(dy, W.shape, X, algorithm="reference")
        hg.conv_transpose2d_backward(X, dy, W, algorithm="reference")
        assert asked[5:] == ["conv_input", "conv", "conv_weight", "conv", "conv_weight"]


@pytest.mark.parametrize("function", ["conv2d", "conv_transpose2d"])
def test_errors_are_worded_for_the_call(function: str) -> None:
    call = getattr(hg, function)
    w = W if function == "conv2d" else W.transpose(0, 1)
    with pytest.raises(hg.HandgradError, match=rf"^{function}: unknown algorithm 'fast'\.\n  known  auto, "):
        call(X, w, algorithm="fast")
    with (
        hg.set_algorithm("auto", exclude=["native"]),
        pytest.raises(hg.HandgradError, match=f"^{function}: 'native' is excluded"),
    ):
        call(X, w, algorithm="native")


def fresh(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import torch, handgrad as hg\n" + code]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_environment_speaks_first_and_last() -> None:
    call = "hg.conv2d(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 1, 1))"
    look = "from handgrad._algorithms.setting import current; print(current().algorithm)"
    assert fresh(f"{call}; {look}", HANDGRAD_ALGORITHM="reference").stdout == "reference\n"
    assert fresh(look, HANDGRAD_ALGORITHM="").stdout == "auto\n"
    assert fresh(f"hg.set_algorithm('native'); {look}", HANDGRAD_ALGORITHM="reference").stdout == "native\n"
    wrong = fresh(call, HANDGRAD_ALGORITHM="fast").stderr
    assert "HandgradError: HANDGRAD_ALGORITHM: unknown algorithm 'fast'.\n  known  auto, reference, gemm" in wrong
