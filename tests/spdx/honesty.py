"""Rows against spdx-tools' model of the same document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.parser.jsonlikedict.license_expression_parser import LicenseExpressionParser
from spdx_tools.spdx.parser.jsonlikedict.relationship_parser import RelationshipParser

from cgexplorer.spdx import actors, licenses, linear_spdx_tools
from cgexplorer.spdx.document import Package
from cgexplorer.spdx.parse import parse
from tests.spdx import documents


def in_names(model: Any, ours: dict[str, str]) -> set[tuple[str, str, str]]:
    """spdx-tools' relationships, inverse types as one, collapsed copies as their first."""
    inverse = {
        "DEPENDENCY_OF": "DEPENDS_ON",
        "CONTAINED_BY": "CONTAINS",
        "GENERATES": "GENERATED_FROM",
        "PREREQUISITE_FOR": "HAS_PREREQUISITE",
    }
    found = set()
    for one in model.relationships:
        kind, stated = one.relationship_type.name, (one.spdx_element_id, str(one.related_spdx_element_id))
        source, target = (ours.get(end) for end in stated)
        if source is None or target is None:
            continue
        if kind in inverse:
            kind, source, target = inverse[kind], target, source
        if source != target or stated[0] == stated[1]:
            found.add((source, kind, target))
    return found


def licence(value: Any) -> str | None:
    return None if value is None else str(value)


def assert_one(ours: Package, theirs: Any, *, copy: bool) -> None:
    # Without a name, the purl's; a Go module's version with its v. Everything else is as spdx-tools reads it.
    assert ours.name == (theirs.name or ours.purl_name)
    prefix = "v" if ours.ecosystem == "golang" and (theirs.version or "")[:1].isdigit() else ""
    assert ours.version == prefix + (theirs.version or "")
    theirs_purls = tuple(one.locator for one in theirs.external_references if one.reference_type == "purl")
    theirs_cpes = [one.locator for one in theirs.external_references if one.reference_type.startswith("cpe2")]
    sums = {
        (one.algorithm.name, one.value)
        for one in theirs.checksums
        if (one.algorithm.name, one.value) != ("SHA1", "0" * 40)
    }
    if copy:  # a second copy adds what the first does not say
        assert set(theirs_purls) <= set(ours.purls)
        assert set(theirs_cpes) <= set(ours.cpes)
        assert sums <= {(one.algorithm, one.value) for one in ours.checksums}
        return
    assert theirs_purls == ours.purls
    assert tuple(theirs_cpes) == ours.cpes
    assert sums == {(one.algorithm, one.value) for one in ours.checksums}
    assert ours.download_location == str(theirs.download_location)
    for written, actor in ((ours.supplier, theirs.supplier), (ours.originator, theirs.originator)):
        assert (actors.normalise(written) if written else None) == (None if actor is None else str(actor))
    for written, parsed in (
        (ours.license_declared, theirs.license_declared),
        (ours.license_concluded, theirs.license_concluded),
    ):
        if licenses.is_stated(written):
            assert licenses.normalise(written) == str(parsed)
        else:
            assert written == ("" if parsed is None else str(parsed))


def assert_same(raw: bytes, model: Any) -> None:
    ours = parse(raw)
    by_id = {spdx_id: one for one in ours.packages for spdx_id in (one.spdx_ids or (one.spdx_id,))}
    assert len(by_id) == len(model.packages)
    for theirs in model.packages:
        mine = by_id[theirs.spdx_id]
        assert_one(mine, theirs, copy=len(mine.spdx_ids) > 1)
    assert [(one.spdx_id, one.name) for one in ours.files] == [(one.spdx_id, one.name) for one in model.files]
    names = {spdx_id: one.spdx_id.removeprefix("SPDXRef-") for spdx_id, one in by_id.items()}
    names |= {one.spdx_id: one.spdx_id.removeprefix("SPDXRef-") for one in ours.files}
    names[model.creation_info.spdx_id] = "DOCUMENT"
    declared = {edge for edge in documents.edges(ours) if edge[1] != "IMPLIED_CONTAINS"}
    assert declared == in_names(model, names)
    heading = (ours.spec_version, ours.name, ours.namespace)
    info = model.creation_info
    assert heading == (info.spdx_version, info.name, info.document_namespace)
    assert ours.created == info.created.isoformat() + "Z"
    assert [actors.normalise(one) for one in ours.creators] == [str(one) for one in info.creators]
    assert [(one.license_id, one.text) for one in ours.extracted_licenses] == [
        (one.license_id, one.extracted_text) for one in model.extracted_licensing_info
    ]


def accepted(tree: dict[str, Any]) -> Any:
    try:
        return JsonLikeDictParser().parse(tree)
    except SPDXParsingError:
        return None


@contextmanager
def without_quadratic_work() -> Iterator[None]:
    """spdx-tools needs minutes for hasFiles; test_conformance shows that it says the same with lookups."""
    licence_parser, relationships = LicenseExpressionParser, RelationshipParser
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(licence_parser, "parse_license_expression", licence_parser.parse_license_expression)
        for name in ("get_all_relationships_without_comments", "check_if_relationship_exists"):
            patch.setattr(relationships, name, getattr(relationships, name))
        linear_spdx_tools.parse_linearly()
        yield
