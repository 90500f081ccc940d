"""Readable forms of attested predicates, and the names people use for their types."""

from __future__ import annotations

import re

SPDX = "https://spdx.dev/Document"
CYCLONEDX = "https://cyclonedx.org/bom"
SLSA_V1 = "https://slsa.dev/provenance/v1"
SLSA_V02 = "https://slsa.dev/provenance/v0.2"
APKO = "https://apko.dev/image-configuration"

PROVENANCE_TYPES = (SLSA_V1, SLSA_V02)

_LABELS = {
    SPDX: "SPDX",
    CYCLONEDX: "CycloneDX",
    "https://slsa.dev/provenance": "SLSA provenance",
    SLSA_V1: "SLSA provenance v1",
    SLSA_V02: "SLSA provenance v0.2",
    APKO: "apko image configuration",
    "https://in-toto.io/attestation/link/v0.3": "in-toto link",
    "https://in-toto.io/attestation/vulns": "vulnerability scan",
    "https://in-toto.io/attestation/vulns/v0.1": "vulnerability scan",
    "https://cosign.sigstore.dev/attestation/vuln": "vulnerability scan",
    "https://cosign.sigstore.dev/attestation/vuln/v1": "vulnerability scan",
    "https://cosign.sigstore.dev/attestation/v1": "custom (cosign)",
    "https://openvex.dev/ns": "OpenVEX",
    "https://openvex.dev/ns/v0.2.0": "OpenVEX",
    "https://slsa.dev/verification_summary/v1": "SLSA verification summary",
    "https://sigstore.dev/cosign/sign/v1": "cosign signature",
    "https://syft.dev/bom": "syft SBOM",
    "https://chainguard.dev/end-of-life": "end of life",
    "https://chainguard.dev/helm-values": "Helm values",
    "https://chainguard.dev/chart-lock": "chart lock",
}


# Some tools add the version of the format: https://cyclonedx.org/bom/v1.4, https://spdx.dev/Document/v2.3.
_SBOM = re.compile(rf"({re.escape(SPDX)}|{re.escape(CYCLONEDX)})(/v\d+(\.\d+)*)?")


def is_sbom(predicate_type: str) -> bool:
    """Whether the predicate is a document that packages are read from."""
    return _SBOM.fullmatch(predicate_type) is not None


def label(predicate_type: str) -> str:
    """What people call a predicate type; of an unknown one, the last telling parts of its URI."""
    known = _LABELS.get(predicate_type)
    if known:
        return known
    parts = [part for part in predicate_type.partition("://")[2].split("/") if part]
    return "/".join(parts[-2:]) if len(parts) > 1 else predicate_type


class PredicateError(Exception):
    """The predicate cannot be shown in a readable form. `str(error)` says why, in a sentence."""
