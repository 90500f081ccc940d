"""Runs and verdicts: appended, never changed. The newest answer is copied to what it is about, at the same time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import connection

from cgexplorer.store.models import Evidence, Manifest, VerdictRow, VerificationRun
from cgexplorer.store.record import payloads
from cgexplorer.store.record.text import as_json, storable
from cgexplorer.verify.verdict import State

if TYPE_CHECKING:
    from cgexplorer.store.record.unit import Judged, Occasion, Unit

# The one points to the other: whichever is written first has to be written to again.
_NEWEST_VERDICTS = """
UPDATE store_evidence SET verdict_id = newest.verdict
FROM unnest(%s::bigint[], %s::bigint[]) AS newest(evidence, verdict) WHERE id = newest.evidence
"""


def append(
    manifest: Manifest,
    unit: Unit,
    rows: list[tuple[Evidence, Judged]],
    occasion: Occasion,
    now: dt.datetime,
    *,
    is_first: bool,
) -> VerificationRun | None:
    """Append a run with a verdict for each piece of evidence. An import that finds what is known appends none, unless
    it is the first that asked a registry."""
    if occasion.trigger == "ingest" and not is_first and _nothing_new(manifest, unit, rows, occasion.source):
        for evidence, _ in rows:
            evidence.save(update_fields=["observed_at"])
        return None
    run = VerificationRun.objects.create(
        image_id=manifest.image_id,
        manifest=manifest,
        trigger=occasion.trigger,
        source=occasion.source,
        reference=storable(unit.reference, 800),
        started_at=occasion.started_at,
        finished_at=now,
        state=unit.state,
        reason=storable(unit.reason, 500),
        problems=as_json(unit.problems),
        tools=occasion.tools,
        trust_root_id=occasion.trust_root_id,
    )
    verdicts = [_verdict(run, evidence, judged) for evidence, judged in rows]
    newest = {}  # evidence → its newest answer; what could not be checked leaves the last one, with its date
    for (evidence, judged), verdict in zip(rows, verdicts, strict=True):
        if verdict.state != State.COULD_NOT_CHECK or evidence.state in ("", State.COULD_NOT_CHECK):
            _copy_to_evidence(evidence, judged, verdict)
            newest[evidence.fingerprint] = verdict
    by_print = {evidence.fingerprint: evidence for evidence, _ in rows}
    new = [evidence for evidence in by_print.values() if evidence.pk is None]
    Evidence.objects.bulk_create(new)
    VerdictRow.objects.bulk_create(verdicts)
    for evidence in by_print.values():
        evidence.verdict = newest.get(evidence.fingerprint, evidence.verdict)
        if evidence not in new:
            evidence.save()
    if new:
        pairs = [(evidence.pk, evidence.verdict_id) for evidence in new]
        with connection.cursor() as cursor:
            cursor.execute(_NEWEST_VERDICTS, [list(column) for column in zip(*pairs, strict=True)])
    _copy_to_manifest(manifest, run)
    return run


def _nothing_new(manifest: Manifest, unit: Unit, rows: list[tuple[Evidence, Judged]], source: str) -> bool:
    if source == "registry" and not manifest.runs.filter(source=source).exists():
        return False
    newest = manifest.runs.order_by("-pk").first()
    if newest is None or newest.problems != as_json(unit.problems):
        return False
    if (newest.state, newest.reason) != (unit.state, storable(unit.reason, 500)):
        return False
    said = {
        row.evidence_id: (row.state, row.policy_id, row.trusted_root_sha256, row.evidence.sbom_id)
        for row in newest.verdicts.select_related("evidence")
    }
    return said == {
        evidence.pk: (
            judged.verdict.state, judged.policy_id, judged.verdict.trusted_root_sha256, evidence.sbom_id
        )
        for evidence, judged in rows
    }  # fmt: skip


def _verdict(run: VerificationRun, evidence: Evidence, judged: Judged) -> VerdictRow:
    verdict = judged.verdict
    return VerdictRow(
        image_id=run.image_id,
        run=run,
        evidence=evidence,
        state=verdict.state,
        reason=storable(verdict.reason, 500),
        checks=as_json(verdict.checks),
        identity=storable(verdict.identity),
        issuer=storable(verdict.issuer),
        signed_at=verdict.signed_at,
        time_source=storable(verdict.time_source, 24),
        log_entries=as_json(verdict.log_entries),
        certificate=as_json(verdict.certificate),
        payload_sha256=verdict.payload_sha256,
        predicate_type=storable(verdict.predicate_type, 255),
        policy_id=judged.policy_id,
        tried=as_json(judged.tried),
        trusted_root_sha256=verdict.trusted_root_sha256,
    )


def _copy_to_evidence(evidence: Evidence, judged: Judged, row: VerdictRow) -> None:
    evidence.state, evidence.reason = row.state, row.reason
    evidence.kind = judged.verdict.kind
    evidence.predicate_type, evidence.identity, evidence.issuer = row.predicate_type, row.identity, row.issuer
    evidence.signed_at, evidence.log_index = row.signed_at, _log_index(judged)
    if judged.verdict.statement is not None:
        evidence.payload_id = payloads.key(judged.verdict.statement.payload)


def _log_index(judged: Judged) -> int | None:
    indexes = (entry.log_index for entry in judged.verdict.log_entries)
    # bigint's range: what lies beyond is no index of any log, only a claim of hostile evidence
    return next((index for index in indexes if index is not None and 0 <= index < 1 << 63), None)


def _copy_to_manifest(manifest: Manifest, run: VerificationRun) -> None:
    if run.state == State.COULD_NOT_CHECK and manifest.state not in ("", State.COULD_NOT_CHECK):
        return
    newest: dict[str, Any] = {"state": run.state, "state_reason": run.reason, "run": run}
    for name, value in newest.items():
        setattr(manifest, name, value)
    manifest.save(update_fields=list(newest))
