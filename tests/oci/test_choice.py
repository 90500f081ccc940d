from __future__ import annotations

import pytest

from cgexplorer.oci import choice
from cgexplorer.oci.errors import ReferenceError

HEX = "ab" * 32
LISTED = ["latest", "latest-dev", "1.9", "1.10", "1.10-rc1", "2.0.0-r3", "2.0.0-r10", f"sha256-{HEX}"]


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
def test_what_cosign_and_the_referrers_fallback_put_there_is_never_meant(suffix: str) -> None:
    assert choice.choose([f"sha256-{HEX}{suffix}", "latest"]) == ["latest"]


def test_without_patterns_every_tag_is_meant_in_the_order_of_the_list() -> None:
    assert choice.choose(LISTED) == LISTED[:-1]


def test_a_glob_finds_what_it_matches_and_case_counts() -> None:
    assert choice.choose([*LISTED, "Latest"], ["latest*"]) == ["latest", "latest-dev"]


def test_a_name_is_meant_whether_it_is_listed_or_not() -> None:
    assert choice.choose(LISTED, ["latest", "not-there"]) == ["latest", "not-there"]


def test_a_tag_that_two_patterns_find_is_asked_once() -> None:
    assert choice.choose(["1.9", "1.9"], ["1.9", "1.*"]) == ["1.9"]


@pytest.mark.parametrize(
    ("newest", "expected"),
    [(1, ["2.0.0-r10"]), (3, ["1.10", "2.0.0-r3", "2.0.0-r10"]), (0, []), (99, LISTED[:-1])],
)
def test_the_newest_are_the_highest_versions(newest: int, expected: list[str]) -> None:
    assert choice.choose(LISTED, newest=newest) == expected


def test_newest_counts_what_the_globs_find_and_never_drops_a_name() -> None:
    assert choice.choose(LISTED, ["latest", "1.*"], newest=1) == ["latest", "1.10"]


def test_versions_are_in_the_order_that_people_expect() -> None:
    expected = ["edge", "latest", "v0.9", "1.2-alpha", "1.2-rc1", "1.2", "1.2-r1", "v1.2.1", "1.10", "20240101"]
    assert sorted(sorted(expected), key=choice.version_order) == expected


@pytest.mark.parametrize("pattern", ["latest", "*", "1.2?", "v[0-9]*", "[!s]*"])
def test_a_name_or_a_glob_is_a_pattern(pattern: str) -> None:
    assert choice.check(pattern) == pattern


@pytest.mark.parametrize("pattern", ["", "a b", "-x", "a/b", "*" * 129, "é*", "x\0*"])
def test_what_can_match_no_tag_is_refused(pattern: str) -> None:
    with pytest.raises(ReferenceError, match="neither a tag nor a glob"):
        choice.check(pattern)
