"""Is all attested of an image that its policy asks for? It informs: the verdict does not hang on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import msgspec
from django.db.models import OuterRef, QuerySet, Subquery

from cgexplorer.oci.evidence import Kind
from cgexplorer.oci.manifest import UNKNOWN_PLATFORM
from cgexplorer.store.models import IndexEntry, PolicyRow, VerdictRow
from cgexplorer.store.queries.trust import policies_for
from cgexplorer.store.queries.verification import Report
from cgexplorer.verify import required
from cgexplorer.verify.verdict import State


class Requirement(msgspec.Struct, frozen=True):
    """One predicate type that the policy asks for."""

    predicate_type: str
    found: str = ""  # the verified type that meets it; "" = none
    place: str = (
        ""  # whose attestation it is, when not the digest's own: "its index sha256:…", "each of its 2 platforms"
    )


class Completeness(msgspec.Struct, frozen=True):
    policy: PolicyRow
    requirements: tuple[Requirement, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(one.predicate_type for one in self.requirements if not one.found)


def of(report: Report) -> Completeness | None:
    """What the policy that decided asks for, and which verified attestation meets it; None when it asks for nothing.

    The digest's own attestations are those of this run. An index that names it may carry them instead, and an index has
    what each of its platforms has: as they stand now for the newest run, and for an older one as they stood then.
    """
    policy = _policy(report)
    if policy is None:
        return None
    own = [one.row.predicate_type for one in report.judged if _attested(one.evidence.kind, one.row.state)]
    answer = Completeness(policy, tuple(_requirement(wanted, [("", own)]) for wanted in policy.required_types))
    if not answer.missing:
        return answer
    found = [("", own), *_elsewhere(report)]
    return Completeness(policy, tuple(_requirement(wanted, found) for wanted in policy.required_types))


def _policy(report: Report) -> PolicyRow | None:
    """The one that decided; for an image that nobody signed, while its newest run is shown, what is asked of it now."""
    decisive = report.decisive
    decided = [decisive.row.policy] if decisive and decisive.row.policy else []
    asking = [*decided, *report.policies]
    if not asking and _is_newest(report):
        asking = policies_for(report.manifest.image.name)
    return next((policy for policy in asking if policy.required_types), None)


def _is_newest(report: Report) -> bool:
    return report.manifest.run_id == report.run.pk


def _requirement(wanted: str, found: list[tuple[str, list[str]]]) -> Requirement:
    for place, types in found:
        for one in types:
            if required.meets(one, wanted):
                return Requirement(wanted, one, place)
    return Requirement(wanted)


def _elsewhere(report: Report) -> Iterator[tuple[str, list[str]]]:
    manifest = report.manifest
    at = None if _is_newest(report) else report.run.finished_at
    if not manifest.is_index:
        by_index: dict[str, list[str]] = {}
        for one in _verified(at).filter(evidence__manifest__entries__manifest=manifest):
            by_index.setdefault(one.evidence.manifest.digest, []).append(one.predicate_type)
        yield from ((f"its index {digest}", types) for digest, types in by_index.items())
        return
    entries = IndexEntry.objects.filter(index=manifest).exclude(platform=UNKNOWN_PLATFORM)
    platforms = set(entries.values_list("manifest_id", flat=True))
    having: dict[str, set[int]] = {}
    for one in _verified(at).filter(evidence__manifest__in=platforms):
        having.setdefault(one.predicate_type, set()).add(one.evidence.manifest_id)
    everywhere = sorted(predicate_type for predicate_type, keys in having.items() if keys == platforms)
    if everywhere:
        yield f"each of its {len(platforms)} platforms", everywhere


def _verified(at: dt.datetime | None) -> QuerySet[VerdictRow]:
    """Attestations that were verified then, or are now: the newest verdict on each that was one."""
    known = VerdictRow.objects.filter(evidence=OuterRef("evidence"))
    newest = (
        (known if at is None else known.filter(run__finished_at__lte=at))
        .exclude(state=State.COULD_NOT_CHECK)
        .order_by("-pk")
        .values("pk")[:1]
    )
    found = VerdictRow.objects.filter(pk=Subquery(newest), state=State.VERIFIED, evidence__kind=Kind.ATTESTATION)
    return found.select_related("evidence__manifest").order_by("-evidence__manifest_id", "pk")


def _attested(kind: str, state: str) -> bool:
    return kind == Kind.ATTESTATION and state == State.VERIFIED
