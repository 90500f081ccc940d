"""Small documents for tests, and the real ones beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cgexplorer.spdx.document import RELATIONSHIP_TYPES, THE_DOCUMENT, Document

_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
INVALID = "apko-base_image-sbom-x86_64.spdx.json"


def real() -> list[Path]:
    """Every real SPDX JSON document but the large one; [] without the data."""
    found = [*_DATA.glob("spdx/**/*.json"), *_DATA.glob("sboms-of-tools/*.spdx.json")]
    found += _DATA.glob("chainguard-postgres/postgres-arm64.spdx.json")
    return sorted(found)


def package(spdx_id: str, purl: str = "", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"SPDXID": f"SPDXRef-{spdx_id}", "name": spdx_id, "downloadLocation": "NOASSERTION"}
    if purl:
        reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
        made["externalRefs"] = [reference]
        made["versionInfo"] = purl.partition("@")[2].partition("?")[0]
    return made | fields


def related(source: str, kind: str, target: str) -> dict[str, str]:
    return {
        "spdxElementId": f"SPDXRef-{source}",
        "relationshipType": kind,
        "relatedSpdxElement": f"SPDXRef-{target}",
    }


def document(*packages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "example",
        "dataLicense": "CC0-1.0",
        "documentNamespace": "https://example.test/document",
        "creationInfo": {"created": "2026-07-16T08:08:01Z", "creators": ["Tool: example-1.0"]},
        "packages": list(packages),
    } | fields


def raw(*packages: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps(document(*packages, **fields)).encode()


def edges(found: Document) -> set[tuple[str, str, str]]:
    """The graph in names, without what is implied."""

    def name(element: int) -> str:
        if element == THE_DOCUMENT:
            return "DOCUMENT"
        if element < len(found.packages):
            return found.packages[element].spdx_id.removeprefix("SPDXRef-")
        return found.files[element - len(found.packages)].spdx_id.removeprefix("SPDXRef-")

    rows = zip(found.graph.source, found.graph.type, found.graph.target, strict=True)
    return {(name(source), RELATIONSHIP_TYPES[kind], name(target)) for source, kind, target in rows}


def findings(found: Document) -> dict[str, int]:
    return {one.what: one.count for one in found.findings}
