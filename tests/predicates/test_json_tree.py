from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cgexplorer import predicates
from cgexplorer.predicates import PredicateError, json_tree, reading
from cgexplorer.predicates.json_tree import Node


def every(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from every(child)


def test_the_tree_has_keys_places_kinds_and_text() -> None:
    tree = json_tree.parse(b'{"a": [1, true, null, "x"], "b": {}}')
    first, second = tree.children
    assert (first.label, first.kind, first.size) == ("a", "list", 4)
    assert [(one.label, one.kind, one.text) for one in first.children] == [
        ("0", "number", "1"),
        ("1", "boolean", "true"),
        ("2", "null", "null"),
        ("3", "text", "x"),
    ]
    assert (second.kind, second.size, second.children) == ("object", 0, ())


def test_beyond_the_limit_the_rest_is_counted_where_it_would_be() -> None:
    tree = json_tree.parse(json.dumps(list(range(100))).encode(), max_nodes=10)
    assert len(tree.children) == 10
    assert tree.left_out == 90


def test_however_it_is_nested_the_tree_is_bounded() -> None:
    wide = json.dumps([[list(range(50))] * 50] * 50).encode()
    assert sum(1 for _ in every(json_tree.parse(wide, max_nodes=1000))) <= 1001


def test_what_lies_too_deep_is_left_out_and_counted() -> None:
    tree = json_tree.parse(b"[" * 100 + b"]" * 100)
    depth = 0
    while tree.children:
        (tree,) = tree.children
        depth += 1
    assert (depth, tree.left_out) == (json_tree.MAX_DEPTH, 1)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"a": "\xff"}', b"[" * 1_000_000])
def test_bytes_that_are_no_json_are_refused(raw: bytes) -> None:
    with pytest.raises(PredicateError):
        json_tree.parse(raw)


def test_nul_is_shown_escaped_and_long_text_shortened() -> None:
    tree = json_tree.parse(json.dumps(["a\0b", "x" * 10_000]).encode())
    assert tree.children[0].text == r"a\u0000b"
    assert len(tree.children[1].text) == reading.MAX_TEXT_CHARACTERS + 1


def test_flattened_values_have_paths_and_an_end() -> None:
    assert reading.flatten({"a": [{"b": 1}], "c": {}, "d": None}) == (("a[0].b", "1"), ("c", "{}"), ("d", "null"))
    many = reading.flatten(list(range(10_000)))
    assert len(many) == reading.MAX_LEAVES + 1
    assert many[-1] == ("…", "more values are left out")


@pytest.mark.parametrize(
    ("uri", "label"),
    [
        (predicates.SPDX, "SPDX"),
        (predicates.SLSA_V02, "SLSA provenance v0.2"),
        ("https://shirokuma.dev/attestations/trivy/v1", "trivy/v1"),
        ("custom", "custom"),
        ("https://example.test", "https://example.test"),
    ],
)
def test_predicate_types_have_the_names_people_use(uri: str, label: str) -> None:
    assert predicates.label(uri) == label
