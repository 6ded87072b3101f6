"""The pages of the gallery, which the site is built with, open without a complaint, at the width of a phone too."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from browsing import Open
from playwright.sync_api import expect

DOCS = Path(__file__).parents[2] / "docs"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GALLERY = loaded()


@pytest.mark.slow
@pytest.mark.parametrize("name", GALLERY.PAGES)
def test_the_page_opens_and_answers(name: str, opened: Open) -> None:
    trace = GALLERY.PAGES[name]()
    page = opened(trace, viewport={"width": 390, "height": 800}, has_touch=True)
    assert max(trace.errors.values()) < 1e-12
    for section in ("output", "grad_weight", "grad_input"):
        target = page.locator(f"#{section} figure.result td:not(.gap)").first
        target.tap()
        expect(page.locator(f"#{section} .sum")).to_contain_text("pinned")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_question_is_shown_with_its_four_slips() -> None:
    page = GALLERY.PAGES["question"]().to_html()
    causes = re.findall(r"<p><strong>([\w-]+)</strong>", page)
    assert causes == ["reversed-axes", "wrong-operand-order", "output-instead-of-grad-output", "missing-batch-sum"]
    assert "grads_weights = (grads_output @ img_unfolded.mT).sum(0).view_as(kernel)" in page
    assert len(page.encode()) < 210_000


def test_every_page_is_linked_and_every_link_is_a_page() -> None:
    text = "".join(page.read_text() for page in DOCS.glob("*.md"))
    assert set(re.findall(r"explain/(\w+)\.html", text)) == set(GALLERY.PAGES)
