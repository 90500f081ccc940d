"""What came of verifying many digests again."""

from __future__ import annotations

import msgspec
from django.db.models import Count, F, OuterRef, QuerySet, Subquery

from cgexplorer.store.models import Activity, Image, VerificationRun

TRIGGER = "re-verify all"
MAX_CHANGED = 100  # digests with another verdict that are listed; all are counted


class Reverified(msgspec.Struct, frozen=True):
    states: tuple[tuple[str, int], ...]  # verdicts and how many digests have each, the most frequent first
    changed: tuple[VerificationRun, ...]  # with another verdict than in the run before, which is `before`
    more: int  # changed ones that are not listed

    @property
    def digests(self) -> int:
        return sum(count for _, count in self.states)


def runs(activity: Activity) -> QuerySet[VerificationRun]:
    """Those that this activity made, as far as it is."""
    found = VerificationRun.objects.filter(trigger=TRIGGER, started_at__gte=activity.queued_at)
    if activity.finished_at is not None:
        found = found.filter(started_at__lte=activity.finished_at)
    image = Image.objects.filter(name=activity.subject).first()
    return found.filter(image=image) if image is not None else found


def of(activity: Activity) -> Reverified:
    found = runs(activity)
    states = found.values("state").annotate(digests=Count("pk")).order_by("-digests", "state")
    earlier = VerificationRun.objects.filter(manifest=OuterRef("manifest"), pk__lt=OuterRef("pk")).order_by("-pk")
    changed = (
        found.annotate(before=Subquery(earlier.values("state")[:1]))
        .exclude(before=F("state"))
        .filter(before__isnull=False)
        .select_related("manifest__image")
        .order_by("manifest__image__name", "pk")
    )
    listed = tuple(changed[:MAX_CHANGED])
    more = changed.count() - len(listed) if len(listed) == MAX_CHANGED else 0
    return Reverified(tuple((one["state"], one["digests"]) for one in states), listed, more)
