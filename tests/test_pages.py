"""A large result's memory: the system is told of it, and nothing else is different."""

from __future__ import annotations

import mmap

import pytest
import torch

from handgrad import _pages

PAGE = mmap.PAGESIZE


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What advice was given about: (address, length)."""
    ranges: list[tuple[int, int]] = []
    monkeypatch.setattr(_pages, "_madvise", lambda: lambda start, length, _: ranges.append((start, length)))
    return ranges


def test_whole_pages_of_a_large_result_and_none_beside_it(told: list[tuple[int, int]]) -> None:
    made = _pages.empty(torch.empty(0), (_pages.LARGE // 8 + 5, 2), torch.float32)
    ((start, length),) = told
    assert start % PAGE == length % PAGE == 0
    assert 0 <= start - made.data_ptr() < PAGE
    assert 0 <= made.data_ptr() + made.nbytes - (start + length) < PAGE


def test_a_small_one_is_as_ever(told: list[tuple[int, int]]) -> None:
    made = _pages.empty(torch.empty(0, dtype=torch.float64), (3, 4))
    assert (made.shape, made.dtype, told) == ((3, 4), torch.float64, [])


def test_on_another_device_there_is_nothing_to_tell(told: list[tuple[int, int]]) -> None:
    assert _pages.empty(torch.empty(0, device="meta"), (_pages.LARGE,)).device.type == "meta"
    assert told == []


def test_the_system_takes_it() -> None:
    made = _pages.empty(torch.empty(0), (_pages.LARGE // 4 + 1,))
    assert made.fill_(1).sum() == made.numel()


def test_where_the_system_has_no_such_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pages, "_HUGE", None)
    assert _pages._madvise.__wrapped__() is None
