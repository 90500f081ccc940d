"""The relationships of a document: compact to store, quick to walk.

    stored:  count, then sources, types and targets as little-endian int32, zstd; about 2.5 bytes an edge

Edges are sorted by (source, type, target), so the children of a node are one slice.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator

import zstandard

from cgexplorer.spdx.document import CONTAINS, IMPLIED_CONTAINS, THE_DOCUMENT, Graph

CONTENTS_TYPES = (CONTAINS, IMPLIED_CONTAINS)

_MAGIC = b"cgg1"
_MAX_EDGES = 4_000_000


class GraphError(ValueError):
    """The stored bytes are not a graph."""


def build(edges: Iterable[tuple[int, int, int]]) -> Graph:
    """A graph of (source, type, target) edges, without repetitions."""
    ordered = sorted(set(edges))
    if not ordered:
        return Graph((), (), ())
    sources, types, targets = zip(*ordered, strict=True)
    return Graph(sources, types, targets)


def encode(graph: Graph) -> bytes:
    columns = [array("i", column) for column in (graph.source, graph.type, graph.target)]
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()
    body = b"".join(column.tobytes() for column in columns)
    return zstandard.ZstdCompressor(level=3).compress(_MAGIC + struct.pack("<I", len(graph.source)) + body)


def decode(stored: bytes) -> Graph:
    """Raises GraphError."""
    try:
        body = zstandard.ZstdDecompressor().decompress(bytes(stored), max_output_size=8 + 12 * _MAX_EDGES)
    except zstandard.ZstdError as error:
        raise GraphError(f"The stored graph cannot be decompressed: {error}.") from None
    count = struct.unpack_from("<I", body, 4)[0] if len(body) >= 8 else -1
    if body[:4] != _MAGIC or len(body) != 8 + 12 * count:
        raise GraphError("The stored graph has a wrong length or heading.")
    columns = []
    for start in range(8, len(body), 4 * count or 1):
        column = array("i")
        column.frombytes(body[start : start + 4 * count])
        if sys.byteorder == "big":
            column.byteswap()
        columns.append(tuple(column))
    return Graph(*columns) if columns else Graph((), (), ())


def children(graph: Graph, node: int, types: Collection[int] | None = None) -> list[tuple[int, int]]:
    """The (type, target) of every edge that leaves `node`; of some types only, when given."""
    low = bisect_left(graph.source, node)
    high = bisect_left(graph.source, node + 1)
    pairs = zip(graph.type[low:high], graph.target[low:high], strict=True)
    return [pair for pair in pairs if types is None or pair[0] in types]


class Reverse:
    """The edges by their target: build it once for a page that asks for several nodes."""

    def __init__(self, graph: Graph) -> None:
        # Places of edges, sorted by target: several times faster to make than lists by target.
        self._graph = graph
        self._places = sorted(range(len(graph.target)), key=graph.target.__getitem__)
        self._targets = list(map(graph.target.__getitem__, self._places))

    def parents(self, node: int, types: Collection[int] | None = None) -> list[tuple[int, int]]:
        """The (type, source) of every edge that arrives at `node`."""
        places = self._places[bisect_left(self._targets, node) : bisect_right(self._targets, node)]
        pairs = [(self._graph.type[place], self._graph.source[place]) for place in places]
        return [pair for pair in pairs if types is None or pair[0] in types]


def parents(graph: Graph, node: int, types: Collection[int] | None = None) -> list[tuple[int, int]]:
    """The (type, source) of every edge that arrives at `node`, by one pass over the graph."""
    found: list[tuple[int, int]] = []
    position = -1
    targets = graph.target
    try:
        while True:
            position = targets.index(node, position + 1)
            if types is None or graph.type[position] in types:
                found.append((graph.type[position], graph.source[position]))
    except ValueError:
        return found


def walk(
    graph: Graph, start: int = THE_DOCUMENT, types: Collection[int] | None = None, max_depth: int = 64
) -> Iterator[tuple[int, int]]:
    """Every node reached from `start` as (depth, node), parents before children, each once however it is reached."""
    seen = {start}
    waiting = [(0, start)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        if depth >= max_depth:
            continue
        below = [target for _, target in children(graph, node, types) if target not in seen]
        below = list(dict.fromkeys(below))
        seen.update(below)
        waiting.extend((depth + 1, target) for target in reversed(below))
