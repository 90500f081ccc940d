"""What an exported layout is made of: which digests under which names, and the evidence beside each."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci import manifest as manifests
from cgexplorer.oci.evidence import Problem
from cgexplorer.store.models import Evidence, Follow, Manifest, Payload, Tag
from cgexplorer.store.queries import exports, looks, payloads, references

_MAX_FOUND = 1000  # manifests below one: more than ingestion takes


class Named(msgspec.Struct, frozen=True):
    """A digest and the tags that point to it, in order; none when it is handed on by its digest alone."""

    manifest: Manifest
    tags: tuple[str, ...]


class Held(msgspec.Struct, frozen=True):
    """A manifest with what lies beside it at its source, as far as it is stored."""

    manifest: Manifest
    evidence: tuple[Evidence, ...]
    problems: tuple[Problem, ...]  # of the last look
    was_read: bool  # the last look left nothing unread: what is not stored is not there


def named(texts: Iterable[str]) -> list[Named]:
    """What these references name: with a tag that one, by digest all tags that point there now.

    Raises references.UnknownReference.
    """
    found: list[tuple[Manifest, str]] = []
    for text in texts:
        manifest = references.manifest(text)
        tags = sorted(Tag.objects.filter(manifest=manifest).values_list("name", flat=True))
        if not digests.is_digest(text.strip()) and "~" not in text:
            reference = references.parse(text)
            tags = tags if reference.digest else [reference.tag]
        found += [(manifest, tag) for tag in tags or [""]]
    return _together(found)


def followed() -> list[Named]:
    """Every tag of the repositories that are followed."""
    tags = Tag.objects.filter(image__name__in=Follow.objects.values("name"))
    pointing = tags.select_related("manifest__image", "manifest__payload", "manifest__config")
    return _together([(tag.manifest, tag.name) for tag in pointing])


def _together(found: list[tuple[Manifest, str]]) -> list[Named]:
    """Each digest of an image once, by name and first tag."""
    tags: dict[int, set[str]] = {}
    for manifest, tag in found:
        tags.setdefault(manifest.pk, set()).update([tag] if tag else [])
    once = {manifest.pk: manifest for manifest, _ in found}
    every = [Named(manifest, tuple(sorted(tags[key]))) for key, manifest in once.items()]
    return sorted(every, key=lambda one: (one.manifest.image.name, one.tags, one.manifest.digest))


def with_all_below(top: Manifest) -> list[Manifest]:
    """The manifest and all that it names, however deep, each once and in its order.

    Those that are known by name only, because nobody fetched them, are among them. Raises payloads.Damaged.
    """
    found = {top.digest: top}
    work = [top]
    for one in work:
        if one.payload is None or not one.is_index or len(found) > _MAX_FOUND:
            continue
        children = manifests.parse(payloads.content(one.payload), one.media_type, one.digest).children
        stored = {row.digest: row for row in _of(top, [child.digest for child in children])}
        for child in children:
            row = stored.get(child.digest)
            if row is not None and row.digest not in found:
                found[row.digest] = row
                work.append(row)
    return list(found.values())


def _of(top: Manifest, wanted: list[str]) -> Iterable[Manifest]:
    return Manifest.objects.filter(image=top.image_id, digest__in=wanted).select_related("image", "payload", "config")


def held(manifest: Manifest) -> Held:
    look = exports.last_look(manifest)
    problems = tuple(Problem(one["place"], one["reason"]) for one in look.problems) if look is not None else ()
    return Held(
        manifest, tuple(exports.standing(manifest, look)), problems, look is not None and looks.is_complete(look)
    )


def carriers(found: Held) -> dict[str, bytes]:
    """The manifests that carry this evidence, byte for byte, as far as they are kept: before some time none was."""
    wanted = {bytes.fromhex(one.carrier[7:]) for one in found.evidence if digests.is_digest(one.carrier)}
    stored = Payload.objects.in_bulk(wanted)
    return {f"sha256:{bytes(key).hex()}": payloads.content(payload) for key, payload in stored.items()}
