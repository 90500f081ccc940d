"""The files of an OCI image layout, written beside its place and moved there whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cgexplorer.oci import digest as digests
from cgexplorer.oci.layout import MAX_INDEX_BYTES
from cgexplorer.oci.manifest import OCI_INDEX

type Descriptor = dict[str, Any]

REF_NAME = "org.opencontainers.image.ref.name"
_DESCRIPTION = "org.opencontainers.image.description"
_HONEST = "Evidence only: manifests, configurations, signatures and attestations. The images' layers are not here."


class Occupied(Exception):
    """The place is taken. `str(error)` is a sentence."""


class TooMany(Exception):
    """More entries than whoever reads the layout would take. `str(error)` is a sentence."""


class Folder:
    """Files are named by what is in them, never by what others call it."""

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs" / "sha256"
        self._blobs.mkdir(parents=True)
        self._directory = directory
        self.entries: list[Descriptor] = []
        self._entered: set[tuple[str, str]] = set()

    def blob(self, content: bytes, media_type: str) -> Descriptor:
        digest = digests.of(content)
        path = self._blobs / digest.removeprefix("sha256:")
        if not path.exists():
            path.write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def enter(self, descriptor: Descriptor, name: str, **annotations: str) -> None:
        """Into index.json, once."""
        entry = {**descriptor, "annotations": {REF_NAME: name, **annotations}}
        if (name, entry["digest"]) not in self._entered:
            self._entered.add((name, entry["digest"]))
            self.entries.append(entry)

    def close(self) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.entries}
        raw = json.dumps({**index, "annotations": {_DESCRIPTION: _HONEST}}, indent=1).encode()
        if len(raw) > MAX_INDEX_BYTES:
            raise TooMany(
                f"{len(self.entries)} entries do not fit into one layout's index.json, of which import_layout reads "
                f"{MAX_INDEX_BYTES >> 20} MiB. Export fewer images at a time."
            )
        (self._directory / "index.json").write_bytes(raw)
        (self._directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


@contextmanager
def whole(target: Path) -> Iterator[Folder]:
    """A new layout at `target`, or nothing at all: half a layout must not look like one.

    Raises Occupied when something is there already, TooMany, OSError.
    """
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise Occupied(f"{target} is there already and not an empty folder. Name another, or remove it first.")
    beside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        beside.chmod(0o755)
        folder = Folder(beside)
        yield folder
        folder.close()
        beside.rename(target)  # onto an empty folder too; one that was filled meanwhile refuses
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
