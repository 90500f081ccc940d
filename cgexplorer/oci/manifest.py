"""What a registry calls a manifest: an image, or an index of images per platform.

On the wire: OCI image-spec 1.1 and Docker image manifest v2, schema 2, strictly typed.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci import strict_json
from cgexplorer.oci.errors import DigestMismatch, Malformed, TooLarge

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"  # withdrawn from the specification, still found
UNKNOWN_PLATFORM = "unknown/unknown"  # of BuildKit's attestation manifests: no image of any platform
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

MAX_MANIFEST_BYTES = 4 << 20
MAX_LAYERS = 1000
# In the order of the Accept header: what a registry should send if it may choose.
ACCEPTED_TYPES = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT)

Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
Name = Annotated[str, msgspec.Meta(max_length=255)]


class Platform(msgspec.Struct, frozen=True, rename={"os_version": "os.version"}):
    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        """`linux/arm64` or `linux/arm/v7`."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str
    digest: str
    size: int  # bytes; checked against a limit before any download
    annotations: dict[str, str] = {}
    platform: Platform | None = None
    artifact_type: str = ""

    @property
    def is_attestation_manifest(self) -> bool:
        """BuildKit's: its own SBOM and provenance, unsigned, in an index beside the image that they are about."""
        return self.annotations.get("vnd.docker.reference.type") == "attestation-manifest"


class Manifest(msgspec.Struct, frozen=True):
    """A manifest whose bytes hash to `digest`. An index has `children`, an image has `config` and `layers`."""

    digest: str
    media_type: str
    raw: bytes
    children: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    annotations: dict[str, str] = {}
    subject: Descriptor | None = None
    artifact_type: str = ""

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES


class _Platform(msgspec.Struct, rename={"os_version": "os.version"}):
    architecture: Name = ""
    os: Name = ""
    variant: Name | None = None
    os_version: Name | None = None


class _Descriptor(msgspec.Struct, rename="camel"):
    digest: Digest
    size: Size
    media_type: Name = ""
    annotations: dict[str, str] | None = None
    platform: _Platform | None = None
    artifact_type: Name | None = None

    def narrowed(self) -> Descriptor:
        p = self.platform
        platform = Platform(p.architecture, p.os, p.variant or "", p.os_version or "") if p else None
        return Descriptor(
            self.media_type, self.digest, self.size, self.annotations or {}, platform, self.artifact_type or ""
        )


class _Body(msgspec.Struct, rename="camel"):
    schema_version: int | None = None
    media_type: Name | None = None
    artifact_type: Name | None = None
    manifests: list[_Descriptor] | msgspec.UnsetType | None = msgspec.UNSET
    config: _Descriptor | msgspec.UnsetType | None = msgspec.UNSET
    layers: list[_Descriptor] | msgspec.UnsetType | None = msgspec.UNSET
    blobs: list[_Descriptor] | msgspec.UnsetType | None = msgspec.UNSET
    subject: _Descriptor | None = None
    annotations: dict[str, str] | None = None


_KEYS = {name.lower(): name for name in _Body.__struct_encode_fields__}


def parse(raw: bytes, media_type: str, digest: str) -> Manifest:
    """The manifest in these bytes, which must hash to `digest`.

    `media_type` is what the source called it ("" if it said nothing); what the signed bytes say of themselves wins,
    but never an index over an image or the reverse (CVE-2021-41190).
    Raises `DigestMismatch`, `Malformed`, `TooLarge`.
    """
    if len(raw) > MAX_MANIFEST_BYTES:
        raise TooLarge(f"The manifest has {len(raw)} bytes; at most {MAX_MANIFEST_BYTES} are read.")
    found = digests.of(raw)
    if found != digest:
        raise DigestMismatch(f"The manifest asked for as {digest} hashes to {found}: it was altered or damaged.")
    body = _body(raw)
    kind = _kind(body, media_type.partition(";")[0].strip().lower())
    children = body.manifests or []
    layers = (body.blobs if kind == OCI_ARTIFACT else body.layers) or []
    if len(layers) > MAX_LAYERS:
        raise TooLarge(f"The manifest {digests.short(digest)} has {len(layers)} layers; at most {MAX_LAYERS} are read.")
    return Manifest(
        digest=digest,
        media_type=kind,
        raw=raw,
        children=tuple(child.narrowed() for child in children),
        config=body.config.narrowed() if body.config else None,
        layers=tuple(layer.narrowed() for layer in layers),
        annotations=body.annotations or {},
        subject=body.subject.narrowed() if body.subject else None,
        artifact_type=body.artifact_type or "",
    )


def descriptors(raw: bytes, *, max_bytes: int = MAX_MANIFEST_BYTES) -> tuple[Descriptor, ...]:
    """The entries of an index that has no digest of its own: a layout's index.json, an answer of the referrers API."""
    body = _body(raw, max_bytes)
    if _kind(body, OCI_INDEX) not in INDEX_TYPES:
        raise Malformed("An index was expected.")
    return tuple(child.narrowed() for child in body.manifests or [])


def _body(raw: bytes, max_bytes: int = MAX_MANIFEST_BYTES) -> _Body:
    value = strict_json.loads(raw, max_bytes=max_bytes)
    # Go reads keys in any case: `Layers` would be one image here and another one to docker.
    if other := next((key for key in value if _KEYS.get(key.lower(), key) != key), None):
        raise Malformed(f"The manifest spells the key {_KEYS[other.lower()]!r} as {other!a}.")
    try:
        return msgspec.convert(value, _Body)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Malformed(f"This is not a manifest: {str(error)[:200]}.") from error


def _kind(body: _Body, named: str) -> str:
    """The media type to go by; the members that are there must be those of that type."""
    unset = msgspec.UNSET
    has_children = body.manifests is not unset
    has_image = not (body.config is unset and body.layers is unset and body.blobs is unset)
    if has_children and has_image:
        raise Malformed("The manifest is both an index and an image: it has manifests beside layers or a config.")
    declared = body.media_type or ""
    known = INDEX_TYPES | MANIFEST_TYPES | {OCI_ARTIFACT}
    if declared and declared not in known:
        raise Malformed(f"The manifest says it is {declared!a}, a type that is not supported.")
    if named in known and declared and (named in INDEX_TYPES) != (declared in INDEX_TYPES):
        raise Malformed(f"The source calls the manifest {named}, the manifest itself says {declared}.")
    kind = declared or (named if named in known else OCI_INDEX if has_children else OCI_MANIFEST)
    if (kind in INDEX_TYPES) != has_children:
        raise Malformed(f"The manifest is called {kind} but does not look like one.")
    if kind in MANIFEST_TYPES and (not body.config or body.layers is unset):
        raise Malformed("The image manifest has no config or no layers.")
    if kind != OCI_ARTIFACT and body.schema_version != 2:
        raise Malformed(f"The manifest has schemaVersion {body.schema_version!r}; only 2 is supported.")
    return kind
