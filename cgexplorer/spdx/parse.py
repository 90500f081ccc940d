"""Bytes of an SPDX 2.x document to rows: nothing lost, everything findable.

spdx-tools rejects 37 % of real documents for one bad element each. Here the bad element is noted as a finding and every
other one is kept; what spdx-tools thinks of the document is asked apart (conformance.py) and is never a gate.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from cgexplorer.spdx import gate, packages, wire
from cgexplorer.spdx.actors import generator, is_actor
from cgexplorer.spdx.checksums import checksums
from cgexplorer.spdx.dates import is_date
from cgexplorer.spdx.document import (
    CONTAINS,
    CONTENTS,
    DEPENDS_ON,
    DESCRIBED_BY,
    DESCRIBES,
    GENERATED_FROM,
    IMPLIED_CONTAINS,
    THE_DOCUMENT,
    Document,
    ExtractedLicense,
    File,
    Package,
    Role,
)
from cgexplorer.spdx.findings import Findings
from cgexplorer.spdx.graph import build
from cgexplorer.spdx.relationships import Edge, edges

MAX_PACKAGES = 50_000
MAX_FILES = 250_000
MAX_RELATIONSHIPS = 250_000


def parse(raw: bytes) -> Document:
    """Parse the bytes of an SPDX 2.x JSON document.

    Elements that are wrong are left out or kept as written, and counted in `findings`. Beyond 50,000 packages, 250,000
    files or 250,000 relationships the rest is left out and `truncated` says so.
    Raises NotIndexable with a sentence: not JSON, ambiguous JSON, another format.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    with _without_garbage_collection():
        gate.check(raw)
        findings = Findings()
        written = wire.decode(raw, findings)
        truncated = _truncate(written)
        return _document(written, findings, truncated)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    # A large document makes millions of small objects and no cycles; collecting meanwhile doubles the time.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _truncate(written: wire.Document) -> str:
    sentences = []
    for name, limit in (("packages", MAX_PACKAGES), ("files", MAX_FILES), ("relationships", MAX_RELATIONSHIPS)):
        elements = getattr(written, name) or []
        if len(elements) > limit:
            sentences.append(f"{len(elements) - limit:,} of {len(elements):,} {name}")
            setattr(written, name, elements[:limit])
    if not sentences:
        return ""
    return f"This document is larger than what is indexed: {' and '.join(sentences)} are left out."


def _document(written: wire.Document, findings: Findings, truncated: str) -> Document:
    listed = written.packages or []
    found = written.files or []
    ids = _index_as_written(written, findings)
    raw_edges = edges(written, ids, findings)
    described_by = {target for _, code, target in raw_edges if code == DESCRIBED_BY}
    made_into = {target for _, code, target in raw_edges if code == GENERATED_FROM}
    understood = [
        packages.meant(
            package, findings, describes_another=position in described_by, made_into_another=position in made_into
        )
        for position, package in enumerate(listed)
    ]
    kept, place = packages.collapse(understood)
    shift = len(listed) - len(kept)
    if shift:
        raw_edges = _moved(raw_edges, place, len(listed), shift)
    kept = packages.with_source_names(kept, _sources(raw_edges, len(kept)))
    described = tuple(
        sorted({target for source, code, target in raw_edges if code == DESCRIBES and source == THE_DOCUMENT})
    )
    raw_edges += _implied(kept, raw_edges, described)
    creation = written.creation_info or wire.CreationInfo()
    creators = tuple(creation.creators or ())
    _check_heading(written, creation, findings)
    return Document(
        format="spdx",
        spec_version=written.spdx_version or "",
        name=written.name or "",
        namespace=written.document_namespace or "",
        created=creation.created or "",
        creators=creators,
        generator=generator(creators),
        packages=tuple(kept),
        files=_files(found, findings),
        graph=build(raw_edges),
        described=described,
        extracted_licenses=tuple(
            ExtractedLicense(one.license_id or "", one.name or "", one.extracted_text or "")
            for one in written.has_extracted_licensing_infos or ()
        ),
        findings=findings.grouped(),
        truncated=truncated,
    )


def _index_as_written(written: wire.Document, findings: Findings) -> dict[str, int]:
    """Element numbers by SPDXID. Of two elements with the same SPDXID, relationships mean the first."""
    index: dict[str, int] = {written.spdx_id or "SPDXRef-DOCUMENT": THE_DOCUMENT}
    position = 0
    for elements in (written.packages or (), written.files or ()):
        for element in elements:
            spdx_id = element.spdx_id
            if not spdx_id:
                findings.add("element without an SPDXID", getattr(element, "name", None) or "")
            elif index.setdefault(spdx_id, position) != position:
                findings.add("SPDXID used twice", spdx_id)
            position += 1
    return index


def _moved(found: list[Edge], place: list[int], package_count: int, shift: int) -> list[Edge]:
    """The edges after collapsing; an edge from a copy to its other copy is gone."""

    def new(element: int) -> int:
        if element < 0:
            return element
        return place[element] if element < package_count else element - shift

    return [
        (new(source), code, new(target))
        for source, code, target in found
        if source == target or new(source) != new(target)
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


def _check_heading(written: wire.Document, creation: wire.CreationInfo, findings: Findings) -> None:
    if not (written.spdx_version or "").startswith("SPDX-2."):
        findings.add("spdxVersion is not SPDX-2.x", written.spdx_version or "")
    if not creation.created or not is_date(creation.created):
        findings.add("created is not a date as SPDX writes it", creation.created or "")
    for creator in creation.creators or ():
        if not is_actor(creator):
            findings.add("creator that is no person, organisation or tool", creator)
