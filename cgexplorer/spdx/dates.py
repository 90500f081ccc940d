"""Dates, by spdx-tools' own rule: `2026-07-16T08:08:01Z`, no fractions."""

from __future__ import annotations

from functools import lru_cache

from spdx_tools.spdx.datetime_conversions import datetime_from_str


@lru_cache(maxsize=1024)
def is_date(text: str) -> bool:
    try:
        datetime_from_str(text)
    except ValueError:
        return False
    return True
