"""Writes an OCI image layout, byte for byte the same every time."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REF_NAME = "org.opencontainers.image.ref.name"

Descriptor = dict[str, Any]


class LayoutWriter:
    """`blob` and `manifest` answer descriptors; `tag` enters one into index.json; `close` writes it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.entries: list[Descriptor] = []
        (directory / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)

    def blob(self, content: bytes, media_type: str, **more: Any) -> Descriptor:
        descriptor = self.describe(content, media_type)
        (self.directory / "blobs" / "sha256" / descriptor["digest"][7:]).write_bytes(content)
        return {**descriptor, **more}

    @staticmethod
    def describe(content: bytes, media_type: str) -> Descriptor:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def json(self, value: Any, media_type: str, **more: Any) -> Descriptor:
        return self.blob(json.dumps(value, separators=(",", ":")).encode(), media_type, **more)

    def manifest(self, config: Descriptor, layers: list[Descriptor], **more: Any) -> Descriptor:
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, **more}
        return self.json(body, MANIFEST)

    def index(self, manifests: list[Descriptor]) -> Descriptor:
        return self.json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        self.entries.append({**descriptor, "annotations": {REF_NAME: name}})

    def untagged(self, descriptor: Descriptor) -> None:
        self.entries.append(descriptor)

    def close(self) -> None:
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        (self.directory / "index.json").write_text(json.dumps(body, indent=1))


def layer(files: dict[str, str]) -> tuple[bytes, str]:
    """A gzipped tar of these files, and the digest of the tar inside (its diff id)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), mtime=0), "sha256:" + hashlib.sha256(raw.getvalue()).hexdigest()
