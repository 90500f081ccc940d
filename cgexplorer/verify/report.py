"""The verification report as JSON: `cgexplorer.verification/1`. Fields may be added, none is renamed or removed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from cgexplorer.oci.evidence import Discovery, Evidence, Kind
from cgexplorer.verify import summary
from cgexplorer.verify.verdict import Certificate, Check, State, Verdict

SCHEMA = "cgexplorer.verification/1"


class PolicyRow(msgspec.Struct, frozen=True):
    name: str
    version: int


class CheckRow(msgspec.Struct, frozen=True):
    name: str
    outcome: str
    expected: str
    found: str


class CertificateRow(msgspec.Struct, frozen=True):
    sha256: str
    subjects: tuple[str, ...]
    issuer: str
    authority: str
    not_before: dt.datetime
    not_after: dt.datetime
    extensions: dict[str, str]  # by Fulcio's name


class LogEntryRow(msgspec.Struct, frozen=True):
    log_id: str
    log_name: str
    log_index: int | None
    kind: str
    integrated_at: dt.datetime | None
    proof: str


class EvidenceRow(msgspec.Struct, frozen=True):
    """One signature or attestation."""

    kind: str
    form: str
    manifest: str
    layer: str
    predicate_type: str
    state: State
    reason: str
    identity: str
    issuer: str
    signed_at: dt.datetime | None
    time_source: str
    log_index: int | None
    policy: PolicyRow | None
    trusted_root_sha256: str
    payload_sha256: str
    certificate: CertificateRow | None
    log_entries: tuple[LogEntryRow, ...]
    checks: tuple[CheckRow, ...]


class SubjectRow(msgspec.Struct, frozen=True):
    """One digest: the index, or the image of a platform (`platform` is null for an index)."""

    digest: str
    platform: str | None
    state: State
    reason: str
    evidence: tuple[EvidenceRow, ...]
    problems: tuple[str, ...] = ()  # what could not be read, so that absence proves nothing
    cross_checks: tuple[CheckRow, ...] = ()  # whether the signed documents agree; only of stored images


class Report(msgspec.Struct, frozen=True, kw_only=True):
    schema: str = SCHEMA
    reference: str
    digest: str
    state: State
    subjects: tuple[SubjectRow, ...]
    warnings: tuple[str, ...] = ()


def check_row(check: Check) -> CheckRow:
    return CheckRow(check.name.value, check.outcome.value, check.expected, check.found)


def certificate_row(certificate: Certificate | None) -> CertificateRow | None:
    if certificate is None:
        return None
    return CertificateRow(
        sha256=certificate.sha256,
        subjects=certificate.subjects,
        issuer=certificate.issuer,
        authority=certificate.authority,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        extensions={item.name: item.value for item in certificate.extensions},
    )


def evidence_row(verdict: Verdict, *, manifest: str = "", layer: str = "") -> EvidenceRow:
    return EvidenceRow(
        kind=verdict.kind.value,
        form=verdict.form.value,
        manifest=manifest,
        layer=layer,
        predicate_type=verdict.predicate_type,
        state=verdict.state,
        reason=verdict.reason,
        identity=verdict.identity,
        issuer=verdict.issuer,
        signed_at=verdict.signed_at,
        time_source=verdict.time_source,
        log_index=verdict.log_entries[0].log_index if verdict.log_entries else None,
        policy=PolicyRow(verdict.policy, verdict.policy_version) if verdict.policy else None,
        trusted_root_sha256=verdict.trusted_root_sha256,
        payload_sha256=verdict.payload_sha256,
        certificate=certificate_row(verdict.certificate),
        log_entries=tuple(
            LogEntryRow(e.log_id, e.log_name, e.log_index, e.kind, e.integrated_at, e.proof)
            for e in verdict.log_entries
        ),
        checks=tuple(check_row(check) for check in verdict.checks),
    )


def subject_row(
    pairs: Sequence[tuple[Evidence, Verdict]],
    discovery: Discovery,
    kind: Kind = Kind.SIGNATURE,
    platform: str | None = None,
) -> SubjectRow:
    """One digest with everything judged about it; its state is that of its signatures (or of its attestations)."""
    state, reason = summary.combine([verdict for _, verdict in pairs], discovery, kind)
    return SubjectRow(
        digest=discovery.subject,
        platform=platform,
        state=state,
        reason=reason,
        evidence=tuple(evidence_row(v, manifest=e.manifest, layer=e.layer) for e, v in pairs),
        problems=tuple(f"{problem.place}: {problem.reason}" for problem in discovery.problems),
    )


def to_json(report: Report) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
