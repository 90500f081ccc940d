"""Make the sample images below samples/: two repositories, signed by a Sigstore that is thrown away afterwards.

Its keys come from a random seed and are nowhere kept: what is shipped can be verified, and nothing can be added to it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

from cgexplorer.oci import unread
from scripts import sample_documents as documents
from scripts.sample_facts import BUILDS, ISSUER, REGISTRY, Build
from scripts.sample_layout import CONFIG, LAYER, MANIFEST, Descriptor, LayoutWriter, layer
from tests.fakes.sigstore import BUNDLE, DSSE_ENVELOPE, SIGN, SIMPLE_SIGNING, FakeSigstore, Signer

OUTPUT = Path("samples")
EMPTY = "application/vnd.oci.empty.v1+json"
HOUR = dt.timedelta(hours=1)


def main() -> None:
    shutil.rmtree(OUTPUT, ignore_errors=True)
    founded = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    sigstore = FakeSigstore(founded, name="sigstore.samples.example", seed=secrets.token_hex(32))
    for repository in sorted({build.repository for build in BUILDS}):
        layout = LayoutWriter(OUTPUT / repository)
        for build in BUILDS:
            if build.repository == repository:
                _write(layout, sigstore, build)
        layout.close()
    (OUTPUT / "trusted_root.json").write_bytes(sigstore.trusted_root())
    size = sum(file.stat().st_size for file in OUTPUT.rglob("*") if file.is_file())
    print(f"{len(BUILDS)} builds in {OUTPUT}/, {size / 1e6:.2f} MB")


def _write(layout: LayoutWriter, sigstore: FakeSigstore, build: Build) -> None:
    at = dt.datetime.fromisoformat(f"{build.built}T02:00:00+00:00") + HOUR
    children = []
    for architecture in documents.PLATFORMS:
        image, layer_digest = _image(layout, build, architecture)
        children.append(image | {"platform": {"architecture": architecture, "os": "linux"}})
        _attach(layout, sigstore, build, at, image, _predicates(build, architecture, image["digest"], layer_digest))
    index = layout.index(children)
    _attach(layout, sigstore, build, at, index, {})
    for tag in build.tags:
        layout.tag(index, tag)


def _image(layout: LayoutWriter, build: Build, architecture: str) -> tuple[Descriptor, str]:
    """Descriptor of the image's manifest, and the digest of its one layer."""
    packages = "\n".join(f"P:{name}\nV:{version}\n" for name, version in sorted(build.packages.items()))
    files = {
        "etc/os-release": f'ID=wolfi\nNAME="Wolfi"\nVERSION_ID="{build.built.replace("-", "")}"\n',
        "lib/apk/db/installed": f"A:{documents.PLATFORMS[architecture]}\n{packages}",
    }
    content, diff_id = layer(files)
    blob = layout.blob(content, LAYER)
    config = layout.json(documents.image_configuration(build, architecture, [diff_id]), CONFIG)
    return layout.manifest(config, [blob]), blob["digest"]


def _predicates(build: Build, architecture: str, digest: str, layer_digest: str) -> dict[str, Any]:
    return {
        "https://slsa.dev/provenance/v1": documents.provenance(build),
        "https://apko.dev/image-configuration": documents.apko_configuration(build, architecture),
        "https://spdx.dev/Document": documents.spdx(build, architecture, digest, layer_digest),
    }


def _attach(
    layout: LayoutWriter,
    sigstore: FakeSigstore,
    build: Build,
    at: dt.datetime,
    subject: Descriptor,
    predicates: dict[str, Any],
) -> None:
    """Sign and attest as the build says: in tags beside the image, or in bundles that refer to it. Or say that nothing
    is beside it, as an exported layout does."""
    if build.signer is None:
        said = unread.write(_plain(subject), layout.blob(unread.EMPTY, unread.EMPTY_TYPE), ())
        layout.untagged(layout.blob(said, MANIFEST, artifactType=unread.ARTIFACT_TYPE))
        return
    signer = _signer(sigstore, build, at)
    attach = _attach_legacy if build.form == "legacy" else _attach_bundles
    attach(layout, sigstore, build, signer, at + dt.timedelta(minutes=1), subject, predicates)


def _attach_legacy(
    layout: LayoutWriter,
    sigstore: FakeSigstore,
    build: Build,
    signer: Signer,
    at: dt.datetime,
    subject: Descriptor,
    predicates: dict[str, Any],
) -> None:
    digest, name = subject["digest"], f"{REGISTRY}/{build.repository}"
    payload = sigstore.simple_signing(digest, reference=name)
    signature = sigstore.signature(digest, signer, at=at, payload=payload)
    signed = [layout.blob(signature.content, SIMPLE_SIGNING, annotations=signature.annotations)]
    layout.tag(layout.manifest(layout.json({}, CONFIG), signed), digest.replace(":", "-") + ".sig")
    attested = []
    for predicate_type, predicate in predicates.items():
        statement = sigstore.statement(digest, predicate_type, predicate, name=name)
        evidence = sigstore.attestation(digest, signer, predicate_type, at=at, payload=statement)
        attested.append(layout.blob(evidence.content, DSSE_ENVELOPE, annotations=evidence.annotations))
    if attested:
        layout.tag(layout.manifest(layout.json({}, CONFIG), attested), digest.replace(":", "-") + ".att")


def _attach_bundles(
    layout: LayoutWriter,
    sigstore: FakeSigstore,
    build: Build,
    signer: Signer,
    at: dt.datetime,
    subject: Descriptor,
    predicates: dict[str, Any],
) -> None:
    digest, name = subject["digest"], f"{REGISTRY}/{build.repository}"
    for predicate_type, predicate in {SIGN: {}, **predicates}.items():
        statement = sigstore.statement(
            digest, predicate_type, predicate, name=name, statement_type="https://in-toto.io/Statement/v1"
        )
        bundle = sigstore.bundle(digest, signer, at=at, payload=statement)
        content = json.dumps(bundle, separators=(",", ":")).encode()
        manifest = layout.manifest(
            layout.blob(b"{}", EMPTY),
            [layout.blob(content, BUNDLE)],
            artifactType=BUNDLE,
            subject=_plain(subject),
            annotations={"dev.sigstore.bundle.predicateType": predicate_type},
        )
        layout.untagged({**manifest, "artifactType": BUNDLE})


def _plain(subject: Descriptor) -> Descriptor:
    return {field: subject[field] for field in ("mediaType", "digest", "size")}


def _signer(sigstore: FakeSigstore, build: Build, at: dt.datetime) -> Signer:
    """A certificate as Fulcio gives it to a GitHub workflow."""
    assert build.signer is not None
    repository = build.signer.removeprefix("https://github.com/").partition("/.github/")[0]
    commit = hashlib.sha1(f"{build.repository} {build.built}".encode(), usedforsecurity=False).hexdigest()
    url, run = f"https://github.com/{repository}", int(commit[:8], 16)
    claims = {
        2: "schedule", 3: commit, 4: ".github/workflows/release.yaml", 5: repository, 6: "refs/heads/main",
        9: build.signer, 10: commit, 11: "github-hosted", 12: url, 13: commit, 14: "refs/heads/main",
        18: build.signer, 20: "schedule", 21: f"{url}/actions/runs/{run}/attempts/1", 22: "public",
    }  # fmt: skip
    return sigstore.leaf(build.signer, ISSUER, at=at, claims=claims)


if __name__ == "__main__":
    main()
