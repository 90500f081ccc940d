"""Images' evidence as an OCI image layout, for another cgexplorer or stock cosign where there is no network.

Manifests, image configurations and all that is signed, byte for byte: digests stay what they were. Layers of images
were never fetched and are not in it. The same store gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

from cgexplorer.export import layout_folder
from cgexplorer.export.layout_folder import Descriptor, Folder
from cgexplorer.oci import digest as digests
from cgexplorer.oci import manifest as manifests
from cgexplorer.oci import unread
from cgexplorer.oci.evidence import Form, Kind
from cgexplorer.oci.manifest import OCI_MANIFEST
from cgexplorer.store.models import Evidence, Manifest
from cgexplorer.store.queries import layouts, payloads
from cgexplorer.store.queries.layouts import Held, Named

_CONFIG = "application/vnd.oci.image.config.v1+json"
_COSIGN = "dev.cosignproject.cosign/"
_SUFFIX = {Kind.SIGNATURE: ".sig", Kind.ATTESTATION: ".att"}
_KIND = {Kind.SIGNATURE: _COSIGN + "sigs", Kind.ATTESTATION: _COSIGN + "atts"}


class Exported(msgspec.Struct, frozen=True):
    """What was written of one digest, for the person who asked."""

    name: str
    tags: tuple[str, ...]
    digest: str
    manifests: int
    evidence: int
    remade: int  # carriers that were written anew because they were not kept
    absent: tuple[str, ...]  # digests that were never fetched, or not whole
    unread: tuple[str, ...]  # digests of which something could not be read at their source


def write(wanted: Iterable[Named], target: Path) -> list[Exported]:
    """A layout at `target`. Raises layout_folder.Occupied, TooMany, payloads.Damaged, OSError."""
    every = list(wanted)
    with layout_folder.whole(target) as folder:
        # cosign reads one image a layout: the one that is marked.
        return [_Image(folder, one, marked=len(every) == 1).write() for one in every]


class _Image:
    def __init__(self, folder: Folder, named: Named, *, marked: bool) -> None:
        self.folder, self.top, self.tags, self.marked = folder, named.manifest, named.tags, marked
        self.name = named.manifest.image.name
        self.remade = self.evidence = 0
        self.unread: list[str] = []

    def write(self) -> Exported:
        every = layouts.with_all_below(self.top)
        described = [(one, self._manifest(one)) for one in every]
        held = [(layouts.held(one), descriptor) for one, descriptor in described if descriptor is not None]
        own = described[0][1]
        if own is not None:
            mark = {"kind": _COSIGN + ("imageIndex" if self.top.is_index else "image")} if self.marked else {}
            for name in [f"{self.name}:{tag}" for tag in self.tags] or [f"{self.name}@{self.top.digest}"]:
                self.folder.enter(own, name, **mark)
        for one, descriptor in held:
            self._beside(one, descriptor)
        absent = tuple(one.digest for one, descriptor in described if descriptor is None)
        return Exported(
            self.name, self.tags, self.top.digest, len(held), self.evidence, self.remade, absent, tuple(self.unread)
        )

    def _manifest(self, manifest: Manifest) -> Descriptor | None:
        if manifest.payload is None:
            return None
        if manifest.config is not None:
            self.folder.blob(payloads.content(manifest.config), "")
        return self.folder.blob(payloads.content(manifest.payload), manifest.media_type)

    def _beside(self, held: Held, subject: Descriptor) -> None:
        kept = layouts.carriers(held)
        loose: dict[Kind, list[Evidence]] = {Kind.SIGNATURE: [], Kind.ATTESTATION: []}
        for carrier, carried in _by_carrier(held.evidence).items():
            for one in carried:
                self.folder.blob(payloads.content(one.content), one.media_type)
            raw = kept.get(carrier, b"")
            if raw and manifests.parse(raw, "", carrier).subject is not None:
                self._attached(raw)
            elif carried[0].form == Form.BUNDLE:
                self.remade += 1
                for one in carried:
                    self._attached(self._around([one], subject))
            else:
                loose[Kind(carried[0].kind)] += carried
            self.evidence += len(carried)
        for kind, carried in loose.items():
            if carried:
                self._classic(kind, carried, kept, subject)
        if held.problems:
            self.unread.append(held.manifest.digest)
        has_signature = any(one.kind == Kind.SIGNATURE for one in held.evidence)
        if held.problems or (held.was_read and not has_signature):
            empty = self.folder.blob(unread.EMPTY, unread.EMPTY_TYPE)
            self._attached(unread.write(subject, empty, ((one.place, one.reason) for one in held.problems)))

    def _attached(self, raw: bytes) -> None:
        """A referrer: its subject says whose it is, its name only which repository's."""
        found = manifests.parse(raw, "", digests.of(raw))
        self._usual_config(found)
        descriptor = self.folder.blob(raw, found.media_type)
        typed = {"artifactType": found.artifact_type} if found.artifact_type else {}
        self.folder.enter({**descriptor, **typed}, f"{self.name}@{descriptor['digest']}")

    def _classic(self, kind: Kind, carried: list[Evidence], kept: dict[str, bytes], subject: Descriptor) -> None:
        """The one manifest of cosign's tag `sha256-….sig` or `.att`."""
        names = {one.carrier for one in carried}
        raw = kept.get(carried[0].carrier, b"") if len(names) == 1 else b""
        if not raw:
            self.remade += 1
            raw = self._around(carried, None)
        found = manifests.parse(raw, "", digests.of(raw))
        self._usual_config(found)
        marked = self.marked and subject["digest"] == self.top.digest
        tag = str(subject["digest"]).replace(":", "-") + _SUFFIX[kind]
        mark = {"kind": _KIND[kind]} if marked else {}
        self.folder.enter(self.folder.blob(raw, found.media_type), f"{self.name}:{tag}", **mark)

    def _around(self, carried: list[Evidence], subject: Descriptor | None) -> bytes:
        """A manifest around these layers, as cosign makes one: without a subject for its tag, with one attached."""
        layers = [
            {
                **self.folder.blob(payloads.content(one.content), one.media_type),
                **({"annotations": found} if (found := json.loads(one.annotations_json)) else {}),
            }
            for one in carried
        ]
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
        if subject is None:
            config = self.folder.blob(_config([str(layer["digest"]) for layer in layers]), _CONFIG)
            return json.dumps({**body, "config": config, "layers": layers}).encode()
        empty = self.folder.blob(unread.EMPTY, unread.EMPTY_TYPE)
        typed = {"artifactType": carried[0].media_type, "config": empty}
        return json.dumps({**body, **typed, "layers": layers, "subject": subject}).encode()

    def _usual_config(self, carrier: manifests.Manifest) -> None:
        """Nobody fetches what such a manifest names as its configuration. Where it is the usual one it is known."""
        wanted = carrier.config.digest if carrier.config else ""
        for usual in (unread.EMPTY, _config([layer.digest for layer in carrier.layers])):
            if digests.of(usual) == wanted:
                self.folder.blob(usual, _CONFIG)


def _by_carrier(evidence: Iterable[Evidence]) -> dict[str, list[Evidence]]:
    """In an order that is the same in every store."""
    found: dict[str, list[Evidence]] = {}
    for one in sorted(evidence, key=lambda one: (one.carrier, bytes(one.fingerprint))):
        found.setdefault(one.carrier, []).append(one)
    return found


def _config(layers: list[str]) -> bytes:
    """What cosign's library (go-containerregistry) writes for an image that is nothing but these layers."""
    epoch = "0001-01-01T00:00:00Z"
    body = {
        "architecture": "",
        "created": epoch,
        "history": [{"created": epoch}] * len(layers),
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": layers},
        "config": {},
    }
    return json.dumps(body, separators=(",", ":")).encode()
