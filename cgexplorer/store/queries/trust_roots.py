"""Every trust root that is stored: where it came from, whether it still counts, and how fresh that knowledge is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from django.db.models import QuerySet

from cgexplorer.store.models import PolicyRow, TrustRoot, TrustUpdate


class RootStatus(msgspec.Struct, frozen=True):
    """One trust root as it stands."""

    name: str
    sha256: str
    is_sample: bool
    source: str  # shipped, refreshed, imported: how it came here first
    mirror: str  # that a refreshed one came from
    imported_at: dt.datetime
    is_current: bool  # the one behind its name now
    refreshed_at: dt.datetime | None  # last time that a mirror vouched for it
    expires_at: dt.datetime | None  # end of that
    replaced_at: dt.datetime | None
    problem: str  # why the newest refresh of its name failed
    problem_at: dt.datetime | None
    policies: tuple[str, ...]  # current policies that name it

    def standing(self, now: dt.datetime) -> str:
        """`current; last refreshed 3 hours ago; its metadata expires in 6 days`: for reports, commands and pages."""
        if not self.is_current:
            return f"replaced {ago(self.replaced_at, now)}" if self.replaced_at else "not current"
        said = ["current"]
        if self.refreshed_at is not None:
            said.append(f"last refreshed {ago(self.refreshed_at, now)}")
        elif self.source == "shipped":
            said.append("shipped with cgexplorer, never refreshed")
        if self.expires_at is not None:
            ended = self.expires_at < now
            said.append(f"its metadata {'expired' if ended else 'expires'} {ago(self.expires_at, now)}")
        return "; ".join(said)


def statuses(sha256s: Iterable[str] | None = None) -> tuple[RootStatus, ...]:
    """Of these roots, or of all: those that count first, samples last."""
    wanted = TrustRoot.objects.order_by("is_sample", "name", "-pk")
    if sha256s is not None:
        wanted = wanted.filter(sha256__in=set(sha256s))
    roots = list(wanted)
    names = {root.name for root in roots}
    steps = TrustUpdate.objects.filter(name__in=names, trust_root__isnull=False)
    first = {step.trust_root_id: step for step in steps.order_by("trust_root_id", "pk").distinct("trust_root_id")}
    vouched = steps.filter(expires_at__isnull=False).order_by("trust_root_id", "-pk").distinct("trust_root_id")
    last_vouched = {step.trust_root_id: step for step in vouched}
    current = {step.name: step for step in steps.order_by("name", "-pk").distinct("name")}
    tried = TrustUpdate.objects.filter(name__in=names).order_by("name", "-pk").distinct("name")
    failed = {step.name: step for step in tried if step.error}
    policies: dict[int | None, list[str]] = {}
    for policy in PolicyRow.objects.filter(current=True, trust_root__in=roots).order_by("name"):
        policies.setdefault(policy.trust_root_id, []).append(policy.name)
    found = []
    for root in roots:
        newest = current.get(root.name)
        is_current = newest is None or newest.trust_root_id == root.pk
        beginning, vouch, failure = first.get(root.pk), last_vouched.get(root.pk), failed.get(root.name)
        found.append(
            RootStatus(
                name=root.name,
                sha256=root.sha256,
                is_sample=root.is_sample,
                source=beginning.source if beginning else "imported",
                mirror=beginning.mirror if beginning else "",
                imported_at=beginning.at if beginning else root.imported_at,
                is_current=is_current,
                refreshed_at=vouch.at if vouch else None,
                expires_at=vouch.expires_at if vouch else None,
                replaced_at=None if is_current else _replaced_at(root),
                problem=failure.error if failure and is_current else "",
                problem_at=failure.at if failure and is_current else None,
                policies=tuple(policies.get(root.pk, ())),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.is_sample, not one.is_current)))


def _replaced_at(root: TrustRoot) -> dt.datetime | None:
    """When another root took its name the last time."""
    last = TrustUpdate.objects.filter(trust_root=root).order_by("-pk").values_list("pk", flat=True).first()
    after = TrustUpdate.objects.filter(name=root.name, trust_root__isnull=False, pk__gt=last or 0)
    return after.order_by("pk").values_list("at", flat=True).first()


def steps() -> QuerySet[TrustUpdate]:
    """Everything that happened to trust roots, newest first."""
    return TrustUpdate.objects.select_related("trust_root").order_by("-pk")


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """`3 hours ago`, `in 6 days`, `just now`."""
    seconds = (now - moment).total_seconds()
    for unit, length_s in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(abs(seconds) // length_s)
        if count:
            span = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{span} ago" if seconds > 0 else f"in {span}"
    return "just now"
