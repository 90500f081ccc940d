"""A source of images in memory: what a registry answers, without HTTP, and a switch for what it cannot answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cgexplorer.oci import digest as digests
from cgexplorer.oci import manifest
from cgexplorer.oci.errors import NotFound, NotNow, Unreachable
from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.oci.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


class MemorySource:
    """One repository. Names in `unreachable` (tags, digests, "referrers") raise Unreachable, in `not_now` `NotNow`."""

    kind = "registry"
    has_signature_tags = True

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.tagged: dict[str, str] = {}
        self.unreachable: set[str] = set()
        self.not_now: set[str] = set()

    # -- filling it -----------------------------------------------------------------------------------------------
    def push_blob(self, content: bytes, media_type: str = CONFIG) -> dict[str, Any]:
        digest = digests.of(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def push_image(self, tag: str = "", *, platform: str = "linux/amd64", layers: Any = (), **config: Any) -> str:
        system, _, architecture = platform.partition("/")
        body = {"os": system, "architecture": architecture, **config}
        described = self.push_blob(json.dumps(body).encode())
        return self._push({"mediaType": OCI_MANIFEST, "config": described, "layers": list(layers)}, tag)

    def push_index(self, tag: str, **images: str) -> str:
        """Children by architecture: `push_index("latest", amd64="sha256:…")`."""
        children = [
            {
                "mediaType": OCI_MANIFEST,
                "digest": digest,
                "size": len(self.manifests.get(digest, b"elsewhere")),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, digest in images.items()
        ]
        return self._push({"mediaType": OCI_INDEX, "manifests": children}, tag)

    def attach(self, *evidence: Evidence) -> None:
        """Store these as cosign's classic tags do, all of one kind and one subject in one manifest."""
        kind, subject = evidence[0].kind, evidence[0].subject
        layers = [
            {**self.push_blob(one.content, one.media_type), "annotations": dict(one.annotations)} for one in evidence
        ]
        suffix = ".sig" if kind is Kind.SIGNATURE else ".att"
        tag = subject.replace(":", "-") + suffix
        self._push({"mediaType": OCI_MANIFEST, "config": self.push_blob(b"{}"), "layers": layers}, tag)

    def refer(self, subject: str, content: bytes, media_type: str = BUNDLE) -> str:
        """Store this as cosign 3 does: a manifest of its own whose subject is the image. Gives its digest."""
        raw = self.manifests[subject]
        described = {"mediaType": json.loads(raw)["mediaType"], "digest": subject, "size": len(raw)}
        layers = [self.push_blob(content, media_type)]
        return self._push(
            {"mediaType": OCI_MANIFEST, "config": self.push_blob(b"{}"), "layers": layers, "subject": described}, ""
        )

    def _push(self, body: dict[str, Any], tag: str) -> str:
        raw = json.dumps({"schemaVersion": 2, **body}).encode()
        digest = digests.of(raw)
        self.manifests[digest] = raw
        if tag:
            self.tagged[tag] = digest
        return digest

    # -- answering ------------------------------------------------------------------------------------------------
    def resolve(self, repository: str, tag: str) -> str:
        return self._found(self.tagged, tag)

    def manifest(self, repository: str, digest: str) -> Manifest:
        return manifest.parse(self._found(self.manifests, digest), "", digest)

    def manifest_of_tag(self, repository: str, tag: str) -> Manifest:
        return self.manifest(repository, self.resolve(repository, tag))

    def blob(self, repository: str, digest: str, size: int) -> bytes:
        return self._found(self.blobs, digest)

    def tags(self, repository: str) -> Iterator[str]:
        yield from self.tagged

    def referrers(self, repository: str, digest: str) -> tuple[Descriptor, ...]:
        self._ask("referrers")
        subjects = {key: json.loads(raw).get("subject") for key, raw in self.manifests.items()}
        return tuple(
            Descriptor(OCI_MANIFEST, key, len(self.manifests[key]))
            for key, subject in subjects.items()
            if subject and subject["digest"] == digest
        )

    def _found[T](self, shelf: dict[str, T], name: str) -> T:
        self._ask(name)
        if name not in shelf:
            raise NotFound(f"There is no {name}.")
        return shelf[name]

    def _ask(self, name: str) -> None:
        if name in self.not_now:
            raise NotNow(f"{name} is asked for later.")
        if name in self.unreachable:
            raise Unreachable(f"No answer for {name}.")
