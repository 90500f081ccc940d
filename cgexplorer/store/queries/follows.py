"""What is followed, how far a round is, and what needs no fetch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from django.db.models import Count, F, Q, QuerySet, Sum

from cgexplorer.oci import choice
from cgexplorer.store.models import (
    Activity,
    Follow,
    Image,
    IndexEntry,
    Manifest,
    Sbom,
    Sync,
    SyncItem,
    Tag,
    VerificationRun,
)
from cgexplorer.verify.verdict import State

# A registry answered badly, or the signature had not arrived: asked for again, but not at every look.
LOOK_AGAIN_AFTER = dt.timedelta(hours=1)
MAY_STILL_BE_SIGNED = dt.timedelta(days=1)


class SyncProgress(msgspec.Struct, frozen=True):
    """One round of a repository: the tags asked where they point, and what became of the digests that changed."""

    id: int
    activity: int
    name: str
    tag: str  # the only one asked, or ""
    state: str  # queued, running, done, failed
    error: str
    started_at: dt.datetime
    finished_at: dt.datetime | None
    is_looking: bool  # tags are still asked
    found: int  # tags
    asked: int  # of these, so far
    unchanged: int  # tags
    gone: int  # tags
    changed: int  # digests to fetch
    fetched: int  # digests
    verified: int  # digests
    failed_digests: int  # could not be fetched
    failed_tags: int  # could not be asked
    manifests: int  # fetched, platforms included
    requests: int
    seconds: float  # since it began
    step_s: float  # since its present step began

    @property
    def failed(self) -> int:
        return self.failed_digests + self.failed_tags

    @property
    def done(self) -> int:
        return self.asked if self.is_looking else self.fetched + self.failed_digests

    @property
    def total(self) -> int:
        return self.found if self.is_looking else self.changed

    @property
    def per_s(self) -> float:
        """Tags asked, or digests fetched, in a second of the present step."""
        return self.done / self.step_s if self.step_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Of the present step, as fast as so far; None when that is not known yet."""
        return (self.total - self.done) / self.per_s if self.done and self.total else None


class FollowRow(msgspec.Struct, frozen=True):
    follow: Follow
    is_stored: bool
    tags: int  # stored now
    newest: SyncProgress | None


def follows() -> list[FollowRow]:
    """Everything that is followed, with its newest round."""
    found = list(Follow.objects.order_by("name"))
    names = [follow.name for follow in found]
    stored = dict(Image.objects.filter(name__in=names).annotate(n=Count("tags")).values_list("name", "n"))
    newest = Sync.objects.filter(name__in=names, tag="").order_by("name", "-pk").distinct("name")
    rounds = {one.name: one for one in progress(newest)}
    return [FollowRow(one, one.name in stored, stored.get(one.name, 0), rounds.get(one.name)) for one in found]


def follow(name: str) -> Follow | None:
    return Follow.objects.filter(name=name).first()


def unfinished() -> QuerySet[Sync]:
    return Sync.objects.filter(finished_at=None).order_by("pk")


def progress(syncs: Iterable[Sync] | QuerySet[Sync]) -> list[SyncProgress]:
    """How far these rounds are, in their order, with three queries for all of them."""
    syncs = list(syncs)
    activities = Activity.objects.in_bulk([sync.activity_id for sync in syncs])
    digests = ~Q(digest="")
    counted = {
        row["sync"]: row
        for row in SyncItem.objects.filter(sync__in=syncs)
        .values("sync")
        .annotate(
            changed=Count("pk", filter=digests),
            fetched=Count("pk", filter=Q(state="done")),
            verified=Count("pk", filter=Q(state="done", verdict=State.VERIFIED)),
            failed_digests=Count("pk", filter=digests & Q(state="failed")),
            failed_tags=Count("pk", filter=~digests & Q(state="failed")),
            fetched_manifests=Sum("manifests"),
        )
    }
    return [_progress(sync, activities[sync.activity_id], counted.get(sync.pk, {})) for sync in syncs]


def _progress(sync: Sync, activity: Activity, counted: Mapping[str, Any]) -> SyncProgress:
    until = sync.finished_at or dt.datetime.now(dt.UTC)
    is_looking = sync.looked_at is None
    return SyncProgress(
        id=sync.pk,
        activity=activity.pk,
        name=sync.name,
        tag=sync.tag,
        state=activity.state,
        error=activity.error,
        started_at=sync.started_at,
        finished_at=sync.finished_at,
        is_looking=is_looking,
        found=sync.found,
        asked=activity.done if is_looking else sync.found,
        unchanged=sync.unchanged,
        gone=sync.gone,
        changed=counted.get("changed", 0),
        fetched=counted.get("fetched", 0),
        verified=counted.get("verified", 0),
        failed_digests=counted.get("failed_digests", 0),
        failed_tags=counted.get("failed_tags", 0),
        manifests=counted.get("fetched_manifests", 0),
        requests=sync.requests,
        seconds=(until - sync.started_at).total_seconds(),
        step_s=(until - (sync.looked_at or sync.started_at)).total_seconds(),
    )


def items(sync: Sync) -> QuerySet[SyncItem]:
    """What the round had to fetch, failures first."""
    failed_first = Q(state="failed")
    return sync.items.annotate(is_failed=failed_first).order_by(F("is_failed").desc(), "pk")


def tags(image: Image) -> dict[str, str]:
    """Tag → digest, as known now; first the tag that was not looked at for longest."""
    return dict(Tag.objects.filter(image=image).order_by("observed_at", "name").values_list("name", "manifest__digest"))


def settled(image: Image, digests: Iterable[str], platforms: Sequence[str], now: dt.datetime) -> dict[str, Manifest]:
    """Those of these digests that are stored whole, with every platform that is wanted, and need no look now.

    One whose rows were pruned is not: a tag leads to what can be searched. Nor is one that only a layout told of.
    """
    found = Manifest.objects.filter(image=image, digest__in=list(digests)).exclude(payload=None).exclude(run=None)
    pruned = set(Sbom.objects.filter(image=image, pruned_at__isnull=False).values_list("manifest", flat=True))
    children: dict[int, list[Manifest]] = {}
    for entry in IndexEntry.objects.filter(index__in=found).select_related("manifest"):
        children.setdefault(entry.index_id, []).append(entry.manifest)
    shown = {one.pk for one in (*found, *(child for some in children.values() for child in some))}
    looks = VerificationRun.objects.filter(manifest__in=shown, source="registry")
    asked = set(looks.values_list("manifest", flat=True))
    return {
        manifest.digest: manifest
        for manifest in found
        if _meant(manifest, children.get(manifest.pk, []), platforms) <= asked
        # The names of an index's platforms are stored after it: without them somebody was cut off in between.
        and not (manifest.is_index and manifest.pk not in children)
        and not (pruned and pruned & _meant(manifest, children.get(manifest.pk, []), platforms))
        and _is_settled(manifest, children.get(manifest.pk, []), platforms, now)
    }


def _meant(manifest: Manifest, children: list[Manifest], platforms: Sequence[str]) -> set[int]:
    return {manifest.pk, *(one.pk for one in children if choice.is_platform_meant(one.platform, platforms))}


def _is_settled(manifest: Manifest, children: list[Manifest], platforms: Sequence[str], now: dt.datetime) -> bool:
    if any(child.run_id is None and choice.is_platform_meant(child.platform, platforms) for child in children):
        return False
    if manifest.observed_at > now - LOOK_AGAIN_AFTER:
        return True
    states = {one.state for one in (manifest, *children) if one.run_id is not None}
    return State.COULD_NOT_CHECK not in states and (
        State.UNSIGNED not in states or manifest.first_seen_at < now - MAY_STILL_BE_SIGNED
    )
