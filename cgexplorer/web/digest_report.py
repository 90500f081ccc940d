"""One digest for programs, `cgexplorer.digest/1`: what stands above its pages."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import manifests

SCHEMA = "cgexplorer.digest/1"


class PlatformRow(msgspec.Struct, frozen=True):
    platform: str
    digest: str


class SbomRow(msgspec.Struct, frozen=True):
    """The SBOM that pages and /packages show."""

    sha256: str
    state: Annotated[str, Meta(description='of the attestation that carries it; "unsigned" for a file')]
    format: str
    spec_version: str
    generator: str
    indexed: bool
    packages: Annotated[int, Meta(description="installed, and modules in them")]


class DigestReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a digest is, where it stands, and whether it is what it says."""

    schema: str = SCHEMA
    image: str
    digest: str
    is_index: bool
    platform: Annotated[str | None, Meta(description="null for an index")]
    media_type: str
    bytes: Annotated[int, Meta(description="configuration and layers together; 0 when unknown")]
    created_at: Annotated[dt.datetime | None, Meta(description="as the image says itself")]
    first_seen_at: dt.datetime
    tags: Annotated[tuple[str, ...], Meta(description="that point here now, or to its index")]
    index: Annotated[str | None, Meta(description="the newest index that names it")]
    platforms: tuple[PlatformRow, ...]
    state: Annotated[str, Meta(description='of its signatures; "" when nobody looked yet')]
    reason: str
    run: Annotated[int | None, Meta(description="the newest verification")]
    problem: Annotated[str, Meta(description="why its bytes are not here")]
    sbom: SbomRow | None


def report(manifest: Manifest) -> DigestReport:
    found = manifests.subject(manifest)
    return DigestReport(
        image=manifest.image.name,
        digest=manifest.digest,
        is_index=manifest.is_index,
        platform=None if manifest.is_index else manifest.platform,
        media_type=manifest.media_type,
        bytes=manifest.size,
        created_at=manifest.created_at,
        first_seen_at=manifest.first_seen_at,
        tags=found.tags,
        index=found.index_digest or None,
        platforms=tuple(PlatformRow(one.platform, one.digest) for one in found.siblings),
        state=manifest.state,
        reason=manifest.state_reason,
        run=manifest.run_id,
        problem=manifest.problem,
        sbom=_sbom(manifest),
    )


def _sbom(manifest: Manifest) -> SbomRow | None:
    found = manifests.sbom(manifest)
    if found is None:
        return None
    return SbomRow(
        sha256=bytes(found.document_id).hex(),
        state=found.evidence.state if found.evidence else "unsigned",
        format=found.format,
        spec_version=found.spec_version,
        generator=found.generator,
        indexed=found.indexed,
        packages=found.installed_count + found.module_count,
    )
