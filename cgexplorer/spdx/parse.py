"""Bytes of an SBOM, SPDX 2.x or CycloneDX, to rows: nothing lost, everything findable.

spdx-tools rejects 37 % of real documents for one bad element each. Here the bad element is noted as a finding and every
other one is kept; what spdx-tools thinks of the document is asked apart (conformance.py) and is never a gate.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from cgexplorer.spdx import cyclonedx, gate, wire
from cgexplorer.spdx.actors import generator, is_actor
from cgexplorer.spdx.dates import is_date
from cgexplorer.spdx.document import Document, ExtractedLicense
from cgexplorer.spdx.elements import understood
from cgexplorer.spdx.findings import Findings

MAX_PACKAGES = 50_000
MAX_FILES = 250_000
MAX_RELATIONSHIPS = 250_000


def parse(raw: bytes) -> Document:
    """Parse the bytes of an SPDX 2.x or CycloneDX 1.x JSON document.

    Elements that are wrong are left out or kept as written, and counted in `findings`. Beyond 50,000 packages, 250,000
    files or 250,000 relationships the rest is left out and `truncated` says so.
    Raises NotIndexable with a sentence: not JSON, ambiguous JSON, another format.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    with _without_garbage_collection():
        gate.check(raw)
        findings = Findings()
        if cyclonedx.is_one(raw):
            written = cyclonedx.decode(raw, findings)
            return _document("cyclonedx", written, findings)
        written = wire.decode(raw, findings)
        _check_heading(written, findings)
        return _document("spdx", written, findings)


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


def _document(form: str, written: wire.Document, findings: Findings) -> Document:
    truncated = _truncate(written)
    found = understood(written, findings, id_name="SPDXID" if form == "spdx" else "bom-ref")
    creation = written.creation_info or wire.CreationInfo()
    creators = tuple(creation.creators or ())
    return Document(
        format=form,
        spec_version=written.spdx_version or "",
        name=written.name or "",
        namespace=written.document_namespace or "",
        created=creation.created or "",
        creators=creators,
        generator=generator(creators),
        packages=found.packages,
        files=found.files,
        graph=found.graph,
        described=found.described,
        extracted_licenses=tuple(
            ExtractedLicense(one.license_id or "", one.name or "", one.extracted_text or "")
            for one in written.has_extracted_licensing_infos or ()
        ),
        findings=findings.grouped(),
        truncated=truncated,
    )


def _check_heading(written: wire.Document, findings: Findings) -> None:
    creation = written.creation_info or wire.CreationInfo()
    if not (written.spdx_version or "").startswith("SPDX-2."):
        findings.add("spdxVersion is not SPDX-2.x", written.spdx_version or "")
    if not creation.created or not is_date(creation.created):
        findings.add("created is not a date as SPDX writes it", creation.created or "")
    for creator in creation.creators or ():
        if not is_actor(creator):
            findings.add("creator that is no person, organisation or tool", creator)
