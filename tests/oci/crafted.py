"""Crafted OCI image layouts, honest until a test spoils them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cgexplorer.oci import digest as digests
from cgexplorer.oci.manifest import OCI_INDEX, OCI_MANIFEST

REF_NAME = "org.opencontainers.image.ref.name"


class CraftedLayout:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.entries: list[dict[str, Any]] = []
        (directory / "blobs" / "sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.write()

    def path(self, digest: str) -> Path:
        return self.directory / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def blob(self, content: bytes, media_type: str = "application/octet-stream", **more: Any) -> dict[str, Any]:
        digest = digests.of(content)
        self.path(digest).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def image(self, layers: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(b"{}"),
            "layers": layers or [],
            **more,
        }
        return self.blob(json.dumps(body).encode(), OCI_MANIFEST)

    def index(self, children: list[dict[str, Any]]) -> dict[str, Any]:
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
        return self.blob(json.dumps(body).encode(), OCI_INDEX)

    def enter(self, descriptor: dict[str, Any], name: str = "", **annotations: str) -> str:
        named = {**({REF_NAME: name} if name else {}), **annotations}
        self.entries.append({**descriptor, "annotations": named} if named else descriptor)
        self.write()
        return str(descriptor["digest"])

    def write(self) -> None:
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.entries}
        (self.directory / "index.json").write_text(json.dumps(body))


def own_tag(digest: str, suffix: str = "") -> str:
    return digest.replace(":", "-") + suffix
