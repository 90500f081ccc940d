"""Pages of a list that is already in order: the address says where the next one begins."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.http import QueryDict


class Page[Row](msgspec.Struct, frozen=True):
    rows: Sequence[Row]
    start: int  # of the first row, from 0
    total: int
    previous: str  # query strings, "" when there is none
    next: str

    @property
    def last(self) -> int:
        return self.start + len(self.rows)


def start_of(parameters: QueryDict) -> int:
    """`start` as a number; whatever else it is counts as the beginning."""
    text = parameters.get("start", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


def page[Row](rows: Sequence[Row], parameters: QueryDict, size: int) -> Page[Row]:
    """The page of a list in memory."""
    start = min(start_of(parameters), max(0, len(rows) - 1))
    return page_of(rows[start : start + size], start, len(rows), parameters, size)


def page_of[Row](rows: Sequence[Row], start: int, total: int, parameters: QueryDict, size: int) -> Page[Row]:
    """A page whose rows were fetched alone."""
    before = _link(parameters, max(0, start - size)) if start else ""
    after = _link(parameters, start + size) if start + len(rows) < total else ""
    return Page(rows, start, total, before, after)


def _link(parameters: QueryDict, start: int) -> str:
    asked = parameters.copy()
    asked.pop("start", None)
    if start:
        asked["start"] = str(start)
    return "?" + asked.urlencode()
