"""Which part of two texts differs: a failed check marks that part and nothing else."""

from __future__ import annotations

import msgspec

_MIN_SHARED = 0.25  # of the longer text; less in common is two different texts


class Marked(msgspec.Struct, frozen=True):
    """`same` + `other` + `end`; when nothing is worth marking, all of it is `same`."""

    same: str
    other: str = ""
    end: str = ""


def differing(expected: str, found: str) -> tuple[Marked, Marked]:
    """Both texts with their differing middle. Words stay whole: `main` differs from `maintenance` as a whole."""
    if expected == found:
        return Marked(expected), Marked(found)
    start = _shared(expected, found)
    while start and (_inside_word(expected, start) or _inside_word(found, start)):
        start -= 1
    rest, other = expected[start:], found[start:]
    end = _shared(rest[::-1], other[::-1])
    while end and (_inside_word(rest, len(rest) - end) or _inside_word(other, len(other) - end)):
        end -= 1
    if start + end < _MIN_SHARED * max(len(expected), len(found)):
        return Marked(expected), Marked(found)
    return _cut(expected, start, end), _cut(found, start, end)


def _shared(text: str, other: str) -> int:
    for place, (one, two) in enumerate(zip(text, other, strict=False)):
        if one != two:
            return place
    return min(len(text), len(other))


def _inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


def _cut(text: str, start: int, end: int) -> Marked:
    return Marked(text[:start], text[start : len(text) - end], text[len(text) - end :])
