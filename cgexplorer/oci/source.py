"""Where images come from: a registry or an OCI image layout. Both answer the same questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from cgexplorer.oci.manifest import Descriptor, Manifest


class Source(Protocol):
    """Bytes by digest. Every method may raise an `OciError`; `NotFound` always means "answered: not there"."""

    @property
    def kind(self) -> str:
        """`registry` or `layout`."""

    @property
    def has_signature_tags(self) -> bool:
        """Whether cosign's tags would be here if there were some: without that, their absence proves nothing."""

    def resolve(self, repository: str, tag: str) -> str:
        """Digest that the tag points to now."""

    def manifest(self, repository: str, digest: str) -> Manifest:
        """The manifest with this digest, checked."""

    def manifest_of_tag(self, repository: str, tag: str) -> Manifest:
        """`resolve` and `manifest` in one request. `NotInLayout` when the tag is there and its bytes are not."""

    def blob(self, repository: str, digest: str, size: int) -> bytes:
        """The blob with this digest, exactly `size` bytes, checked."""

    def tags(self, repository: str) -> Iterator[str]:
        """All tags, cosign's own (`sha256-….sig`) included."""

    def referrers(self, repository: str, digest: str) -> tuple[Descriptor, ...]:
        """Everything attached to this digest (API, else fallback tag), in the order of the source; empty is a proof."""
