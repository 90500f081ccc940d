"""Strict readings of the encodings that signatures travel in: one spelling for one meaning, or nothing.

Where two readers could understand the same bytes differently, an attacker can show one thing to us and another to
cosign. So duplicate keys, keys that Go would fold together, NaN, line breaks or stray bits in base64 are refused.
"""

from __future__ import annotations

import base64
import gc
import json
import re
from typing import Any, NoReturn

import msgspec

from cgexplorer.verify.errors import Malformed

MAX_DEPTH = 64
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\r?\n([A-Za-z0-9+/=\r\n]++)-----END \1-----")


def json_value(raw: bytes, what: str) -> Any:
    """The JSON value in these bytes. Raises Malformed naming `what` and the fault."""
    try:
        value = msgspec.json.decode(raw)
        again = msgspec.json.encode(value)
        certain = again == raw or _strings(again) == _strings(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        certain = False
    if not certain:  # a repeated key, or another fault: the slow reader knows its name
        value = _read_slowly(raw, what)
    if _deeper_than(value, MAX_DEPTH):
        raise Malformed(f"{what} is nested deeper than {MAX_DEPTH} levels")
    return value


def _read_slowly(raw: bytes, what: str) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8") from None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise Malformed(f"{what} is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise Malformed(f"{what} is not strict JSON: {str(error)[:120]}") from None


def _strings(text: bytes) -> int:
    """Twice the number of strings in a JSON text: of two members with one key, a reader keeps one, and loses a string.

    So a text that reads, and still has as many strings when it is written again, repeats no key.
    """
    escapes = _ESCAPE.findall(text) if b"\\" in text else []
    return text.count(b'"') - escapes.count(b'\\"')


def json_object(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object whose own keys differ in more than case, because Go reads `Body` as `body`."""
    value = json_value(raw, what)
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not a JSON object")
    refuse_twins(value, what)
    return value


def refuse_twins(value: dict[str, Any], what: str) -> None:
    if len({key.casefold() for key in value}) != len(value):
        raise Malformed(f"{what} spells one key in two ways")


def base64_bytes(text: object, what: str) -> bytes:
    """Standard alphabet, padded, no white space, no stray bits. Raises Malformed."""
    if not isinstance(text, str):
        raise Malformed(f"{what} is not base64 text")
    try:
        decoded = msgspec.convert(text, bytes)  # as strict as base64.b64decode(validate=True), four times as fast
    except (msgspec.ValidationError, ValueError):
        raise Malformed(f"{what} is not strict base64") from None
    # Only the last quantum can hide bits; re-encoding the rest would double the cost of a large envelope.
    tail = decoded[-(len(decoded) % 3 or 3) :]
    if len(text) % 4 or base64.b64encode(tail).decode() != text[-4:] * bool(decoded):
        raise Malformed(f"{what} is not strict base64")
    return decoded


def pem_block(text: str, what: str) -> tuple[str, bytes]:
    """(label, DER) of the one PEM block in the text. A second block is refused: who knows which one others read."""
    match = _PEM.fullmatch(text.strip())
    if match is None:
        raise Malformed(f"{what} is not one PEM block")
    return match[1], base64_bytes(match[2].replace("\r", "").replace("\n", ""), what)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:40]!r} appears twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _deeper_than(value: Any, limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        # What these dicts and lists hold, keys and all, in one call: several times as fast as looking at each here.
        level = gc.get_referents(*level)
        if not level:
            return False
    return any(type(node) is dict or type(node) is list for node in level)
