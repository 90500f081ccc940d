"""A source that is a folder: an OCI image layout (OCI image-spec, image-layout.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci import layout_files, layout_names, manifest, strict_json
from cgexplorer.oci.errors import DigestMismatch, Malformed, NotFound, NotInLayout, OciError, TooLarge
from cgexplorer.oci.manifest import MAX_MANIFEST_BYTES, Descriptor, Manifest

MAX_BLOB_BYTES = 32 << 20
MAX_INDEX_BYTES = 32 << 20  # of index.json: some 80,000 entries, which no registry's manifest may have
_MAX_MARKER_BYTES = 64 << 10
_UNKNOWN = "?"  # the subject of what could not be read and has no name


class LayoutEntry(msgspec.Struct, frozen=True):
    """An image of the layout. `repository` is "" when names carry none, `tag` is "" when it has none."""

    repository: str
    tag: str
    digest: str
    by_digest: bool = False  # named `repository@sha256:…`: no tag is meant, not even `latest`


class _Read(NamedTuple):
    """What of an entry's manifest says how it belongs to others."""

    subject: str  # "" without one
    children: tuple[str, ...]


class _Shelf(NamedTuple):
    tagged: Mapping[str, list[layout_names.NamedEntry]]
    attached: Mapping[str, list[Descriptor]]  # by subject


class Layout:
    """An OCI image layout as a `Source`. Several threads may ask at once. Construction raises an `OciError` when the
    folder is no layout; a missing or altered blob is told when it is asked for.

    A repository may be asked for as the layout spells it, without its registry, or as "". Entries without a
    repository in their name, and layouts that know nothing of the repository asked, answer every repository.
    """

    kind = "layout"

    def __init__(self, directory: Path, *, max_blob_bytes: int = MAX_BLOB_BYTES) -> None:
        self.directory = directory
        self.max_blob_bytes = max_blob_bytes
        _check_marker(directory)
        try:
            raw = layout_files.read(directory, ("index.json",), max_bytes=MAX_INDEX_BYTES)
        except NotInLayout as error:
            raise Malformed(f"{directory} is not an OCI image layout: it has no index.json.") from error
        self.entries = layout_names.named(manifest.descriptors(raw, max_bytes=MAX_INDEX_BYTES))
        self._media_types = {e.descriptor.digest: e.descriptor.media_type for e in self.entries}
        self._shelves: dict[str, _Shelf] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held open."""

    @cached_property
    def has_signature_tags(self) -> bool:
        """Whoever named the signatures of one image copied names. `cosign save` names none and leaves out what is
        attached as a referrer; crane, skopeo and oras copy images without cosign's tags (decision 16)."""
        return any(e.is_named and (e.is_cosigns_own or self._is_attachment(e.descriptor.digest)) for e in self.entries)

    def resolve(self, repository: str, tag: str) -> str:
        found = self._shelf(repository).tagged.get(tag, [])
        found = [e for e in found if repository and e.is_of(repository)] or found
        targets = {e.descriptor.digest: e.repository for e in found}
        if not targets:
            raise NotFound(f"The layout has no tag {tag!r}" + (f" of {repository}." if repository else "."))
        if len(targets) > 1:
            names = ", ".join(sorted(set(targets.values()))[:5])
            raise Malformed(f"The layout has the tag {tag!r} {len(targets)} times ({names or 'same name'}): name one.")
        return next(iter(targets))

    def manifest(self, repository: str, digest: str) -> Manifest:
        raw = layout_files.read_blob(self.directory, digest, max_bytes=MAX_MANIFEST_BYTES)
        return manifest.parse(raw, self._media_types.get(digest, ""), digest)

    def manifest_of_tag(self, repository: str, tag: str) -> Manifest:
        return self.manifest(repository, self.resolve(repository, tag))

    def blob(self, repository: str, digest: str, size: int) -> bytes:
        if size > self.max_blob_bytes:
            raise TooLarge(f"{digests.short(digest)} has {size} bytes; at most {self.max_blob_bytes} are read.")
        content = layout_files.read_blob(self.directory, digest, max_bytes=self.max_blob_bytes)
        if len(content) != size:
            raise DigestMismatch(f"{digests.short(digest)} has {len(content)} bytes, but its manifest says {size}.")
        return content

    def tags(self, repository: str) -> Iterator[str]:
        yield from (tag for tag in self._shelf(repository).tagged if tag)

    def referrers(self, repository: str, digest: str) -> tuple[Descriptor, ...]:
        """Entries whose `subject` is this digest, then those of the fallback tag. An entry without a name whose
        manifest cannot be read is among them: whoever reads it gets the reason, and nobody takes it for absence.
        `NotInLayout` when nothing is attached to an image that is itself not here."""
        shelf = self._shelf(repository)
        listed = [*shelf.attached.get(digest, []), *shelf.attached.get(_UNKNOWN, [])]
        found = {one.digest: one for one in listed}
        try:
            fallback = self.manifest_of_tag(repository, digest.replace(":", "-"))
        except NotInLayout:
            raise
        except NotFound:
            if not found:
                self.manifest(repository, digest)  # a layout proves nothing about an image that it does not hold
            return tuple(found.values())
        for child in fallback.children:
            found.setdefault(child.digest, child)
        return tuple(found.values())

    def references(self, *, nested: bool = False) -> tuple[LayoutEntry, ...]:
        """The images of this layout, without what cosign stores beside them.

        Left out unless `nested`: an entry that only repeats a platform of an index which is itself listed. One with a
        whole name is a tag of that repository, wherever else it is.
        """
        images = [e for e in self.entries if not e.is_cosigns_own and not self._is_attachment(e.descriptor.digest)]
        own = {e.descriptor.digest for e in self.entries if e.is_cosigns_own}
        inside = {child for e in images for child in self._children(e.descriptor.digest)}
        listed = dict.fromkeys(
            LayoutEntry(e.repository, e.tag, e.descriptor.digest, e.is_by_digest)
            for e in images
            if (e.tag or e.descriptor.digest not in own)
            and (nested or e.descriptor.digest not in inside or (e.tag and e.names_registry))
        )
        return tuple(listed)

    def _shelf(self, repository: str) -> _Shelf:
        """What answers for this repository, sorted once: a big layout is asked for each of its images."""
        if repository not in self._shelves:
            named = self._names.get(repository) if repository else None
            entries = self.entries if named is None else [self.entries[n] for n in sorted({*self._names[""], *named})]
            tagged, attached = (
                defaultdict[str, list[layout_names.NamedEntry]](list),
                defaultdict[str, list[Descriptor]](list),
            )
            for entry in entries:
                tagged[entry.tag].append(entry)
                read = self._read_entries[entry.descriptor.digest]
                if read is not None and read.subject:
                    attached[read.subject].append(entry.descriptor)
                elif read is None and not entry.tag:
                    attached[_UNKNOWN].append(entry.descriptor)
            self._shelves[repository] = _Shelf(tagged, attached)
        return self._shelves[repository]

    @cached_property
    def _names(self) -> dict[str, list[int]]:
        """Repository, with and without its registry → places of its entries; "" → of those whose name has none."""
        found: dict[str, list[int]] = {"": []}
        for place, entry in enumerate(self.entries):
            for name in entry.repositories:
                found.setdefault(name, []).append(place)
        return found

    @cached_property
    def _read_entries(self) -> dict[str, _Read | None]:
        """Every manifest that index.json names, None where it cannot be read."""
        return {digest: self._try(digest) for digest in self._media_types}

    def _try(self, digest: str) -> _Read | None:
        try:
            read = self.manifest("", digest)
        except OciError:
            return None
        return _Read(read.subject.digest if read.subject else "", tuple(child.digest for child in read.children))

    def _is_attachment(self, digest: str) -> bool:
        read = self._read_entries[digest]
        return read is not None and read.subject != ""

    def _children(self, digest: str) -> tuple[str, ...]:
        read = self._read_entries[digest]
        return read.children if read else ()


def _check_marker(directory: Path) -> None:
    try:
        raw = layout_files.read(directory, ("oci-layout",), max_bytes=_MAX_MARKER_BYTES)
    except NotInLayout as error:
        raise Malformed(f"{directory} is not an OCI image layout: it has no file oci-layout.") from error
    version = strict_json.loads(raw, max_bytes=_MAX_MARKER_BYTES).get("imageLayoutVersion")
    if version != "1.0.0":
        raise Malformed(f"The layout has version {version!a}; only 1.0.0 is supported.")
