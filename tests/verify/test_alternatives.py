"""Which of the signers that a pattern allows it was."""

from __future__ import annotations

import pytest

from cgexplorer.verify import alternatives

SYNCER, BUILDER = "720909c9/b6461e99", "720909c9/af12bc34"
ISSUER = r"https://issuer\.enforce\.dev/"
EITHER = f"{ISSUER}({SYNCER}|{BUILDER})"


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (EITHER, f"https://issuer.enforce.dev/{SYNCER}", f"{SYNCER}, alternative 1 of 2"),
        (EITHER, f"https://issuer.enforce.dev/{BUILDER}", f"{BUILDER}, alternative 2 of 2"),
        (f"^{EITHER}$", f"https://issuer.enforce.dev/{BUILDER}", f"{BUILDER}, alternative 2 of 2"),
        (
            f"{ISSUER}((?P<image_syncer>{SYNCER})|(?P<custom_image_builder>{BUILDER}))",
            f"https://issuer.enforce.dev/{BUILDER}",
            f"{BUILDER}, custom image builder",
        ),
        ("(a+|a)x", "aax", "aa, alternative 1 of 2"),
    ],
)
def test_the_alternative_that_matched_is_named(pattern: str, value: str, expected: str) -> None:
    assert alternatives.matched(pattern, value) == expected


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("", "x"),
        (EITHER, ""),
        (EITHER, "https://issuer.enforce.dev/somebody/else"),
        ("https://issuer.example/(only)", "https://issuer.example/only"),
        ("(a|b)(c|d)", "ac"),
        (r"a\(b|c\)", "a(b"),
        ("(?:a|b)", "a"),
        ("(a|b", "a"),
    ],
)
def test_there_is_nothing_to_name_without_one_group_of_alternatives_that_matched(pattern: str, value: str) -> None:
    assert alternatives.matched(pattern, value) == ""
