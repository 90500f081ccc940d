"""CSV that a spreadsheet shows and does not run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

# Source: OWASP, "CSV Injection"; spreadsheets take the full-width twins for the same signs.
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """The text of a cell; one that a spreadsheet would run gets an apostrophe in front. Lists are joined by spaces."""
    if value is None:
        return ""
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    text = text.encode("utf-8", "replace").decode().replace("\x00", "\\x00")
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS_A_FORMULA) else text


def lines(header: Iterable[str], table: Iterable[Iterable[object]]) -> Iterator[str]:
    """RFC 4180 lines, one after the other, so that an export can be streamed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    yield buffer.getvalue()
    for cells in table:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([cell(value) for value in cells])
        yield buffer.getvalue()
