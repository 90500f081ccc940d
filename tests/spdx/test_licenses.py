from __future__ import annotations

import pytest

from cgexplorer.spdx import licenses
from cgexplorer.spdx.licenses import Family


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("(GPL-3.0-or-later WITH GCC-exception-3.1)", "GPL-3.0-or-later WITH GCC-exception-3.1"),
        ("mit or apache-2.0", "MIT OR Apache-2.0"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("LicenseRef-Custom AND MIT", "LicenseRef-Custom AND MIT"),
        ("NOASSERTION", ""),
        ("none", ""),
        ("  ", ""),
    ],
)
def test_an_expression_has_one_spelling(written: str, normal: str) -> None:
    assert licenses.normalise(written) == normal


@pytest.mark.parametrize("text", ["MIT, BSD", "MIT AND", "((MIT)", "(" * 5000 + "MIT" + ")" * 5000, "x" * 30_000])
def test_text_that_is_no_expression_gives_none(text: str) -> None:
    assert licenses.normalise(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("MIT AND Apache-2.0", "Apache-2.0 AND MIT"),
        ("(MIT AND ISC) AND Zlib", "Zlib AND MIT AND ISC"),
        ("MIT AND MIT", "(MIT)"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("BSD-3-Clause AND (MIT OR ISC)", "(ISC OR MIT) AND BSD-3-Clause"),
    ],
)
def test_expressions_that_mean_the_same_are_the_same(one: str, other: str) -> None:
    assert licenses.canonical(one) == licenses.canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("MIT AND Apache-2.0", "MIT OR Apache-2.0"),
        ("MIT", "MIT-0"),
        ("GPL-2.0-only", "GPL-2.0-or-later"),
        ("MIT OR (ISC AND Zlib)", "(MIT OR ISC) AND Zlib"),
    ],
)
def test_expressions_that_mean_something_else_differ(one: str, other: str) -> None:
    assert licenses.canonical(one) != licenses.canonical(other)


def test_the_licences_of_an_expression_keep_their_exceptions() -> None:
    expression = "MIT AND (GPL-2.0-only WITH Classpath-exception-2.0 OR LicenseRef-Own) AND MIT"
    assert licenses.identifiers(expression) == (
        "MIT",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "LicenseRef-Own",
    )


@pytest.mark.parametrize(
    ("expression", "families"),
    [
        ("MIT", (Family.PERMISSIVE,)),
        ("CC0-1.0", (Family.PERMISSIVE,)),
        ("LGPL-2.1-or-later", (Family.WEAK_COPYLEFT,)),
        ("MPL-2.0 AND MIT", (Family.PERMISSIVE, Family.WEAK_COPYLEFT)),
        ("GPL-3.0-or-later", (Family.STRONG_COPYLEFT,)),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", (Family.WEAK_COPYLEFT,)),
        ("AGPL-3.0-only", (Family.NETWORK_COPYLEFT,)),
        ("BUSL-1.1", (Family.OTHER,)),
        ("LicenseRef-Own", (Family.UNKNOWN,)),
        ("MIT, BSD", (Family.UNKNOWN,)),
        ("NOASSERTION", (Family.UNKNOWN,)),
    ],
)
def test_licences_belong_to_families(expression: str, families: tuple[Family, ...]) -> None:
    assert licenses.families(expression) == families


def test_an_expression_nested_as_deeply_as_is_read_can_be_compared() -> None:
    nested = "MIT AND (ISC OR (" * 50 + "Zlib" + "))" * 50
    assert licenses.normalise(nested)
    assert licenses.canonical(nested)
    assert licenses.identifiers(nested) == ("MIT", "ISC", "Zlib")


@pytest.mark.parametrize("text", ["( AND MIT", "( )", ")", "AND", "MIT AND", "( ( MIT )"])
def test_words_on_which_the_library_stumbles_are_no_expression(text: str) -> None:
    assert licenses.normalise(text) is None
