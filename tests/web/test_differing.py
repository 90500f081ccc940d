"""Only what differs is marked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cgexplorer.web.differing import Marked, differing

WORKFLOW = "https://github.com/acme/images/.github/workflows/release.yaml@"


def test_only_the_branch_of_an_identity_is_marked() -> None:
    expected, found = differing(f"{WORKFLOW}refs/heads/main", f"{WORKFLOW}refs/heads/codex/issue-41")
    assert expected == Marked(f"{WORKFLOW}refs/heads/", "main")
    assert found == Marked(f"{WORKFLOW}refs/heads/", "codex/issue-41")


def test_a_word_is_marked_whole() -> None:
    assert differing("refs/heads/main", "refs/heads/maintenance")[0].other == "main"


def test_a_differing_middle_keeps_both_ends() -> None:
    assert differing("https://a.example/x/y", "https://b.example/x/y")[0] == Marked("https://", "a", ".example/x/y")


def test_texts_with_nothing_in_common_are_not_marked() -> None:
    assert differing("a verified time of signing", "none") == (Marked("a verified time of signing"), Marked("none"))


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_is_lost(expected: str, found: str) -> None:
    for text, marked in zip((expected, found), differing(expected, found), strict=True):
        assert marked.same + marked.other + marked.end == text
