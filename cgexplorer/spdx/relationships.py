"""Relationships as integers, each pair of inverse types as one, the derived ones added.

Source: SPDX 2.3 clause 11; documentDescribes and hasFiles as spdx-tools derives them, with sets instead of scans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cgexplorer.spdx import wire
from cgexplorer.spdx.document import (
    CONTAINS,
    DEPENDS_ON,
    DESCRIBED_BY,
    DESCRIBES,
    GENERATED_FROM,
    HAS_PREREQUISITE,
    RELATIONSHIP_TYPES,
    THE_DOCUMENT,
)
from cgexplorer.spdx.findings import Findings

type Edge = tuple[int, int, int]

_CODE = {name: code for code, name in enumerate(RELATIONSHIP_TYPES)}
_INVERTED = {
    "DEPENDENCY_OF": DEPENDS_ON,
    "CONTAINED_BY": CONTAINS,
    "GENERATES": GENERATED_FROM,
    "PREREQUISITE_FOR": HAS_PREREQUISITE,
}
_MISSPELT = {"DESCRIBE": "DESCRIBES"}  # every trivy document
_NOWHERE = frozenset({"NOASSERTION", "NONE"})


def edges(document: wire.Document, index: Mapping[str, int], findings: Findings) -> list[Edge]:
    """The edges of the document; `index` maps every SPDXID, the document's own too, to its element.

    Ends that the document does not have, NOASSERTION, NONE and elements of other documents are noted as findings.
    """
    found: list[Edge] = []
    codes: dict[str, tuple[int, bool, str]] = {}
    for relationship in document.relationships or ():
        kind = relationship.relationship_type
        if kind is None:
            findings.add("relationship without a type", f"{relationship.spdx_element_id}")
            continue
        known = codes.get(kind)
        if known is None:
            known = codes[kind] = _code(kind)
        code, inverted, fault = known
        if fault:
            findings.add(fault, kind)
        source = index.get(relationship.spdx_element_id or "")
        target = index.get(relationship.related_spdx_element or "")
        if source is None or target is None:
            _note_missing_end(relationship, findings)
            continue
        if inverted:
            source, target = target, source
        if code == DESCRIBED_BY and target == THE_DOCUMENT:
            code, source, target = DESCRIBES, target, source
        found.append((source, code, target))
    _add_described(document, index, found, findings)
    _add_has_files(document.packages or (), index, found, findings)
    return found


def _code(kind: str) -> tuple[int, bool, str]:
    """Its number here, whether the ends change places, and what is wrong with the way it is written."""
    name = kind.replace("-", "_").upper()
    fault = ""
    if name in _MISSPELT:
        name, fault = _MISSPELT[name], "relationship type spelt wrongly"
    if name in _INVERTED:
        return _INVERTED[name], True, fault
    if name not in _CODE or name == "IMPLIED_CONTAINS":
        return _CODE["OTHER"], False, "relationship of an unknown type, kept as OTHER"
    return _CODE[name], False, fault


def _note_missing_end(relationship: wire.Relationship, findings: Findings) -> None:
    ends = (relationship.spdx_element_id or "", relationship.related_spdx_element or "")
    text = f"{ends[0]} {relationship.relationship_type} {ends[1]}"
    if ends[1] in _NOWHERE:
        findings.add("relationship to NOASSERTION or NONE", text)
    elif any(end.startswith("DocumentRef-") for end in ends):
        findings.add("relationship to an element of another document", text)
    else:
        findings.add("relationship to an element that the document does not have", text)


def _add_described(document: wire.Document, index: Mapping[str, int], found: list[Edge], findings: Findings) -> None:
    for spdx_id in document.document_describes or ():
        target = index.get(spdx_id)
        if target is None:
            findings.add("documentDescribes an element that the document does not have", spdx_id)
        else:
            found.append((THE_DOCUMENT, DESCRIBES, target))


def _add_has_files(
    packages: Iterable[wire.Package], index: Mapping[str, int], found: list[Edge], findings: Findings
) -> None:
    for package in packages:
        if not package.has_files:
            continue
        source = index.get(package.spdx_id or "")
        for spdx_id in package.has_files:
            target = index.get(spdx_id)
            if target is None:
                findings.add("hasFiles names an element that the document does not have", spdx_id)
            elif source is not None:
                found.append((source, CONTAINS, target))
