"""CSV cells are text, whatever a package is called."""

from __future__ import annotations

import csv

import pytest

from cgexplorer.web.csv_cells import cell, lines

PAYLOADS = [
    "=1+1", "=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠SUM(A1)",
    '=HYPERLINK("http://evil.example")', "  =1+1", "=1\x00", "-2+3+cmd|' /C calc'!D2", "@", "=", "+", "-",
    "=IMPORTXML(A1)", "=DDE(1)", "\t", "\r", "\n",
]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(payload: str) -> None:
    assert cell(payload).startswith("'")


@pytest.mark.parametrize("text", ["openssl", "3.3.2-r0", "libstdc++", "a=b", "", "C-3PO"])
def test_other_text_is_untouched(text: str) -> None:
    assert cell(text) == text


def test_text_that_cannot_be_encoded_does_not_break_the_file() -> None:
    assert cell("a\udcffb") == "a?b"


def test_commas_quotes_and_line_breaks_stay_within_their_cell() -> None:
    rows = [["a,b", 'say "x"', "two\nlines", None, ("latest", "1.26")]]
    written = "".join(lines(["one", "two", "three", "four", "five"], rows))
    assert list(csv.reader(written.splitlines(keepends=True)))[1] == ["a,b", 'say "x"', "two\nlines", "", "latest 1.26"]
