"""The verification report as JSON: `cgexplorer.verification/1`. Fields may be added, none is renamed or removed.

Its JSON Schema is made of these structs (`report_schema`), so their docstrings and descriptions are its text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from cgexplorer.oci.evidence import Discovery, Evidence, Kind
from cgexplorer.verify import alternatives, summary, tools
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.trust_root import PUBLIC_GOOD_SHA256, TrustRoot
from cgexplorer.verify.verdict import Certificate, Check, State, Verdict

SCHEMA = "cgexplorer.verification/1"
# Vouches for Chainguard's private images. No GitHub workflow signs there: people are not asked about one.
CHAINGUARD = "https://issuer.enforce.dev"

type Moment = Annotated[dt.datetime, Meta(tz=True)]
type Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
type Hex256 = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$", description='sha256 in hex; "" when there is none')]


class PolicyRow(msgspec.Struct, frozen=True):
    """A version of a policy: it is never changed, a change is the next version."""

    name: str
    version: int


class TriedRow(msgspec.Struct, frozen=True):
    """A policy that names the image too, but did not decide, with what it said."""

    name: str
    version: int
    state: State
    reason: str


class CheckRow(msgspec.Struct, frozen=True):
    """One check; all that can run do run, also after a failure."""

    name: str
    outcome: Annotated[str, Meta(pattern="^(passed|failed|not-run)$")]
    expected: str
    found: str


class CertificateRow(msgspec.Struct, frozen=True):
    """What the signing certificate says. Believe it only when the certificate-chain check passed."""

    sha256: Hex256
    subjects: tuple[str, ...]
    issuer: Annotated[str, Meta(description="who vouched for the signer: the OIDC issuer")]
    authority: Annotated[str, Meta(description="distinguished name of the certificate authority")]
    not_before: Moment
    not_after: Moment
    extensions: Annotated[dict[str, str], Meta(description="by Fulcio's name; an unknown one by its OID")]
    serial: Annotated[str, Meta(description="in hex")] = ""


class LogEntryRow(msgspec.Struct, frozen=True):
    """An entry of a transparency log."""

    log_id: Annotated[str, Meta(description="in hex")]
    log_name: Annotated[str, Meta(description='URL in the trust root; "" when it does not know the log')]
    log_index: Annotated[int | None, Meta(description="the proven one; null when none is")]
    kind: Annotated[str, Meta(description="such as `hashedrekord 0.0.1`")]
    integrated_at: Annotated[Moment | None, Meta(description="null when the entry vouches for no time")]
    proof: Annotated[str, Meta(description='"signed entry timestamp", "inclusion proof", both, or "" for none')]


class EvidenceRow(msgspec.Struct, frozen=True):
    """One signature or attestation."""

    kind: Annotated[str, Meta(pattern="^(signature|attestation)$")]
    form: Annotated[str, Meta(pattern="^(legacy|bundle)$")]
    manifest: Annotated[str, Meta(description='digest of the manifest that carries it; "" for a lone bundle')]
    layer: Annotated[str, Meta(description="digest of its bytes")]
    predicate_type: Annotated[str, Meta(description='"" for a classic signature and for what could not be read')]
    state: State
    reason: str
    identity: Annotated[str, Meta(description='name in the certificate, or "key sha256:…"')]
    issuer: str
    signed_at: Annotated[Moment | None, Meta(description="the earliest verified time")]
    time_source: Annotated[str, Meta(description="who vouches for it: transparency log or timestamp authority")]
    log_index: int | None
    policy: Annotated[PolicyRow | None, Meta(description="that decided; null without any")]
    trusted_root_sha256: Hex256
    payload_sha256: Hex256
    certificate: Annotated[CertificateRow | None, Meta(description="null for a key")]
    log_entries: tuple[LogEntryRow, ...]
    checks: Annotated[tuple[CheckRow, ...], Meta(description="in the order in which they run")]
    identity_matched: Annotated[
        str, Meta(description='which alternative of the policy\'s pattern the signer is; "" when there is one only')
    ] = ""
    tried: Annotated[
        tuple[TriedRow, ...] | None, Meta(description="the other policies; null when an old run did not keep them")
    ] = ()


class TrustRootRow(msgspec.Struct, frozen=True):
    """Whose certificates and keys it was verified with."""

    name: str
    sha256: Annotated[Hex256, Meta(description="of trusted_root.json")]
    source: Annotated[str, Meta(description='shipped, refreshed (by TUF) or imported; "" for a file that a flag named')]
    imported_at: Annotated[Moment | None, Meta(description="when it came here; null for what is not stored")] = None
    refreshed_at: Annotated[Moment | None, Meta(description="when TUF vouched for it last, before this run")] = None
    metadata_expires_at: Annotated[Moment | None, Meta(description="until when TUF vouched for it then")] = None


class CommandRow(msgspec.Struct, frozen=True):
    """A command of stock cosign 3 that asks the same of exactly this digest, quoted for a shell."""

    title: str
    command: str


class ChangeRow(msgspec.Struct, frozen=True):
    """What is not as it was in the run before."""

    what: str
    before: str
    after: str


class PreviousRow(msgspec.Struct, frozen=True):
    """The run before this one."""

    run: int
    checked_at: Moment
    state: State
    changes: tuple[ChangeRow, ...]


class RunRow(msgspec.Struct, frozen=True):
    """When, why and on what a stored run looked."""

    number: int
    trigger: Annotated[str, Meta(description="ingest, re-verify, command or schedule")]
    source: Annotated[str, Meta(description="registry, layout, file, or stored: the evidence kept, without a network")]
    state: Annotated[State, Meta(description="of this run: one that could not check leaves the digest's state alone")]
    reason: str


class RequirementRow(msgspec.Struct, frozen=True):
    """A predicate type that the policy asks for, and the verified attestation that meets it."""

    predicate_type: str
    found: Annotated[str, Meta(description='the verified type that meets it; "" for none')]
    of: Annotated[str, Meta(description='whose attestation it is; "" for one of this digest itself')]


class CompletenessRow(msgspec.Struct, frozen=True):
    """Is all attested that the policy asks for? No state hangs on it."""

    complete: bool
    policy: PolicyRow
    requirements: tuple[RequirementRow, ...]


class SubjectRow(msgspec.Struct, frozen=True):
    """One digest: the index, or the image of a platform (`platform` is null for an index)."""

    digest: Digest
    platform: str | None
    state: State
    reason: str
    evidence: tuple[EvidenceRow, ...]
    problems: Annotated[
        tuple[str, ...], Meta(description="what could not be read, so that absence proves nothing")
    ] = ()
    cross_checks: Annotated[
        tuple[CheckRow, ...],
        Meta(description="do the signed documents agree? No state hangs on it"),
    ] = ()
    completeness: Annotated[
        CompletenessRow | None, Meta(description="null where no policy asks for predicate types")
    ] = None
    cosign_says: Annotated[
        tuple[str, ...], Meta(description="cosign's own sentences, those that are true of the deciding signature")
    ] = ()
    checked_at: Moment | None = None
    run: Annotated[RunRow | None, Meta(description="null for what is not stored")] = None
    tools: Annotated[dict[str, str], Meta(description="name and version of what verified")] = {}
    trusted_roots: tuple[TrustRootRow, ...] = ()
    commands: tuple[CommandRow, ...] = ()
    not_asked_of_cosign: Annotated[
        tuple[str, ...], Meta(description="what the policies ask beyond what these commands can")
    ] = ()
    previous: PreviousRow | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Every check on every signature and attestation of a digest and, for an index, of its platforms."""

    schema: Annotated[str, Meta(pattern="^cgexplorer\\.verification/1$")] = SCHEMA
    reference: Annotated[str, Meta(description="as asked")]
    digest: Digest
    state: State
    subjects: tuple[SubjectRow, ...]
    warnings: Annotated[tuple[str, ...], Meta(description="about flags that let more through than they seem to")] = ()


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
        serial=certificate.serial,
    )


def evidence_row(verdict: Verdict, *, manifest: str, layer: str, policy: Policy) -> EvidenceRow:
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
        identity_matched=alternatives.matched(policy.identity_regexp, verdict.identity),
    )


def subject_row(
    pairs: Sequence[tuple[Evidence, Verdict]],
    discovery: Discovery,
    kind: Kind = Kind.SIGNATURE,
    platform: str | None = None,
    *,
    policy: Policy,
    root: TrustRoot,
    now: dt.datetime,
) -> SubjectRow:
    """One digest with everything judged about it; its state is that of its signatures (or of its attestations)."""
    state, reason = summary.combine([verdict for _, verdict in pairs], discovery, kind)
    evidence = tuple(evidence_row(v, manifest=e.manifest, layer=e.layer, policy=policy) for e, v in pairs)
    return SubjectRow(
        digest=discovery.subject,
        platform=platform,
        state=state,
        reason=reason,
        evidence=evidence,
        problems=tuple(f"{problem.place}: {problem.reason}" for problem in discovery.problems),
        cosign_says=cosign_sentences(evidence),
        tools=tools.versions(),
        trusted_roots=(TrustRootRow(root.name, root.sha256, _source(root)),),
        checked_at=now,
    )


def cosign_sentences(rows: Iterable[EvidenceRow]) -> tuple[str, ...]:
    """What cosign prints when it succeeds: each sentence only when it is true of every verified signature.

    Where there is no signature, of every verified attestation; () when nothing is verified.
    """
    good = [row for row in rows if row.state in (State.VERIFIED, State.VERIFIED_STALE)]
    good = [row for row in good if row.kind == Kind.SIGNATURE] or good
    if not good:
        return ()
    passed = set.intersection(*({check.name for check in row.checks if check.outcome == "passed"} for row in good))
    said = (
        ("subject" in passed, "The cosign claims were validated"),
        ("log-entry" in passed, "Existence of the claims in the transparency log was verified offline"),
        (
            "certificate-chain" in passed,
            "The code-signing certificate was verified using trusted certificate authority certificates",
        ),
        (
            all(row.certificate is None for row in good),
            "The signatures were verified against the specified public key",
        ),
    )
    return tuple(sentence for is_true, sentence in said if is_true)


def to_json(report: Report) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def _source(root: TrustRoot) -> str:
    return "shipped" if root.sha256 == PUBLIC_GOOD_SHA256 else ""
