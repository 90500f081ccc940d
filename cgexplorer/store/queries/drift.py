"""What is not as it was: the events, newest first, and which of them somebody knows of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from django.db.models import Exists, OuterRef, QuerySet

from cgexplorer.drift import Kind
from cgexplorer.store.models import Acknowledgement, DriftEvent

MAX_EXPORT_ROWS = 100_000
_CAUSED_HERE = (Kind.VERDICT_BY_POLICY, Kind.VERDICT_BY_TRUST_ROOT)
_SAME_CAUSE_WITHIN = dt.timedelta(days=1)  # until the nightly verification has come to all


class Filters(msgspec.Struct, frozen=True):
    """Empty asks for nothing."""

    kind: str = ""
    image: str = ""  # name
    acknowledged: bool | None = None
    since: dt.datetime | None = None  # recorded then or later
    search: str = ""  # name of a saved one


def events(asked: Filters, *, before: int | None = None) -> QuerySet[DriftEvent]:
    """Newest first, with `is_acknowledged`; of a page the part that begins below the id `before`."""
    known = Exists(Acknowledgement.objects.filter(event=OuterRef("pk")))
    found = DriftEvent.objects.annotate(is_acknowledged=known)
    if asked.kind:
        found = found.filter(kind=asked.kind)
    if asked.image:
        found = found.filter(image__name=asked.image)
    if asked.search:
        found = found.filter(kind=Kind.SEARCH_CHANGED, search=asked.search)
    if asked.acknowledged is not None:
        found = found.filter(is_acknowledged=asked.acknowledged)
    if asked.since is not None:
        found = found.filter(recorded_at__gte=asked.since)
    if before is not None:
        found = found.filter(pk__lt=before)
    related = found.select_related("image", "manifest_before", "manifest", "run_before", "run", "move")
    return related.prefetch_related("acknowledgements").order_by("-pk")


class Told(msgspec.Struct):
    """An event as people are told of it: with those of the image's other digests that say the same."""

    event: DriftEvent  # the first
    others: list[DriftEvent] = []  # as they were recorded

    @property
    def all(self) -> list[DriftEvent]:
        return [self.event, *self.others]

    @property
    def newest(self) -> DriftEvent:
        return self.all[-1]

    @property
    def tags(self) -> list[str]:
        return sorted({tag for one in self.all for tag in one.tags})

    @property
    def platforms(self) -> list[str]:
        return sorted({platform for one in self.all for platform in one.platforms})


def together(newest_first: Iterable[DriftEvent]) -> list[Told]:
    """The same events, newest first. Another policy or trust root judges an index and each of its platforms anew: that
    is one thing to know of, and each digest's event stays what it is."""
    told: list[list[DriftEvent]] = []
    open_groups: dict[tuple[object, ...], list[DriftEvent]] = {}
    for event in newest_first:
        says = (event.image_id, event.kind, event.before, event.after, event.note, *event.topics)
        group = open_groups.get(says, [])
        is_same = (
            event.kind in _CAUSED_HERE
            and group
            and group[0].at - event.at < _SAME_CAUSE_WITHIN
            and all(one.manifest_id != event.manifest_id for one in group)
        )
        if is_same:
            group.append(event)
        else:
            open_groups[says] = [event]
            told.append(open_groups[says])
    return [Told(group[-1], group[-2::-1]) for group in told]


def unknown(limit: int) -> tuple[list[Told], bool]:
    """The newest that nobody acknowledged, and whether there are more."""
    found = together(events(Filters(acknowledged=False))[: 10 * limit + 1])
    return found[:limit], len(found) > limit
