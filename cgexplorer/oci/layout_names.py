"""What the entries of a layout's index.json are called.

Tools differ: `latest` (the specification), `d/annot:1.0` or `cgr.dev/chainguard/postgres:18.4` (copies of several
repositories), a tag beside containerd's `io.containerd.image.name` (docker save), and cosign's `kind` (cosign save),
whose signatures have no name of their own and belong to the image before them.
"""

from __future__ import annotations

import re

import msgspec

from cgexplorer.oci.manifest import Descriptor
from cgexplorer.oci.reference import is_repository, is_tag

REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_KIND = "kind"
_COSIGN = "dev.cosignproject.cosign/"
_OWN_SUFFIX = {_COSIGN + "sigs": ".sig", _COSIGN + "atts": ".att", _COSIGN + "sboms": ".sbom"}
_IMAGES = {_COSIGN + "image", _COSIGN + "imageIndex"}
_COSIGN_TAG = re.compile(r"sha256-[0-9a-f]{64}(?:\.[A-Za-z0-9._-]+)?")


class NamedEntry(msgspec.Struct, frozen=True):
    """An entry of index.json. `repository` and `tag` may be ""; the repository is spelled as the layout spells it."""

    repository: str
    tag: str
    descriptor: Descriptor

    @property
    def names_registry(self) -> bool:
        return _without_registry(self.repository) != self.repository

    @property
    def is_named(self) -> bool:
        """By an annotation of its own, and not for what `cosign save` calls its kind."""
        return _KIND not in self.descriptor.annotations and REF_NAME in self.descriptor.annotations

    @property
    def is_by_digest(self) -> bool:
        """Named `repository@sha256:…`: it has no tag, which is something else than the one that goes without saying."""
        return not self.tag and "@" in self.descriptor.annotations.get(REF_NAME, "")

    @property
    def is_cosigns_own(self) -> bool:
        return is_cosign_tag(self.tag)

    @property
    def repositories(self) -> set[str]:
        """By what it may be asked for: with and without the registry in front."""
        return {self.repository, _without_registry(self.repository)}

    def is_of(self, repository: str) -> bool:
        return repository in self.repositories


def is_cosign_tag(tag: str) -> bool:
    """`sha256-….sig`, `.att`, `.sbom`, or the fallback tag `sha256-…` of the referrers API."""
    return _COSIGN_TAG.fullmatch(tag) is not None


def named(descriptors: tuple[Descriptor, ...]) -> tuple[NamedEntry, ...]:
    entries: list[NamedEntry] = []
    images = [d for d in descriptors if d.annotations.get(_KIND) in _IMAGES]
    before: Descriptor | None = None
    for descriptor in descriptors:
        kind = descriptor.annotations.get(_KIND, "")
        repository, tag = _split(descriptor.annotations)
        if kind in _IMAGES:
            before = descriptor
        elif kind in _OWN_SUFFIX:
            owner = _owner(descriptor, images, before)
            tag = owner.digest.replace(":", "-") + _OWN_SUFFIX[kind] if owner else ""
        entries.append(NamedEntry(repository, tag, descriptor))
    return tuple(entries)


def _owner(descriptor: Descriptor, images: list[Descriptor], before: Descriptor | None) -> Descriptor | None:
    """The image with the same name, else the one just before, else the only one."""
    name = descriptor.annotations.get(REF_NAME)
    if before is not None and name in (None, before.annotations.get(REF_NAME)):
        return before
    return next(
        (image for image in images if image.annotations.get(REF_NAME) == name), before or next(iter(images), None)
    )


def _split(annotations: dict[str, str]) -> tuple[str, str]:
    name = annotations.get(REF_NAME, "")
    if is_tag(name):
        repository, _ = _split_full(annotations.get(_CONTAINERD_NAME, ""))
        return repository, name
    return _split_full(name or annotations.get(_CONTAINERD_NAME, ""))


def _split_full(name: str) -> tuple[str, str]:
    head = name.partition("@")[0]
    repository, colon, tag = head.rpartition(":")
    if not colon or not is_tag(tag):
        repository, tag = head, ""
    return (repository, tag) if is_repository(_without_registry(repository)) else ("", "")


def _without_registry(repository: str) -> str:
    first, slash, rest = repository.partition("/")
    return rest if slash and (first == "localhost" or any(c in first for c in ".:")) else repository
