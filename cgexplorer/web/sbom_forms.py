"""What the formats of SBOMs are called, on pages and as files."""

from __future__ import annotations

from cgexplorer.store.models import Sbom

_SUFFIX = {
    "application/spdx+json": "spdx.json",
    "text/spdx": "spdx",
    "application/rdf+xml": "rdf.xml",
    "application/xml": "spdx.xml",
    "application/yaml": "spdx.yaml",
    "application/vnd.cyclonedx+json": "cdx.json",
    "application/vnd.cyclonedx+xml": "cdx.xml",
}


def format_words(form: str) -> str:
    return "CycloneDX" if form == "cyclonedx" else "SPDX"


def file_kind(sbom: Sbom) -> tuple[str, str]:
    """Media type and suffix of the kept bytes: attested ones are JSON, an imported file is what it was."""
    media_type = "application/vnd.cyclonedx+json" if sbom.format == "cyclonedx" else "application/spdx+json"
    if sbom.evidence_id is None and sbom.manifest.media_type in _SUFFIX:
        media_type = sbom.manifest.media_type
    return media_type, _SUFFIX[media_type]
