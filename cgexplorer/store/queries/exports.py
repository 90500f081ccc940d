"""What an evidence bundle of one digest is made of."""

from __future__ import annotations

import json

import msgspec
from django.db.models import QuerySet

from cgexplorer.oci.evidence import Evidence as Found
from cgexplorer.oci.evidence import Form, Kind
from cgexplorer.store.models import Evidence, IndexEntry, Manifest, TrustRoot, VerificationRun
from cgexplorer.store.queries import payloads, verification
from cgexplorer.store.queries.verification import Judged

MAX_INDEXES = 8


class Subject(msgspec.Struct, frozen=True):
    """A digest with what a run judged."""

    manifest: Manifest
    platform: str
    report: verification.Report | None  # None: no run had looked at it

    @property
    def judged(self) -> tuple[Judged, ...]:
        """In the order of the store."""
        return tuple(sorted(self.report.judged, key=lambda one: one.evidence.pk)) if self.report else ()

    @property
    def trust_roots(self) -> tuple[TrustRoot, ...]:
        return self.report.trust_roots if self.report else ()


def subjects(manifest: Manifest, run: VerificationRun | None = None) -> tuple[Subject, ...]:
    """The digest itself and, for an index, each platform once: as they are now, or as they were with that run."""
    entries = IndexEntry.objects.filter(index=manifest).select_related("manifest__image", "manifest__payload")
    children = {entry.manifest_id: (entry.manifest, entry.platform) for entry in entries.order_by("position")}
    own = Subject(manifest, manifest.platform, verification.report(manifest, run.pk if run else None))
    others = (pair for key, pair in children.items() if key != manifest.pk)
    return (own, *(Subject(one, platform, _report(one, run)) for one, platform in others))


def _report(manifest: Manifest, run: VerificationRun | None) -> verification.Report | None:
    if run is None:
        return verification.report(manifest)
    then = verification.runs(manifest).filter(finished_at__lte=run.finished_at).first()
    return verification.report(manifest, then.pk) if then is not None else None


def indexes(manifest: Manifest) -> list[Manifest]:
    """The oldest indexes that name this platform: their bytes show that it belongs to them."""
    found = Manifest.objects.filter(entries__manifest=manifest).select_related("payload").distinct()
    return list(found.order_by("pk")[:MAX_INDEXES])


def last_look(manifest: Manifest) -> VerificationRun | None:
    """The last run that asked a source, as far as it was a new one."""
    return manifest.runs.exclude(source="stored").order_by("-pk").first()


def standing(manifest: Manifest, look: VerificationRun | None) -> QuerySet[Evidence]:
    """What lies beside it at its source: what the last complete look found, all that is known after one that was not.

    What a complete look did not find is not there any more.
    """
    found = manifest.evidence.select_related("content", "manifest").order_by("pk")
    return found.filter(verdicts__run=look) if look is not None and not look.problems else found


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
