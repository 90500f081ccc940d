from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from cgexplorer.spdx import graph
from cgexplorer.spdx.document import CONTAINS, DEPENDS_ON, DESCRIBES, THE_DOCUMENT, Graph

EDGES = [
    (THE_DOCUMENT, DESCRIBES, 0),
    (0, CONTAINS, 1),
    (0, CONTAINS, 2),
    (1, DEPENDS_ON, 2),
    (2, DEPENDS_ON, 1),
]
SMALL = graph.build(EDGES)


def test_edges_are_sorted_and_kept_once() -> None:
    assert graph.build([*reversed(EDGES), *EDGES]) == SMALL
    assert SMALL.source == (-1, 0, 0, 1, 2)


@given(st.lists(st.tuples(st.integers(-1, 2**31 - 1), st.integers(0, 42), st.integers(-1, 2**31 - 1))))
def test_stored_and_read_again_it_is_the_same_graph(edges: list[tuple[int, int, int]]) -> None:
    made = graph.build(edges)
    assert graph.decode(graph.encode(made)) == made


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"nothing compressed",
        zstandard.compress(b"other bytes"),
        zstandard.compress(b"cgg1\xff\xff\xff\xff"),
        zstandard.compress(bytes(200_000_000)),
        graph.encode(SMALL)[:-3],
    ],
)
def test_bytes_that_are_no_graph_are_refused(stored: bytes) -> None:
    with pytest.raises(graph.GraphError):
        graph.decode(stored)


def test_children_are_the_edges_that_leave_a_node() -> None:
    assert graph.children(SMALL, 0) == [(CONTAINS, 1), (CONTAINS, 2)]
    assert graph.children(SMALL, 1, [CONTAINS]) == []


def test_parents_are_the_edges_that_arrive() -> None:
    expected = [(CONTAINS, 0), (DEPENDS_ON, 1)]
    assert graph.parents(SMALL, 2) == expected
    assert graph.Reverse(SMALL).parents(2) == expected
    assert graph.parents(SMALL, 2, [CONTAINS]) == [(CONTAINS, 0)]


def test_a_walk_visits_each_node_once_even_in_a_cycle() -> None:
    assert list(graph.walk(SMALL)) == [(0, THE_DOCUMENT), (1, 0), (2, 1), (2, 2)]
    assert list(graph.walk(SMALL, 1, [DEPENDS_ON])) == [(0, 1), (1, 2)]


def test_a_walk_stops_at_the_depth_asked_for() -> None:
    assert list(graph.walk(SMALL, max_depth=1)) == [(0, THE_DOCUMENT), (1, 0)]


def test_a_chain_of_a_hundred_thousand_is_walked_without_recursion() -> None:
    chain = graph.build((place, CONTAINS, place + 1) for place in range(100_000))
    assert sum(1 for _ in graph.walk(chain, 0, max_depth=200_000)) == 100_001


def test_an_empty_graph_has_no_children_and_can_be_stored() -> None:
    empty = Graph((), (), ())
    assert graph.children(empty, 0) == []
    assert graph.decode(graph.encode(empty)) == empty
