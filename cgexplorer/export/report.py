"""The verification report of what is stored, in the shape that scripts rely on (`cgexplorer.verification/1`)."""

from __future__ import annotations

import msgspec

from cgexplorer.export import reproduce
from cgexplorer.export.cosign import unasked
from cgexplorer.oci.evidence import Kind
from cgexplorer.oci.manifest import UNKNOWN_PLATFORM
from cgexplorer.store.judges import Tried
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import completeness, cross_checks, exports, trust_roots, verification
from cgexplorer.verify import alternatives
from cgexplorer.verify import report as shapes
from cgexplorer.verify.verdict import State


def report(manifest: Manifest, reference: str) -> shapes.Report:
    """The newest run of this manifest and, for an index, of each platform."""
    return of_subjects(exports.subjects(manifest), reference)


def of_subjects(found: tuple[exports.Subject, ...], reference: str, *, then: bool = False) -> shapes.Report:
    """The first is what was asked about. `then`: as their runs say, which need not be the newest."""
    top = found[0].manifest
    subjects = tuple(_of(one, None if one.manifest.is_index else one.platform or None, then=then) for one in found)
    return shapes.Report(reference=reference, digest=top.digest, state=subjects[0].state, subjects=subjects)


def run_report(found: verification.Report) -> shapes.Report:
    """One run, which need not be the newest, of one digest."""
    manifest = found.manifest
    one = exports.Subject(manifest, manifest.platform, found)
    return of_subjects((one,), f"{manifest.image.name}@{manifest.digest}", then=True)


def states(found: shapes.Report) -> set[State]:
    """States that count for an exit code: of each digest, and of the best attestation of each type.

    That nobody signed BuildKit's own attestation manifests is how it always is, and says nothing of the image.
    """
    usual = (UNKNOWN_PLATFORM, State.UNSIGNED)
    counted = {subject.state for subject in found.subjects if (subject.platform, subject.state) != usual}
    for subject in found.subjects:
        by_type: dict[str, set[State]] = {}
        for one in subject.evidence:
            if one.kind == Kind.ATTESTATION:
                by_type.setdefault(one.predicate_type, set()).add(one.state)
        for several in by_type.values():
            # Anybody can push a bad attestation beside a good one of the same type.
            counted |= {State.VERIFIED} if State.VERIFIED in several else several
    return counted


def _of(one: exports.Subject, platform: str | None, *, then: bool) -> shapes.SubjectRow:
    manifest, found = one.manifest, one.report
    if found is None:
        state, reason = ("", "No run had looked at it.") if then else (manifest.state, manifest.state_reason)
        return shapes.SubjectRow(manifest.digest, platform, _state(state), reason, ())
    if then:
        return _subject(found, platform, State(found.run.state), found.run.reason)
    return _subject(found, platform, _state(manifest.state), manifest.state_reason)


def _subject(found: verification.Report, platform: str | None, state: State, reason: str) -> shapes.SubjectRow:
    run, evidence = found.run, tuple(map(evidence_row, found.judged))
    return shapes.SubjectRow(
        digest=found.manifest.digest,
        platform=platform,
        state=state,
        reason=reason,
        evidence=evidence,
        problems=tuple(f"{one['place']}: {one['reason']}" for one in run.problems),
        cross_checks=tuple(
            shapes.CheckRow(row.name.value, row.outcome.value, row.expected, row.found)
            for row in cross_checks.of(found)
        ),
        completeness=_completeness(completeness.of(found)),
        cosign_says=shapes.cosign_sentences(evidence),
        checked_at=run.finished_at,
        run=shapes.RunRow(run.pk, run.trigger, run.source, State(run.state), run.reason),
        tools=found.tools,
        trusted_roots=_trust_roots(found),
        commands=tuple(shapes.CommandRow(one.title, one.text) for one in reproduce.commands(found)),
        not_asked_of_cosign=tuple(one for policy in found.policies for one in unasked(policy)),
        previous=_previous(found),
    )


def _trust_roots(found: verification.Report) -> tuple[shapes.TrustRootRow, ...]:
    """As they stood at the time of the run: the same run always gives the same report."""
    sha256s = [root.sha256 for root in found.trust_roots]
    return tuple(
        shapes.TrustRootRow(one.name, one.sha256, one.source, one.imported_at, one.refreshed_at, one.expires_at)
        for one in sorted(trust_roots.statuses(sha256s, until=found.run.finished_at), key=lambda one: one.sha256)
    )


def _completeness(found: completeness.Completeness | None) -> shapes.CompletenessRow | None:
    if found is None:
        return None
    rows = (shapes.RequirementRow(one.predicate_type, one.found, one.place) for one in found.requirements)
    policy = shapes.PolicyRow(found.policy.name, found.policy.version)
    return shapes.CompletenessRow(not found.missing, policy, tuple(rows))


def _previous(found: verification.Report) -> shapes.PreviousRow | None:
    before = found.previous
    if before is None:
        return None
    changes = tuple(shapes.ChangeRow(one.what, one.before, one.after) for one in found.changes)
    return shapes.PreviousRow(before.pk, before.finished_at, State(before.state), changes)


def _state(stored: str) -> State:
    return State(stored) if stored else State.COULD_NOT_CHECK


def evidence_row(judged: verification.Judged) -> shapes.EvidenceRow:
    row, evidence = judged.row, judged.evidence
    return shapes.EvidenceRow(
        kind=evidence.kind,
        form=evidence.form,
        manifest=evidence.carrier,
        layer="sha256:" + bytes(evidence.content_id).hex(),
        predicate_type=row.predicate_type,
        state=State(row.state),
        reason=row.reason,
        identity=row.identity,
        issuer=row.issuer,
        signed_at=row.signed_at,
        time_source=row.time_source,
        log_index=judged.log_entries[0].log_index if judged.log_entries else None,
        policy=shapes.PolicyRow(row.policy.name, row.policy.version) if row.policy else None,
        trusted_root_sha256=row.trusted_root_sha256,
        payload_sha256=row.payload_sha256,
        certificate=shapes.certificate_row(judged.certificate),
        log_entries=tuple(shapes.LogEntryRow(**msgspec.structs.asdict(entry)) for entry in judged.log_entries),
        checks=tuple(map(shapes.check_row, judged.checks)),
        identity_matched=alternatives.matched(row.policy.identity_regexp, row.identity) if row.policy else "",
        tried=None if judged.tried is None else tuple(_tried(one) for one in judged.tried),
    )


def _tried(one: Tried) -> shapes.TriedRow:
    return shapes.TriedRow(one.policy, one.version, one.state, one.reason)
