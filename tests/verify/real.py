"""Real signed evidence from ../shared/data, read straight from its files."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cgexplorer.oci.evidence import Evidence, Form, Kind
from cgexplorer.verify import trust_root
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verifier import Verifier
from tests.verify.world import CERTIFICATE, LOG, SIGNATURE

PUBLIC_GOOD = Verifier(trust_root.public_good())
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
CHAINGUARD = Policy(
    name="Chainguard",
    issuer=GITHUB_ISSUER,
    identity="https://github.com/chainguard-images/images/.github/workflows/release.yaml@refs/heads/main",
)
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"


def signatures_of_2022(shared: Path) -> list[Evidence]:
    with gzip.open(shared / "chainguard-signatures-2022.jsonl.gz") as lines:
        return [_signature(json.loads(line)) for line in lines]


def _signature(row: dict[str, Any]) -> Evidence:
    notes = {SIGNATURE: row["signature"], CERTIFICATE: row["certificate"], LOG: json.dumps(row["bundle"])}
    return Evidence(row["digest"], Form.LEGACY, Kind.SIGNATURE, "", SIMPLE_SIGNING, row["payload"].encode(), notes)


def chainguard_layout(shared: Path) -> Iterator[Evidence]:
    """Signatures and attestations of the postgres image in cosign's classic form."""
    layout = shared / "chainguard-postgres/oci-layout"
    for listed in json.loads((layout / "index.json").read_bytes())["manifests"]:
        name = listed["annotations"]["org.opencontainers.image.ref.name"]
        if name.endswith((".sig", ".att")):
            kind = Kind.SIGNATURE if name.endswith(".sig") else Kind.ATTESTATION
            yield from _layers(layout, listed["digest"], "sha256:" + name[7:71], kind)


def slsa_layout(shared: Path, version: str) -> Iterator[Evidence]:
    """Attestations of one slsa-github-generator release; cosign save names them by `kind`."""
    layout = shared / "slsa-container-layouts" / version / "container_workflow_dispatch"
    subject = layout.with_suffix(".digest").read_text().strip()
    for listed in json.loads((layout / "index.json").read_bytes())["manifests"]:
        if listed["annotations"]["kind"].endswith("atts"):
            yield from _layers(layout, listed["digest"], subject, Kind.ATTESTATION)


def _layers(layout: Path, digest: str, subject: str, kind: Kind) -> Iterator[Evidence]:
    manifest = json.loads((layout / "blobs/sha256" / digest[7:]).read_bytes())
    for layer in manifest["layers"]:
        content = (layout / "blobs/sha256" / layer["digest"][7:]).read_bytes()
        yield Evidence(subject, Form.LEGACY, kind, digest, layer["mediaType"], content, layer["annotations"])


def ghcr_bundles(shared: Path) -> Iterator[tuple[str, Evidence]]:
    """(file name, bundle) of an image on GHCR, signed from a branch and from main."""
    for path in sorted((shared / "ghcr-bundles").glob("*bundle*")):
        for line in path.read_text().splitlines() if ".jsonl" in path.name else [path.read_text()]:
            statement = json.loads(base64.b64decode(json.loads(line)["dsseEnvelope"]["payload"]))
            digest = "sha256:" + statement["subject"][0]["digest"]["sha256"]
            kind = Kind.SIGNATURE if "cosign/sign" in statement["predicateType"] else Kind.ATTESTATION
            yield path.name, Evidence(digest, Form.BUNDLE, kind, "", "", line.encode())
