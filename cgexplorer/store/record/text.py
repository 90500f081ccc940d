"""The gate for text from outside: what PostgreSQL cannot store is shown escaped, what is too long is cut visibly."""

from __future__ import annotations

from typing import Any

import msgspec

from cgexplorer.spdx.wire import escaped


def storable(text: str, max_characters: int | None = None) -> str:
    clean = str(escaped(text))
    if max_characters is not None and len(clean) > max_characters:
        return clean[: max_characters - 1] + "…"
    return clean


def as_json(value: Any) -> Any:
    """Structs as plain JSON values for a jsonb column."""
    return escaped(_lists(msgspec.to_builtins(value)))


def _lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    if isinstance(value, dict):
        return {name: _lists(item) for name, item in value.items()}
    return value
