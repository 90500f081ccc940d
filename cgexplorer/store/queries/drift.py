"""What is not as it was: the events, newest first, and which of them somebody knows of."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.db.models import Exists, OuterRef, QuerySet

from cgexplorer.drift import Kind
from cgexplorer.store.models import Acknowledgement, DriftEvent

MAX_EXPORT_ROWS = 100_000


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


def unknown(limit: int) -> tuple[list[DriftEvent], bool]:
    """The newest that nobody acknowledged, and whether there are more."""
    found = list(events(Filters(acknowledged=False))[: limit + 1])
    return found[:limit], len(found) > limit
