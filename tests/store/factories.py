"""Rows as ingestion leaves them, for tests of queries and pages. Ingestion itself is tested with signed images."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid

import zstandard

from cgexplorer.oci.evidence import Form, Kind
from cgexplorer.spdx import versions
from cgexplorer.store.models import (
    Component,
    ComponentCpe,
    Evidence,
    Image,
    IndexEntry,
    License,
    Manifest,
    Package,
    PackageImage,
    Payload,
    Registry,
    Sbom,
    SbomPackages,
    Tag,
    TagMove,
    VerdictRow,
    VerificationRun,
)  # fmt: skip

NOW = dt.datetime(2026, 11, 24, 8, 41, tzinfo=dt.UTC)
IDENTITY = "https://github.com/chainguard-images/images/.github/workflows/release.yaml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
SPDX = "https://spdx.dev/Document"


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def payload(content: bytes = b"{}") -> Payload:
    return Payload.objects.get_or_create(
        sha256=hashlib.sha256(content).digest(),
        defaults={"size": len(content), "data": zstandard.compress(content)},
    )[0]


def image(name: str = "cgr.dev/chainguard/go") -> Image:
    host, _, repository = name.partition("/")
    registry = Registry.objects.get_or_create(host=host)[0]
    return Image.objects.get_or_create(
        registry=registry, repository=repository, name=name, defaults={"observed_at": NOW}
    )[0]


def manifest(of: Image, seed: str = "", *, platform: str = "linux/amd64", is_index: bool = False, **fields) -> Manifest:
    return Manifest.objects.create(
        image=of,
        digest=digest(f"{of.name} {seed} {platform} {is_index}"),
        is_index=is_index,
        platform="" if is_index else platform,
        first_seen_at=NOW,
        observed_at=NOW,
        **{"state": "verified", **fields},
    )


def index(of: Image, *children: Manifest, seed: str = "") -> Manifest:
    made = manifest(of, seed, is_index=True)
    for position, child in enumerate(children):
        IndexEntry.objects.create(image=of, index=made, manifest=child, platform=child.platform, position=position)
    return made


def tag(at: Manifest, name: str = "latest", moved_at: dt.datetime = NOW) -> Tag:
    TagMove.objects.create(image=at.image, name=name, manifest=at, moved_at=moved_at)
    return Tag.objects.update_or_create(
        image=at.image, name=name, defaults={"manifest": at, "moved_at": moved_at, "observed_at": NOW}
    )[0]


def evidence(of: Manifest, *, kind: Kind = Kind.ATTESTATION, state: str = "verified", **fields) -> Evidence:
    seed = f"{of.digest} {kind} {fields} {Evidence.objects.filter(manifest=of).count()}".encode()
    return Evidence.objects.create(
        image=of.image,
        manifest=of,
        form=fields.pop("form", Form.LEGACY),
        kind=kind,
        media_type="application/vnd.dsse.envelope.v1+json",
        content=fields.pop("content", None) or payload(seed),
        fingerprint=hashlib.sha256(seed).digest(),
        first_seen_at=NOW,
        observed_at=NOW,
        state=state,
        **{
            "predicate_type": SPDX if kind is Kind.ATTESTATION else "",
            "identity": IDENTITY,
            "issuer": ISSUER,
            "signed_at": NOW,
            "log_index": 2181460833,
            **fields,
        },
    )


def run(of: Manifest, *, state: str = "verified", **fields) -> VerificationRun:
    made = VerificationRun.objects.create(
        image=of.image,
        manifest=of,
        state=state,
        **{
            "trigger": "ingest", "source": "layout", "reference": f"{of.image.name}@{of.digest}", "started_at": NOW,
            "finished_at": NOW, "tools": {"cgexplorer": "0.1.0", "sigstore": "4.5.1"}, **fields,
        },
    )  # fmt: skip
    Manifest.objects.filter(pk=of.pk).update(run=made, state=state, state_reason=fields.get("reason", ""))
    return made


def verdict(of: Evidence, in_run: VerificationRun, *, state: str = "verified", **fields) -> VerdictRow:
    return VerdictRow.objects.create(
        image_id=in_run.image_id,
        run=in_run,
        evidence=of,
        state=state,
        **{"checks": [], "identity": of.identity, "issuer": of.issuer, "signed_at": of.signed_at, **fields},
    )


def component(name: str = "openssl", ecosystem: str = "apk", namespace: str = "wolfi") -> Component:
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{ecosystem}|{namespace}|{name}")
    return Component.objects.get_or_create(
        identity=identity, defaults={"ecosystem": ecosystem, "namespace": namespace, "name": name}
    )[0]


def cpe(of: Component, vendor: str, product: str) -> ComponentCpe:
    return ComponentCpe.objects.create(vendor=vendor, product=product, component=of)


def package(
    version: str = "3.3.1-r0",
    of: Component | None = None,
    *,
    license: str = "",
    built_from: str = "",
    arch: str = "x86_64",
    **fields,
) -> Package:
    of = of or component()
    expression = License.objects.get_or_create(
        sha256=hashlib.sha256(license.encode()).digest(), defaults={"expression": license}
    )[0]
    return Package.objects.get_or_create(
        identity=uuid.uuid5(uuid.NAMESPACE_OID, f"{of.identity}|{version}|{license}|{built_from}|{arch}|{fields}"),
        defaults={
            "component": of,
            "version": version,
            "version_key": versions.version_key(of.ecosystem, version),
            "arch": arch,
            "role": "installed",
            "purl": f"pkg:{of.ecosystem}/{of.namespace}/{of.name}@{version}?arch={arch}",
            "license": expression if license else None,
            "built_from": built_from,
            **fields,
        },
    )[0]


def sbom(of: Manifest, *packages: Package, state: str = "verified", searchable: bool = True, **fields) -> Sbom:
    """An SPDX attestation of a manifest and its packages; `state=""` is an unsigned file."""
    made = Sbom.objects.create(
        image=of.image,
        manifest=of,
        platform=of.platform,
        evidence=evidence(of, state=state) if state else None,
        **{
            "document": fields.pop("document", None) or payload(f"document of {of.digest}".encode()),
            "format": "spdx", "generator": "apko 0.30.1", "indexed": True, "installed_count": len(packages),
            "package_count": len(packages), "ingested_at": NOW, **fields,
        },
    )  # fmt: skip
    if made.indexed:
        ids = sorted(package.pk for package in packages)
        searchable = searchable and state == "verified"
        SbomPackages.objects.create(sbom=made, image=of.image, searchable=searchable, package_ids=ids)
    for one in packages:
        PackageImage.objects.get_or_create(package=one, image=of.image, defaults={"first_sbom": made})
    return made
