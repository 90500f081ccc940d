"""Small images pushed to a registry, and everything of a repository copied into an OCI layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from scripts.sample_layout import CONFIG, INDEX, LAYER, MANIFEST, LayoutWriter, layer

_ACCEPT = ", ".join((INDEX, MANIFEST))
PLATFORMS = ("amd64", "arm64")


class Repository:
    """One repository of a plain-http registry. An answer that is an error raises httpx.HTTPStatusError."""

    def __init__(self, registry: str, name: str) -> None:
        self.registry, self.name = registry, name
        self._client = httpx.Client(base_url=f"http://{registry}/v2/{name}/", trust_env=False, timeout=60)

    @property
    def reference(self) -> str:
        return f"{self.registry}/{self.name}"

    def push_image(self, *, index: bool = False) -> tuple[str, tuple[str, ...]]:
        """An image nobody else has, tagged `1`: its digest, and those of its platforms when it is an index."""
        children = [self._image(platform) for platform in (PLATFORMS if index else PLATFORMS[:1])]
        if not index:
            return self.push_manifest(children[0]["raw"], MANIFEST, "1"), ()
        listed = []
        for child in children:
            digest = self.push_manifest(child["raw"], MANIFEST)
            platform = {"os": "linux", "architecture": child["platform"]}
            listed.append({"mediaType": MANIFEST, "digest": digest, "size": len(child["raw"]), "platform": platform})
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        digest = self.push_manifest(json.dumps(body).encode(), INDEX, "1")
        return digest, tuple(one["digest"] for one in listed)

    def push_blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        descriptor = LayoutWriter.describe(content, media_type)
        start = self._ok(self._client.post("blobs/uploads/"))
        where = httpx.URL(urljoin(str(start.url), start.headers["location"]))
        self._ok(self._client.put(where.copy_add_param("digest", descriptor["digest"]), content=content))
        return descriptor

    def push_manifest(self, raw: bytes, media_type: str, tag: str = "") -> str:
        digest: str = LayoutWriter.describe(raw, media_type)["digest"]
        headers = {"Content-Type": media_type}
        self._ok(self._client.put(f"manifests/{tag or digest}", content=raw, headers=headers))
        return digest

    def manifest(self, reference: str) -> tuple[bytes, str] | None:
        """(bytes, media type), None when it is not there."""
        answer = self._client.get(f"manifests/{reference}", headers={"Accept": _ACCEPT})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return self._ok(answer).content, answer.headers["content-type"]

    def blob(self, digest: str) -> bytes:
        return self._ok(self._client.get(f"blobs/{digest}")).content

    def tags(self) -> list[str]:
        return list(self._ok(self._client.get("tags/list")).json()["tags"])

    def referrers(self, digest: str) -> list[dict[str, Any]]:
        """By the referrers API; empty without one, when the tags tell."""
        answer = self._client.get(f"referrers/{digest}")
        return list(answer.json()["manifests"]) if answer.status_code == httpx.codes.OK else []

    def save(self, layout: LayoutWriter) -> None:
        """Every tag and all that they lead to, under `registry/name:tag`."""
        for tag in self.tags():
            layout.tag(self._copy(layout, tag), f"{self.reference}:{tag}")

    def close(self) -> None:
        self._client.close()

    def _copy(self, layout: LayoutWriter, reference: str) -> dict[str, Any]:
        found = self.manifest(reference)
        assert found is not None, reference
        raw, media_type = found
        descriptor, body = layout.blob(raw, media_type), json.loads(raw)
        for part in filter(None, [body.get("config"), *body.get("layers", [])]):
            layout.blob(self.blob(part["digest"]), part["mediaType"])
        for child in body.get("manifests", []):
            self._copy(layout, child["digest"])
        for attached in self.referrers(descriptor["digest"]):
            # Named, because another repository of this layout may have the same image with other evidence.
            layout.tag(self._copy(layout, attached["digest"]), f"{self.reference}@{attached['digest']}")
        return descriptor

    def _image(self, platform: str) -> dict[str, Any]:
        content, diff_id = layer({"etc/name": f"{self.reference} {platform}"})
        config = {"architecture": platform, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.push_blob(json.dumps(config).encode(), CONFIG),
            "layers": [self.push_blob(content, LAYER)],
        }
        return {"platform": platform, "raw": json.dumps(body).encode()}

    @staticmethod
    def _ok(answer: httpx.Response) -> httpx.Response:
        return answer.raise_for_status()


def new_layout(directory: Path) -> LayoutWriter:
    directory.mkdir(parents=True)
    return LayoutWriter(directory)
