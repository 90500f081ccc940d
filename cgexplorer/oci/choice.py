"""Which of a repository's tags are meant: by name, by glob, the newest of them; which of an index's platforms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from cgexplorer.oci.errors import ReferenceError
from cgexplorer.oci.layout_names import is_cosign_tag
from cgexplorer.oci.reference import MAX_TAG, is_tag

_GLOB = re.compile(r"[*?\[]")
_PATTERN = re.compile(r"[A-Za-z0-9_.*?\[\]!-]+")
_PARTS = re.compile(r"\d+|[A-Za-z]+")
_BEFORE_THE_RELEASE = frozenset({"alpha", "a", "beta", "b", "dev", "pre", "preview", "rc", "snapshot"})


def check(pattern: str) -> str:
    """The pattern, when it is a tag or a glob that can match one; else a `ReferenceError` with the reason."""
    if is_tag(pattern):
        return pattern
    if len(pattern) > MAX_TAG or _PATTERN.fullmatch(pattern) is None or not is_glob(pattern):
        raise ReferenceError(
            f"{pattern[:80]!a} is neither a tag nor a glob of tags: "
            "letters, digits, '.', '_' and '-', in a glob also * ? [ ]."
        )
    return pattern


def is_glob(pattern: str) -> bool:
    return _GLOB.search(pattern) is not None


def exact(patterns: Iterable[str]) -> list[str]:
    """The patterns that are names: they need no list of tags to be asked for."""
    return [pattern for pattern in patterns if not is_glob(pattern)]


def is_meant(tag: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern finds this tag; without patterns every tag is meant. What cosign put there never is."""
    if is_cosign_tag(tag):
        return False
    return not patterns or any(fnmatchcase(tag, pattern) for pattern in patterns)


def choose(listed: Iterable[str], patterns: Sequence[str] = (), newest: int | None = None) -> list[str]:
    """The tags that are meant, each once: those that are named, then what the globs find in the order of the list.

    `newest` keeps, of what the globs find, that many highest versions: a registry's list of tags knows no dates.
    Names that are not listed are given too: whether they are there is found by asking for them.
    """
    named = exact(patterns)
    globs = [pattern for pattern in patterns if is_glob(pattern)]
    found = [tag for tag in listed if is_meant(tag, globs)] if globs or not patterns else []
    if newest is not None:
        kept = set(sorted(dict.fromkeys(found), key=version_order, reverse=True)[:newest])
        found = [tag for tag in found if tag in kept]
    return list(dict.fromkeys([*named, *found]))


def is_platform_meant(platform: str, wanted: Sequence[str]) -> bool:
    """`linux/arm64` also means `linux/arm64/v8`; without a wish every platform is meant."""
    return not wanted or any(platform == one or platform.startswith(f"{one}/") for one in wanted)


def version_order(tag: str) -> tuple[bool, list[tuple[int, int, str]], str]:
    """Sorts tags as versions: numbers as numbers, `1.2-rc1` before `1.2` before `1.2-r1`; tags without one come first.

    No ecosystem's rules: a registry does not say which version scheme its tags follow.
    """
    parts: list[tuple[int, int, str]] = []
    for part in _PARTS.findall(re.sub(r"^v(?=\d)", "", tag)):
        if part.isdigit():
            parts.append((3, int(part), ""))
        else:
            parts.append((0 if part.lower() in _BEFORE_THE_RELEASE else 2, 0, part))
    return any(rank == 3 for rank, _, _ in parts), [*parts, (1, 0, "")], tag
