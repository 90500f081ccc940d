"""SBOMs: the document exactly as signed, and the rows made of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from django.db import connection
from django.db.models import Q

from cgexplorer.spdx.conformance import Conformance
from cgexplorer.spdx.document import CONTENTS, Document, Package, Role
from cgexplorer.store import blobs
from cgexplorer.store.models import Manifest, Sbom, Tag
from cgexplorer.store.record import binary, payloads
from cgexplorer.store.record.text import as_json, storable

# One statement: a document of few packages costs less to write than to ask for each of these writes.
_CONTENTS = """
WITH contents AS (
    INSERT INTO store_sbompackages (sbom_id, image_id, searchable, package_ids)
    VALUES (%(sbom)s, %(image)s, false, %(ids)s::int[])
), graph AS (
    INSERT INTO store_sbomgraph (sbom_id, image_id, data) VALUES (%(sbom)s, %(image)s, %(graph)s)
), detail AS (
    INSERT INTO store_sbomdetail (sbom_id, image_id, packages, files, document)
    VALUES (%(sbom)s, %(image)s, %(packages)s, %(files)s, %(document)s)
)
INSERT INTO store_packageimage (package_id, image_id, first_sbom_id)
SELECT unnest(%(ids)s::int[]), %(image)s, %(sbom)s ON CONFLICT DO NOTHING
"""
# Later SBOMs stood in for the first one while its rows were pruned.
_FIRST_AGAIN = """
UPDATE store_packageimage SET first_sbom_id = %(sbom)s
WHERE image_id = %(image)s AND package_id = ANY(%(ids)s) AND first_sbom_id > %(sbom)s
"""
_BEST_EVIDENCE = """
UPDATE store_sbom s SET evidence_id = best.id
FROM (
    SELECT DISTINCT ON (e.sbom_id) e.sbom_id, e.id FROM store_evidence e
    WHERE e.manifest_id = %s AND e.sbom_id IS NOT NULL
    ORDER BY e.sbom_id, e.state = 'verified' DESC, e.state = 'verified-stale' DESC, e.id
) best
WHERE s.id = best.sbom_id AND s.evidence_id IS DISTINCT FROM best.id
"""


class ParsedSbom(msgspec.Struct, frozen=True):
    """A document and what came of parsing it."""

    content: bytes  # exactly as signed
    document: Document | None  # None when it is not indexable
    reason: str = ""  # why not


def save(manifest: Manifest, parsed: ParsedSbom, package_ids: Iterable[int], now: dt.datetime) -> Sbom:
    """The SBOM of this manifest with these bytes. They are stored already, and its packages. Inside a transaction."""
    key = payloads.key(parsed.content)
    known = Sbom.objects.filter(manifest=manifest, document_id=key).first()
    if known is not None and (known.indexed or (parsed.document is None and not (known.pruned_at and parsed.reason))):
        return known
    # An earlier version of cgexplorer may have kept what this one can read; or its rows were pruned.
    row = known or Sbom(manifest=manifest, image_id=manifest.image_id, platform=manifest.platform, document_id=key)
    if row.pruned_at is None:
        row.ingested_at = now
    else:
        row.pruned_at, row.pruned_by, row.restored_at = None, "", now
    row.not_indexed_reason = storable(parsed.reason, 500)
    if parsed.document is not None:
        _describe(row, parsed.document)
    row.save()
    if parsed.document is not None:
        _save_contents(row, parsed.document, package_ids)
    return row


def stay_pruned(manifest: Manifest, parsed: Iterable[ParsedSbom]) -> frozenset[bytes]:
    """Those of these documents whose rows were pruned and stay so: nothing that is tagged now leads to them."""
    pruned = Sbom.objects.filter(manifest=manifest, pruned_at__isnull=False)
    keys = {bytes(key) for key in pruned.values_list("document_id", flat=True)}
    if not keys or Tag.objects.filter(Q(manifest=manifest) | Q(manifest__entries__manifest=manifest)).exists():
        return frozenset()
    return frozenset(one.content for one in parsed if payloads.key(one.content) in keys)


def choose_evidence(manifest: Manifest) -> None:
    """Let each SBOM point to the best evidence that carries it."""
    with connection.cursor() as cursor:
        cursor.execute(_BEST_EVIDENCE, [manifest.pk])


def contents(document: Document) -> list[Package]:
    """What counts: things installed, and modules inside them."""
    return [package for package in document.packages if package.role in CONTENTS]


def _describe(row: Sbom, document: Document) -> None:
    row.indexed = True
    row.format, row.spec_version = document.format, storable(document.spec_version, 32)
    row.name, row.namespace = storable(document.name), storable(document.namespace)
    row.generator, row.created = storable(document.generator, 200), storable(document.created, 64)
    row.installed_count = sum(package.role is Role.INSTALLED for package in document.packages)
    row.module_count = sum(package.role is Role.MODULE for package in document.packages)
    row.package_count = sum(max(1, len(package.spdx_ids)) for package in document.packages)
    row.file_count = len(document.files)
    row.relationship_count = len(document.graph.source)
    row.findings = as_json(document.findings)
    if document.truncated:
        row.not_indexed_reason = storable(document.truncated, 500)


def _save_contents(row: Sbom, document: Document, package_ids: Iterable[int]) -> None:
    encoded, ids = blobs.encode(document), sorted(set(package_ids))
    with binary.cursor() as cursor:
        cursor.execute(
            _CONTENTS,
            {
                "sbom": row.pk,
                "image": row.image_id,
                "ids": ids,
                "graph": encoded.graph,
                "packages": encoded.packages,
                "files": encoded.files,
                "document": encoded.document,
            },
        )
        if row.restored_at is not None:
            cursor.execute(_FIRST_AGAIN, {"sbom": row.pk, "image": row.image_id, "ids": ids})


def conformance(sbom: Sbom, opinion: Conformance) -> None:
    """Keep what spdx-tools says of the document; once."""
    Sbom.objects.filter(pk=sbom.pk, conformance={}).update(conformance=as_json(opinion))
