"""Any predicate as a tree that a page can show: bounded, whatever was signed."""

from __future__ import annotations

from typing import Any

import msgspec

from cgexplorer.predicates.reading import load, text

MAX_NODES = 5_000
MAX_DEPTH = 64


class Node(msgspec.Struct, frozen=True):
    """One value. Objects and lists have children; everything else has text."""

    label: str  # key, or place in a list
    kind: str  # object, list, text, number, boolean, null
    text: str = ""
    children: tuple[Node, ...] = ()
    size: int = 0  # of an object or list, all entries, shown or not

    @property
    def left_out(self) -> int:
        return self.size - len(self.children)


def parse(raw: bytes, max_nodes: int = MAX_NODES) -> Node:
    """The tree of a JSON document, breadth kept before depth. Raises PredicateError when it is not JSON.

    At most `max_nodes` nodes and 64 levels; what is left out is counted where it would be.
    """
    return _Builder(max_nodes).node("", load(raw), 0)


class _Builder:
    def __init__(self, max_nodes: int) -> None:
        self._left = max_nodes

    def node(self, label: str, value: Any, depth: int) -> Node:
        if not isinstance(value, dict | list):
            return Node(label, _kind(value), "null" if value is None else text(value))
        entries = list(value.items() if isinstance(value, dict) else enumerate(value))
        kind = "object" if isinstance(value, dict) else "list"
        shown = min(len(entries), self._left) if depth < MAX_DEPTH else 0
        self._left -= shown
        children = tuple(self.node(text(key), one, depth + 1) for key, one in entries[:shown])
        return Node(label, kind, "", children, len(entries))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text"
