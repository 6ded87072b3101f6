"""What the tests of the page share: how a page is opened, and how a cell is found on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Open = Callable[..., Any]
"""The fixture `opened`: from a trace, or a file, to its page in a browser."""


def cell(page: Page, section: str, tensor: str, place: int, more: str = "") -> Locator:
    """A cell by its number in the tensor."""
    return page.locator(f"#{section} figure[data-tensor={tensor}]{more} td:not(.gap)").nth(place)


def head(page: Page, section: str) -> str:
    """The entry that a section explains, and its value."""
    return page.locator(f"#{section} .sum b").inner_text()
