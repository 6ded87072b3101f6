"""`make docs`: the site builds without a warning, loads nothing from elsewhere, and its reference is whole."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import handgrad as hg
from handgrad import kfac, layers, losses, per_sample, testing

ROOT = Path(__file__).parent.parent
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (hg, kfac, layers, losses, per_sample, testing)
    for name in module.__all__
    if not inspect.ismodule(getattr(module, name))
}


@pytest.mark.slow
def test_the_site_builds_loads_nothing_from_elsewhere_and_shows_every_signature(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)]  # with --quiet it is not strict
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr

    elsewhere = re.compile(r"(https?:)?//")
    for page in tmp_path.rglob("*.html"):
        assert not [address for address in Loaded.by(page) if elsewhere.match(address)], page.name
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text()), sheet.name

    reference = "".join(page.read_text() for page in (tmp_path / "api").glob("*.html"))
    for name, thing in PUBLIC.items():
        shown = re.search(rf'id="{re.escape(name)}"(.*?)<div class="doc doc-contents', reference, re.DOTALL)
        assert f'id="{name}"' in reference, f"{name} is not in the reference"
        if inspect.isfunction(thing):
            assert shown
            signature = re.sub("<[^>]*>", "", shown[1])
            missing = [key for key in inspect.signature(thing).parameters if not re.search(rf"\b{key}\b", signature)]
            assert not missing, f"{name} is shown without {missing}"


class Loaded(HTMLParser):
    """The addresses that a page loads by itself, not those that a reader may follow."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    @classmethod
    def by(cls, page: Path) -> list[str]:
        parser = cls()
        parser.feed(page.read_text())
        return parser.addresses

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loads = ("src", "srcset", "href") if tag == "link" else ("src", "srcset")
        self.addresses += [value or "" for key, value in attrs if key in loads]
