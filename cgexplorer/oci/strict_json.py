"""JSON read so that no two readers can differ about it: no repeated key, no NaN, one value, bounded depth."""

from __future__ import annotations

import json
import re
from collections import Counter

from cgexplorer.oci.errors import Malformed, TooLarge

MAX_DEPTH = 64
type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

# A string with its escapes, or a bracket; everything between is skipped by the regular expression engine.
# Possessive and closed or not: linear in the number of bytes, whatever they are.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def loads(raw: bytes, *, max_bytes: int) -> dict[str, Json]:
    """The one object in these bytes. `Malformed` or `TooLarge` otherwise; never another exception."""
    if len(raw) > max_bytes:
        raise TooLarge(f"{len(raw)} bytes of JSON are more than the {max_bytes} accepted.")
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(raw):
        first = found[0][0]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MAX_DEPTH:
            raise Malformed(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
    try:
        text = raw.decode("utf-8")
        value: Json = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse)
        # Lone surrogates (\ud800) are legal in JSON's grammar and in no text that can be stored.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Malformed(f"This is not valid JSON: {_reason(error)}.") from error
    if not isinstance(value, dict):
        raise Malformed("The JSON is not an object.")
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "it is not UTF-8 text"
    return str(error)[:200].rstrip(".")


def _without_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    seen = dict(pairs)
    if len(seen) != len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {repeated[:60]!a} is there twice")
    return seen


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")
