"""What a verification found: one run with every check, the run before it, and what changed between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from django.db.models import QuerySet

from cgexplorer.oci.evidence import Kind
from cgexplorer.predicates import label
from cgexplorer.store.judges import Tried
from cgexplorer.store.models import Evidence, Manifest, PolicyRow, TrustRoot, VerdictRow, VerificationRun
from cgexplorer.verify.verdict import Certificate, Check, CheckName, LogEntry, Outcome


class Judged(msgspec.Struct, frozen=True):
    """One piece of evidence, as one run judged it."""

    row: VerdictRow
    evidence: Evidence
    checks: tuple[Check, ...]
    log_entries: tuple[LogEntry, ...]
    certificate: Certificate | None
    tried: tuple[Tried, ...] | None = None  # the other policies that name this image; None when that was not kept

    @property
    def title(self) -> str:
        """`Signature`, `SPDX attestation`: as the verified contents say, or as it was stored."""
        if self.evidence.kind == Kind.SIGNATURE:
            return "Signature"
        predicate_type = self.row.predicate_type or self.evidence.predicate_type
        return f"{label(predicate_type)} attestation" if predicate_type else "Attestation"

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome is Outcome.FAILED)

    @property
    def passed(self) -> int:
        return sum(check.outcome is Outcome.PASSED for check in self.checks)

    @property
    def ran(self) -> int:
        return sum(check.outcome is not Outcome.NOT_RUN for check in self.checks)

    @property
    def failed_first(self) -> tuple[tuple[int, Check], ...]:
        """(place in the order of running, check)."""
        numbered = list(enumerate(self.checks, 1))
        return tuple(sorted(numbered, key=lambda one: one[1].outcome is not Outcome.FAILED))

    def outcome(self, name: str) -> Outcome | None:
        return next((check.outcome for check in self.checks if check.name == name), None)


class Change(msgspec.Struct, frozen=True):
    """One thing that is not as it was in the run before."""

    what: str
    before: str
    after: str
    is_state: bool = False  # before and after are states of trust


class Report(msgspec.Struct, frozen=True):
    manifest: Manifest
    run: VerificationRun
    judged: tuple[Judged, ...]  # signatures first, those that need somebody before the others
    policies: tuple[PolicyRow, ...]
    trust_roots: tuple[TrustRoot, ...]
    previous: VerificationRun | None
    changes: tuple[Change, ...]

    @property
    def tools(self) -> dict[str, str]:
        """By name: the database keeps no order."""
        return dict(sorted(self.run.tools.items(), key=lambda one: one[0].lower()))

    @property
    def is_sample(self) -> bool:
        return any(root.is_sample for root in self.trust_roots)

    @property
    def decisive(self) -> Judged | None:
        """The signature that the state speaks of: whoever may push can put more of them beside it."""
        signatures = [one for one in self.judged if one.evidence.kind == Kind.SIGNATURE]
        agreeing = [one for one in signatures if one.row.state == self.run.state]
        return next(iter([*agreeing, *signatures, *self.judged]), None)

    @property
    def passed(self) -> int:
        return sum(one.passed for one in self.judged)

    @property
    def ran(self) -> int:
        return sum(one.ran for one in self.judged)


def runs(manifest: Manifest) -> QuerySet[VerificationRun]:
    """Newest first."""
    return VerificationRun.objects.filter(manifest=manifest).order_by("-pk")


def report(manifest: Manifest, run: int | None = None) -> Report | None:
    """The report of one run, the newest when none is named; None when there is no such run of this manifest."""
    wanted = runs(manifest).select_related("trust_root")
    found = (wanted.filter(pk=run) if run is not None else wanted).first()
    if found is None:
        return None
    judged = _judged(found)
    previous = runs(manifest).filter(pk__lt=found.pk).select_related("trust_root").first()
    sha256s = {one.row.trusted_root_sha256 for one in judged if one.row.trusted_root_sha256}
    roots = TrustRoot.objects.filter(sha256__in=sha256s).order_by("name") if sha256s else ()
    return Report(
        manifest=manifest,
        run=found,
        judged=judged,
        policies=_policies(judged),
        trust_roots=tuple(roots) or ((found.trust_root,) if found.trust_root else ()),
        previous=previous,
        changes=changes(previous, found, judged) if previous else (),
    )


def _judged(run: VerificationRun) -> tuple[Judged, ...]:
    found = [
        Judged(
            row=row,
            evidence=row.evidence,
            checks=_read(row.checks, tuple[Check, ...]),
            log_entries=_read(row.log_entries, tuple[LogEntry, ...]),
            certificate=_read(row.certificate, Certificate | None),
            tried=_read(row.tried, tuple[Tried, ...] | None),
        )
        for row in VerdictRow.objects.filter(run=run).select_related("evidence", "policy").order_by("evidence_id")
    ]
    return tuple(sorted(found, key=lambda one: (not one.failed, one.evidence.kind != Kind.SIGNATURE, one.title)))


def _read(stored: Any, shape: Any) -> Any:
    return msgspec.convert(stored, shape)


def _policies(judged: tuple[Judged, ...]) -> tuple[PolicyRow, ...]:
    found = {one.row.policy.pk: one.row.policy for one in judged if one.row.policy}
    return tuple(sorted(found.values(), key=lambda policy: (policy.name, policy.version)))


def changes(
    previous: VerificationRun, run: VerificationRun, judged: tuple[Judged, ...] | None = None
) -> tuple[Change, ...]:
    """What a reader of both reports would have to look for: states, evidence, signer, policy, trust root, problems."""
    now = {one.evidence.pk: one for one in (judged if judged is not None else _judged(run))}
    then = {one.evidence.pk: one for one in _judged(previous)}
    found = []
    if previous.state != run.state:
        found.append(Change("Verdict", previous.state, run.state, is_state=True))
    for key in sorted(then.keys() | now.keys()):
        found += _evidence_changes(then.get(key), now.get(key), (_root(previous), _root(run)))
    for what, before, after in (
        ("Trust root", _root(previous), _root(run)),
        ("What could not be read", _problems(previous), _problems(run)),
        *(
            (f"Version of {tool}", str(previous.tools.get(tool, "")), str(version))
            for tool, version in run.tools.items()
        ),
    ):
        if before != after:
            found.append(Change(what, before, after))
    return tuple(found)


def _evidence_changes(before: Judged | None, after: Judged | None, roots: tuple[str, str]) -> list[Change]:
    one = after or before
    if one is None:
        return []
    if before is None or after is None:
        gone = after is None
        return [Change(one.title, "there" if gone else "not there", "not there any more" if gone else "there")]
    found = []
    if before.row.state != after.row.state:
        found.append(Change(one.title, before.row.state, after.row.state, is_state=True))
    for what, was, now in (
        ("signer", before.row.identity, after.row.identity),
        ("issuer", before.row.issuer, after.row.issuer),
        ("policy", _policy(before.row.policy), _policy(after.row.policy)),
        ("trust root", *_own_roots(before, after, roots)),
        ("log entry", _entries(before), _entries(after)),
        *((f"{name} check", *pair) for name, *pair in _checks(before, after)),
    ):
        if was != now:
            found.append(Change(f"{one.title}, {what}", was or "none", now or "none"))
    return found


def _own_roots(before: Judged, after: Judged, roots: tuple[str, str]) -> tuple[str, str]:
    """Nothing when the run says it for all of them."""
    was, now = before.row.trusted_root_sha256[:12], after.row.trusted_root_sha256[:12]
    return ("", "") if all(one and one in of_run for one, of_run in zip((was, now), roots, strict=True)) else (was, now)


def _entries(judged: Judged) -> str:
    """Its place, time and proof: what a trust root that lost the log no longer finds there."""
    return "; ".join(
        f"{one.log_index if one.log_index is not None else 'no proven index'} in {one.log_name or one.log_id[:16]}"
        f"{f', {one.integrated_at:%Y-%m-%d %H:%M:%S}' if one.integrated_at else ''}, {one.proof or 'not proven'}"
        for one in judged.log_entries
    )


def _checks(before: Judged, after: Judged) -> Iterator[tuple[str, str, str]]:
    """Checks with another outcome: name, before and now with what was found."""
    then, now = ({check.name: check for check in one.checks} for one in (before, after))
    for name in CheckName:
        was, is_now = then.get(name), now.get(name)
        if was and is_now and was.outcome != is_now.outcome:
            yield name, _outcome(was), _outcome(is_now)


def _outcome(check: Check) -> str:
    return f"{check.outcome.replace('-', ' ')}: {check.found}"


def _policy(policy: PolicyRow | None) -> str:
    return f"{policy.name} v{policy.version}" if policy else ""


def _root(run: VerificationRun) -> str:
    return f"{run.trust_root.name} ({run.trust_root.sha256[:12]})" if run.trust_root else "none"


def _problems(run: VerificationRun) -> str:
    return "; ".join(f"{problem['place']}: {problem['reason']}" for problem in run.problems) or "nothing"
