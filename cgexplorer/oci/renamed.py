"""A source whose repository goes by another name here than there: a layout that is imported `--as` something."""

from __future__ import annotations

from collections.abc import Iterator

from cgexplorer.oci.manifest import Descriptor, Manifest
from cgexplorer.oci.source import Source


class Renamed:
    """Whatever repository is asked for, `source` is asked for `repository`."""

    def __init__(self, source: Source, repository: str) -> None:
        self.source, self.repository = source, repository

    @property
    def kind(self) -> str:
        return self.source.kind

    @property
    def has_signature_tags(self) -> bool:
        return self.source.has_signature_tags

    def resolve(self, repository: str, tag: str) -> str:
        return self.source.resolve(self.repository, tag)

    def manifest(self, repository: str, digest: str) -> Manifest:
        return self.source.manifest(self.repository, digest)

    def manifest_of_tag(self, repository: str, tag: str) -> Manifest:
        return self.source.manifest_of_tag(self.repository, tag)

    def blob(self, repository: str, digest: str, size: int) -> bytes:
        return self.source.blob(self.repository, digest, size)

    def tags(self, repository: str) -> Iterator[str]:
        return self.source.tags(self.repository)

    def referrers(self, repository: str, digest: str) -> tuple[Descriptor, ...]:
        return self.source.referrers(self.repository, digest)
