"""The strict gate: what must hold of JSON before anything is made of it.

Two readers of the same bytes must not see two documents, and nothing in it may be too big for the rows behind it.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from cgexplorer.spdx.document import NotIndexable

MAX_BYTES = 128 * 1024 * 1024
MAX_DEPTH = 64
MAX_INTEGER_DIGITS = 19
MAX_STRING_CHARACTERS = 1024 * 1024


class _Nested:
    """Stands for a decoded object: the gate keeps how deep it went and throws the contents away."""

    __slots__ = ("depth",)

    def __init__(self, depth: int) -> None:
        self.depth = depth


_NESTED = [_Nested(depth) for depth in range(MAX_DEPTH + 1)]


def check(raw: bytes) -> None:
    """Pass, or raise NotIndexable with the reason.

    Rejects: not UTF-8, not JSON, an object that names a key twice, more than 64 levels, integers of more than
    19 digits, strings of more than 1 MiB, NaN and Infinity. 0.6 s for 73 MB, and the decoded tree is never held.
    """
    if len(raw) > MAX_BYTES:
        raise NotIndexable(f"The document has {len(raw):,} bytes; documents up to {MAX_BYTES:,} bytes are indexed.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotIndexable(f"The document is not JSON: it is not UTF-8 text (byte {error.start}).") from None
    try:
        top = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotIndexable(
            f"The document is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(top, _Nested):
        raise NotIndexable("The document is JSON, but not an object.")


def _object(pairs: list[tuple[str, Any]]) -> _Nested:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise NotIndexable(f"The document names the key {twice[:80]!r} twice in one object, so readers may disagree.")
    return _NESTED[_deepest(fields.values()) + 1] if fields else _NESTED[1]


def _deepest(values: Any) -> int:
    depth = 0
    for value in values:
        kind = value.__class__
        if kind is str:
            if len(value) > MAX_STRING_CHARACTERS:
                raise NotIndexable(f"The document has a string of {len(value):,} characters; 1 MiB is the limit.")
        elif kind is _Nested:
            depth = max(depth, value.depth)
        elif kind is list:
            depth = max(depth, _deepest(value) + 1)
    if depth >= MAX_DEPTH:
        raise _too_deep()
    return depth


def _too_deep() -> NotIndexable:
    return NotIndexable(f"The document is nested more than {MAX_DEPTH} levels deep.")


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise NotIndexable(f"The document has an integer of {len(digits)} digits; {MAX_INTEGER_DIGITS} are the limit.")
    return 0


def _constant(name: str) -> NoReturn:
    raise NotIndexable(f"The document is not JSON: it says {name}, which JSON has no number for.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
