"""SBOM files that are not JSON: SPDX tag-value, RDF, YAML and XML by spdx-tools, CycloneDX XML by cyclonedx-python-lib.

For files that a person imports; attestations are JSON. Unlike JSON, the library is a gate here: it is the only reader.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from cgexplorer.spdx import cyclonedx, gate, worker
from cgexplorer.spdx.document import Document, NotIndexable
from cgexplorer.spdx.parse import parse

TIMEOUT_S = 60.0
_HEAD_BYTES = 64 * 1024


class Format(StrEnum):
    """By the suffix that its library knows it under."""

    JSON = ".json"
    TAG_VALUE = ".spdx"
    RDF = ".rdf.xml"
    XML = ".xml"
    YAML = ".yaml"
    CYCLONEDX_XML = ".cdx.xml"


class Converted(msgspec.Struct, frozen=True):
    """The worker's answer."""

    document: str = ""  # SPDX JSON
    reason: str = ""


def parse_any(raw: bytes, timeout_s: float = TIMEOUT_S) -> Document:
    """Parse an SPDX 2.x or CycloneDX document of any form. Raises NotIndexable with a sentence."""
    form = sniff(raw)
    return parse(raw if form is Format.JSON else to_json(raw, form, timeout_s))


def sniff(raw: bytes) -> Format:
    """Which form the bytes have, by their beginning; what is none of the others is taken for JSON."""
    head = raw[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"<"):
        if b"cyclonedx.org/schema/bom" in head:
            return Format.CYCLONEDX_XML
        return Format.RDF if b"rdf:RDF" in head else Format.XML
    if re.search(rb"^SPDXVersion:", head, re.MULTILINE):
        return Format.TAG_VALUE
    if re.search(rb"""^["']?spdxVersion["']?:""", head, re.MULTILINE) and not head.startswith(b"{"):
        return Format.YAML
    return Format.JSON


_MEDIA_TYPE = {
    Format.JSON: "application/spdx+json",
    Format.TAG_VALUE: "text/spdx",
    Format.RDF: "application/rdf+xml",
    Format.XML: "application/xml",
    Format.YAML: "application/yaml",
    Format.CYCLONEDX_XML: "application/vnd.cyclonedx+xml",
}


def media_type(raw: bytes) -> str:
    """As IANA knows it; SPDX has none for YAML and XML."""
    form = sniff(raw)
    if form is Format.JSON and cyclonedx.is_one(raw):
        return "application/vnd.cyclonedx+json"
    return _MEDIA_TYPE[form]


def to_json(raw: bytes, form: Format, timeout_s: float = TIMEOUT_S) -> bytes:
    """The document as JSON of its own format. Raises NotIndexable with the library's own reason."""
    name = form.name.replace("_", "-").lower()
    if len(raw) > gate.MAX_BYTES:
        raise NotIndexable(
            f"The document has {len(raw):,} bytes; documents up to {gate.MAX_BYTES:,} bytes are indexed."
        )
    if form.value.endswith(".xml") and re.search(rb"<!(?:DOCTYPE|ENTITY)", raw, re.IGNORECASE):
        raise NotIndexable("The document declares XML entities; such documents are not read.")
    try:
        answer = msgspec.json.decode(worker.run(f"convert{form}", raw, timeout_s), type=Converted)
    except worker.WorkerError as error:
        raise NotIndexable(f"The {name} document cannot be read: {error}") from None
    if not answer.document:
        raise NotIndexable(f"The {name} document cannot be read: {answer.reason}")
    return answer.document.encode()
