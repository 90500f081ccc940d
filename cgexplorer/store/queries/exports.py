"""What an evidence bundle of one digest is made of."""

from __future__ import annotations

import json

import msgspec

from cgexplorer.oci.evidence import Evidence as Found
from cgexplorer.oci.evidence import Form, Kind
from cgexplorer.store.models import Evidence, IndexEntry, Manifest, TrustRoot
from cgexplorer.store.queries import payloads, verification
from cgexplorer.store.queries.verification import Judged

MAX_INDEXES = 8


class Subject(msgspec.Struct, frozen=True):
    """A digest with what its newest run judged, in the order of the store."""

    manifest: Manifest
    platform: str
    judged: tuple[Judged, ...]
    trust_roots: tuple[TrustRoot, ...]


def subjects(manifest: Manifest) -> tuple[Subject, ...]:
    """The digest itself and, for an index, each platform once."""
    entries = IndexEntry.objects.filter(index=manifest).select_related("manifest__image", "manifest__payload")
    children = {entry.manifest_id: (entry.manifest, entry.platform) for entry in entries.order_by("position")}
    pairs = [(manifest, manifest.platform), *(pair for key, pair in children.items() if key != manifest.pk)]
    return tuple(_subject(one, platform) for one, platform in pairs)


def indexes(manifest: Manifest) -> list[Manifest]:
    """The oldest indexes that name this platform: their bytes show that it belongs to them."""
    found = Manifest.objects.filter(entries__manifest=manifest).select_related("payload").distinct()
    return list(found.order_by("pk")[:MAX_INDEXES])


def stored(row: Evidence) -> Found:
    """The evidence as its source held it. Raises payloads.Damaged."""
    return Found(
        subject=row.manifest.digest,
        form=Form(row.form),
        kind=Kind(row.kind),
        manifest=row.carrier,
        media_type=row.media_type,
        content=payloads.content(row.content),
        annotations=json.loads(row.annotations_json),
    )


def _subject(manifest: Manifest, platform: str) -> Subject:
    found = verification.report(manifest)
    if found is None:
        return Subject(manifest, platform, (), ())
    judged = sorted(found.judged, key=lambda one: one.evidence.pk)
    return Subject(manifest, platform, tuple(judged), found.trust_roots)
