"""Every script in examples/ runs, and says what it should."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import torch
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"
SAYS = {
    "agreeing_gradients.py": r"asked     a (\d), taken for a (\d)\nagree    ( \1){8}\ndisagree ( (?!\1)\d){8}\n",
    "column_gradients.py": r"1-d: dw \(6, 2, 3\).*\n2-d: dw \(6, 2, 3, 2\).*\n3-d: dw \(6, 2, 2, 3, 2\).*\n",
    "explicit_network.py": r"loss .*\nright on (9\d\d|1000) of 1000 new images\n",
    "question.py": r"asked   \(784, 9, 784\)\nright   \(1, 1, 3, 3\) \(1, 1, 28, 28\)\nhandgrad, autograd .* agree\n",
}
PICTURES = {"agreeing_gradients.py": {"agreeing_gradients.png"}}


def test_no_example_is_left_out() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_examples(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where pictures are put
    with torch.random.fork_rng(devices=[]):
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert re.fullmatch(SAYS[name], capsys.readouterr().out)
    assert {path.name for path in tmp_path.iterdir()} == PICTURES.get(name, set())
    for path in tmp_path.iterdir():
        with Image.open(path) as picture:
            assert len(picture.convert("L").getcolors(256)) > 10  # not blank
