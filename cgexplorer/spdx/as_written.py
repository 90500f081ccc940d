"""What a document says beyond rows, read from its kept bytes: every field of every element, annotations, its heading.

Nothing is interpreted and nothing left out, so that fields of other versions, and of nobody's, can be read too.
Source: SPDX 2.3 clauses 6 to 13; `revieweds` and `reviewers` are what SPDX 2.0 had before annotations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from cgexplorer.spdx import gate, wire

MAX_LEAVES = 2000  # of one element
MAX_RELATIONSHIPS = 200
MAX_ANNOTATIONS = 10_000
THE_DOCUMENT = ""  # what an annotation is about that stands at the document itself

_LISTS = {"packages": "package", "files": "file", "snippets": "snippet"}
_HEADING_LEAVES_OUT = {*_LISTS, "relationships", "hasExtractedLicensingInfos", "annotations", "revieweds", "reviewers",
                       "documentDescribes", "components", "dependencies"}  # fmt: skip


class Leaf(msgspec.Struct, frozen=True):
    path: str  # "externalRefs[0].referenceLocator"
    value: str


class Annotation(msgspec.Struct, frozen=True):
    about: str  # SPDXID or bom-ref; THE_DOCUMENT
    annotator: str
    date: str
    kind: str  # REVIEW, OTHER, or as written
    comment: str


class Relationship(msgspec.Struct, frozen=True):
    source: str
    kind: str
    target: str
    comment: str
    source_is_here: bool  # whether the document has this end
    target_is_here: bool


class Element(msgspec.Struct, frozen=True):
    what: str  # document, package, file, snippet, extracted licence, component
    name: str
    leaves: tuple[Leaf, ...]
    annotations: tuple[Annotation, ...]
    relationships: tuple[Relationship, ...]
    relationship_count: int


class Heading(msgspec.Struct, frozen=True):
    leaves: tuple[Leaf, ...]
    snippets: tuple[str, ...]  # their SPDXIDs
    licenses: tuple[str, ...]  # of those whose text is in the document
    annotations: tuple[Annotation, ...]


def heading(raw: bytes) -> Heading:
    """All but the lists of elements. Raises NotIndexable when the bytes are no JSON object."""
    tree = _tree(raw)
    return Heading(
        leaves=_leaves(_of_heading(tree)),
        snippets=tuple(filter(None, (_text(one.get("SPDXID")) for one in _objects(tree.get("snippets"))))),
        licenses=tuple(
            filter(None, (_text(one.get("licenseId")) for one in _objects(tree.get("hasExtractedLicensingInfos"))))
        ),
        annotations=_annotations(tree),
    )


def annotated(raw: bytes) -> tuple[Annotation, ...]:
    """Of the document and of every element, in the document's order. Raises NotIndexable."""
    return _annotations(_tree(raw))


def element(raw: bytes, identifier: str) -> Element | None:
    """The first element with this SPDXID, licenseId or bom-ref, or at this JSON pointer. Raises NotIndexable."""
    tree = _tree(raw)
    pointed = _at(tree, identifier) if identifier.startswith("#/") else None
    if identifier and identifier == tree.get("SPDXID"):
        return _told(tree, identifier, "document", _of_heading(tree), tree)
    for what, one in _elements(tree):
        if one is pointed or (pointed is None and _identifier(one) == identifier):
            fields = {key: value for key, value in one.items() if key not in ("annotations", "components")}
            return _told(tree, identifier, what, fields, one)
    return None


def _told(tree: dict[str, Any], identifier: str, what: str, fields: dict[str, Any], one: dict[str, Any]) -> Element:
    related = [edge for edge in _relationships(tree) if identifier in (edge.source, edge.target)]
    return Element(
        what=what,
        name=_text(one.get("name") or one.get("fileName") or ""),
        leaves=_leaves(fields),
        annotations=tuple(_noted(one.get("annotations"), identifier)),
        relationships=tuple(related[:MAX_RELATIONSHIPS]),
        relationship_count=len(related),
    )


def _of_heading(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key not in _HEADING_LEAVES_OUT}


def _tree(raw: bytes) -> dict[str, Any]:
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    gate.check(raw)
    tree = wire.tree_of(raw)
    wrapped = tree.get("Data")
    return wrapped if "spdxVersion" not in tree and isinstance(wrapped, dict) else tree


def _at(tree: Any, pointer: str) -> Any:
    for part in pointer.removeprefix("#/").split("/"):
        if isinstance(tree, dict):
            tree = tree.get(part)
        elif isinstance(tree, list) and part.isdecimal() and int(part[:9]) < len(tree):
            tree = tree[int(part[:9])]
        else:
            return None
    return tree


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def _elements(tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, what in _LISTS.items():
        yield from ((what, one) for one in _objects(tree.get(key)))
    yield from (("extracted licence", one) for one in _objects(tree.get("hasExtractedLicensingInfos")))
    metadata = tree.get("metadata")
    described = metadata.get("component") if isinstance(metadata, dict) else None
    waiting = [*_objects([described]), *_objects(tree.get("components"))][::-1]
    while waiting:
        one = waiting.pop()
        yield "component", one
        waiting += [*_objects(one.get("components"))][::-1]


def _identifier(one: dict[str, Any]) -> str:
    return _text(one.get("SPDXID") or one.get("licenseId") or one.get("bom-ref") or "")


def _annotations(tree: dict[str, Any]) -> tuple[Annotation, ...]:
    found = [*_noted(tree.get("annotations"), THE_DOCUMENT)]
    for key in ("revieweds", "reviewers"):
        found += _noted(tree.get(key), THE_DOCUMENT)
    for _, one in _elements(tree):
        if len(found) >= MAX_ANNOTATIONS:
            break
        if one.get("annotations"):
            found += _noted(one["annotations"], _identifier(one))
    return tuple(found[:MAX_ANNOTATIONS])


def _noted(value: Any, about: str) -> Iterator[Annotation]:
    for one in _objects(value):
        annotator = one.get("annotator") or one.get("reviewer")
        if isinstance(annotator, dict):  # CycloneDX: an organization, an individual, a component or a service
            annotator = next((who.get("name") for who in _objects([*annotator.values()])), annotator)
        subjects = one.get("subjects")  # CycloneDX keeps its annotations apart from what they are about
        for subject in subjects if isinstance(subjects, list) and subjects else (about,):
            yield Annotation(
                about=_text(subject),
                annotator=_text(annotator),
                date=_text(one.get("annotationDate") or one.get("reviewDate") or one.get("timestamp")),
                kind=_text(one.get("annotationType") or ("REVIEW" if "reviewer" in one else "")),
                comment=_text(one.get("comment") or one.get("text")),
            )


def _relationships(tree: dict[str, Any]) -> Iterator[Relationship]:
    here = {_text(tree.get("SPDXID")), *(_identifier(one) for _, one in _elements(tree))} - {""}
    for source, kind, target, comment in _stated(tree):
        yield Relationship(source, kind, target, comment, source in here, target in here)


def _stated(tree: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for one in _objects(tree.get("relationships")):
        kind, comment = _text(one.get("relationshipType")), _text(one.get("comment"))
        yield _text(one.get("spdxElementId")), kind, _text(one.get("relatedSpdxElement")), comment
    for one in _objects(tree.get("dependencies")):
        for kind in ("dependsOn", "provides"):
            targets = one.get(kind)
            for target in targets if isinstance(targets, list) else ():
                yield _text(one.get("ref")), kind, _text(target), ""


def _leaves(value: dict[str, Any]) -> tuple[Leaf, ...]:
    """Values with the way to each, in the document's order."""
    found: list[Leaf] = []
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting and len(found) < MAX_LEAVES:
        path, one = waiting.pop()
        if isinstance(one, dict) and one:
            inner = [(f"{path}.{key}" if path else key, under) for key, under in one.items()]
            waiting.extend(reversed(inner))
        elif isinstance(one, list) and one:
            waiting.extend(reversed([(f"{path}[{place}]", under) for place, under in enumerate(one)]))
        else:
            found.append(Leaf(path, _text(one)))
    return tuple(found)


def _text(value: Any) -> str:
    """As written; what is no text as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
