"""Elements and edges of a document, whichever its format: roles, copies collapsed, gaps of the graph filled."""

from __future__ import annotations

import msgspec

from cgexplorer.spdx import packages, wire
from cgexplorer.spdx.checksums import checksums
from cgexplorer.spdx.document import (
    CONTAINS,
    CONTENTS,
    DEPENDS_ON,
    DESCRIBED_BY,
    DESCRIBES,
    GENERATED_FROM,
    IMPLIED_CONTAINS,
    THE_DOCUMENT,
    File,
    Graph,
    Package,
    Role,
)
from cgexplorer.spdx.findings import Findings
from cgexplorer.spdx.graph import build
from cgexplorer.spdx.relationships import Edge, edges


class Elements(msgspec.Struct, frozen=True):
    packages: tuple[Package, ...]
    files: tuple[File, ...]
    graph: Graph
    described: tuple[int, ...]


def understood(written: wire.Document, findings: Findings, *, id_name: str = "SPDXID") -> Elements:
    """What the elements of a document mean. `id_name`: what its format calls an element's identifier."""
    listed = written.packages or []
    ids = _index_as_written(written, id_name, findings)
    raw_edges = edges(written, ids, findings)
    described_by = {target for _, code, target in raw_edges if code == DESCRIBED_BY}
    made_into = {target for _, code, target in raw_edges if code == GENERATED_FROM}
    meant = [
        packages.meant(
            package, findings, describes_another=position in described_by, made_into_another=position in made_into
        )
        for position, package in enumerate(listed)
    ]
    kept, place = packages.collapse(meant)
    if len(kept) < len(listed):
        files = range(len(kept), len(kept) + len(written.files or []))
        raw_edges = _moved(raw_edges, [*place, *files, THE_DOCUMENT])
    kept = packages.with_source_names(kept, _sources(raw_edges, len(kept)))
    of_document = {target for source, code, target in raw_edges if code == DESCRIBES and source == THE_DOCUMENT}
    described = tuple(sorted(of_document - {THE_DOCUMENT}))
    raw_edges += _implied(kept, raw_edges, described)
    return Elements(tuple(kept), _files(written.files or [], findings), build(raw_edges), described)


def _index_as_written(written: wire.Document, id_name: str, findings: Findings) -> dict[str, int]:
    """Element numbers by identifier. Of two elements with the same one, relationships mean the first."""
    index: dict[str, int] = {written.spdx_id or "SPDXRef-DOCUMENT": THE_DOCUMENT}
    position = 0
    for elements in (written.packages or (), written.files or ()):
        for element in elements:
            spdx_id = element.spdx_id
            if not spdx_id:
                findings.add(
                    f"element without {'an' if id_name == 'SPDXID' else 'a'} {id_name}",
                    getattr(element, "name", None) or "",
                )
            elif index.setdefault(spdx_id, position) != position:
                findings.add(f"{id_name} used twice", spdx_id)
            position += 1
    return index


def _moved(found: list[Edge], place: list[int]) -> list[Edge]:
    """The edges after collapsing; an edge from a copy to its other copy is gone. The document, -1, is last in place."""
    return [
        (place[source], code, place[target])
        for source, code, target in found
        if source == target or place[source] != place[target]
    ]


def _sources(found: list[Edge], package_count: int) -> dict[int, list[int]]:
    """Of each package, what it was built from: GENERATED_FROM one thing is its name, otherwise its build file."""
    definitions: dict[int, list[int]] = {}
    upstreams: dict[int, list[int]] = {}
    for source, code, target in found:
        if 0 <= source < package_count and 0 <= target < package_count:
            if code == DESCRIBED_BY:
                definitions.setdefault(source, []).append(target)
            elif code == GENERATED_FROM:
                upstreams.setdefault(source, []).append(target)
    # A melange file is named after the origin; an upstream archive after the project, which may differ.
    return {
        position: definitions.get(position, []) + upstreams.get(position, [])
        for position in definitions.keys() | upstreams.keys()
    }


def _implied(kept: list[Package], found: list[Edge], described: tuple[int, ...]) -> list[Edge]:
    """Contents that nothing contains hang under the image, else the system or directory, else the document.

    apko 0.14.5 to 0.27.9 relates the image to its layer and nothing else; syft 0.57 relates packages to files only.
    """
    held = {target for _, code, target in found if code == CONTAINS} | set(described)
    # What is reached by a dependency from something other than contents (a melange package) has its place already.
    tops = [kept[position].role for position in described if position < len(kept)]
    top = THE_DOCUMENT
    for role in (Role.IMAGE, Role.OPERATING_SYSTEM, Role.FILE):
        if role in tops:
            top = next(position for position in described if position < len(kept) and kept[position].role is role)
            break
    else:
        held |= {target for _, code, target in found if code == DEPENDS_ON}
    return [
        (top, IMPLIED_CONTAINS, position)
        for position, package in enumerate(kept)
        if package.role in CONTENTS and position not in held and position != top
    ]


def _files(found: list[wire.File], findings: Findings) -> tuple[File, ...]:
    return tuple(
        File(
            spdx_id=file.spdx_id or "",
            name=file.file_name or "",
            checksums=checksums(file.checksums, findings),
            license_concluded=file.license_concluded or "",
        )
        for file in found
    )
