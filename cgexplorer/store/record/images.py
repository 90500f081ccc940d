"""Registries, images and manifests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import connection, transaction

from cgexplorer.oci.manifest import Descriptor
from cgexplorer.oci.reference import Reference
from cgexplorer.store.models import Image, IndexEntry, Manifest, Registry
from cgexplorer.store.record.text import storable

NOT_ASKED_FOR = "not fetched: its platform is not followed"

# Tagged now, directly or through an index, and the best evidence that carries the SBOM is verified.
_SEARCHABLE = """
UPDATE store_sbompackages held SET searchable = now.searchable
FROM (
    SELECT s.id, (
        EXISTS (SELECT FROM store_tag t WHERE t.manifest_id = s.manifest_id)
        OR EXISTS (SELECT FROM store_indexentry x JOIN store_tag t ON t.manifest_id = x.index_id
                   WHERE x.manifest_id = s.manifest_id)
    ) AND coalesce(e.state = 'verified', false) AS searchable
    FROM store_sbom s LEFT JOIN store_evidence e ON e.id = s.evidence_id
    WHERE s.image_id = %(image)s AND s.manifest_id IN (
        SELECT unnest(%(manifests)s::bigint[]) UNION
        SELECT manifest_id FROM store_indexentry WHERE index_id = ANY(%(manifests)s::bigint[])
    )
) now
WHERE held.sbom_id = now.id AND held.searchable IS DISTINCT FROM now.searchable
"""


def image(reference: Reference, now: dt.datetime) -> Image:
    registry, _ = Registry.objects.get_or_create(host=reference.registry)
    found, created = Image.objects.get_or_create(
        name=reference.name,
        defaults={"registry": registry, "repository": reference.repository, "observed_at": now},
    )
    if not created:
        Image.objects.filter(pk=found.pk, observed_at__lt=now).update(observed_at=now)
    return found


def lock(image: Image) -> None:
    """One writer an image at a time, until the transaction ends. Others wait; nobody deadlocks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [0x6367, image.pk % (1 << 31)])


@transaction.atomic(savepoint=False)
def entries(index: Manifest, children: list[tuple[str, Manifest]]) -> None:
    """The (platform, manifest) pairs that an index names, in its order. An index's bytes never change, nor do these."""
    lock(index.image)
    IndexEntry.objects.bulk_create(
        [
            IndexEntry(
                image_id=index.image_id, index=index, manifest=child, platform=storable(platform, 64), position=position
            )
            for position, (platform, child) in enumerate(children)
        ],
        ignore_conflicts=True,
    )
    refresh_searchable(index.image, [child.pk for _, child in children])


def named(image: Image, child: Descriptor, now: dt.datetime) -> Manifest:
    """What an index names for a platform that nobody asked for: known by its digest, never looked at."""
    return Manifest.objects.get_or_create(
        image=image,
        digest=child.digest,
        defaults={
            "media_type": storable(child.media_type, 127),
            "platform": storable(str(child.platform or ""), 64),
            "problem": NOT_ASKED_FOR,
            "first_seen_at": now,
            "observed_at": now,
        },
    )[0]


def gone(manifest: Manifest, now: dt.datetime) -> None:
    """Its source answered that it does not have this digest. What is stored of it stays."""
    Manifest.objects.filter(pk=manifest.pk, gone_at=None, observed_at__lte=now).update(gone_at=now)


def refresh_searchable(image: Image, manifest_ids: Collection[int]) -> None:
    """Of these manifests, and of those that they name as indexes: others are not affected by what becomes of them."""
    with connection.cursor() as cursor:
        cursor.execute(_SEARCHABLE, {"image": image.pk, "manifests": list(manifest_ids)})
