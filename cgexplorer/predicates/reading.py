"""Lenient reading of JSON that somebody signed: what has the wrong type is passed over, never an exception."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cgexplorer.predicates import PredicateError

MAX_LEAVES = 5_000
MAX_TEXT_CHARACTERS = 4_000
_MAX_DEPTH = 64

type Leaf = tuple[str, str]  # path such as externalParameters.workflow.ref or materials[0].uri, and value


def load(raw: bytes) -> Any:
    """The JSON value. Raises PredicateError when the bytes are no JSON or nested too deeply."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PredicateError(f"The predicate is not JSON that can be shown: {error}.") from None
    except RecursionError:
        raise PredicateError("The predicate is nested too deeply to be shown.") from None


def load_object(raw: bytes) -> dict[str, Any]:
    value = load(raw)
    if not isinstance(value, dict):
        raise PredicateError("The predicate is JSON, but not an object.")
    return value


def text(value: Any) -> str:
    """A scalar as people write it; "" for null, objects and lists. NUL, which PostgreSQL refuses, is shown escaped."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        shown: str = value.replace("\0", "\\u0000")
        return shown if len(shown) <= MAX_TEXT_CHARACTERS else shown[:MAX_TEXT_CHARACTERS] + "…"
    return ""


def get(value: Any, *path: str) -> Any:
    """`value[path[0]][path[1]]…`, or None where that leads nowhere."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in items(value) if isinstance(item, dict)]


def texts(value: Any) -> tuple[str, ...]:
    return tuple(shown for item in items(value) if (shown := text(item)))


def pairs(value: Any) -> tuple[Leaf, ...]:
    """An object of scalars, sorted by key."""
    if not isinstance(value, dict):
        return ()
    return tuple(sorted((text(key), text(one)) for key, one in value.items()))


def flatten(value: Any, prefix: str = "") -> tuple[Leaf, ...]:
    """Every scalar with its path, in the document's order; at most 5,000. Empty objects and lists say so."""
    found: list[Leaf] = []
    for leaf in _leaves(value, prefix, 0):
        if len(found) == MAX_LEAVES:
            found.append(("…", "more values are left out"))
            break
        found.append(leaf)
    return tuple(found)


def _leaves(value: Any, path: str, depth: int) -> Iterator[Leaf]:
    if depth > _MAX_DEPTH:
        yield path, "…"
    elif isinstance(value, dict) and value:
        for key, one in value.items():
            name = text(key)
            yield from _leaves(one, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list) and value:
        for position, one in enumerate(value):
            yield from _leaves(one, f"{path}[{position}]", depth + 1)
    elif isinstance(value, dict | list):
        yield path, "{}" if isinstance(value, dict) else "[]"
    elif value is None:
        yield path, "null"
    else:
        yield path, text(value)
