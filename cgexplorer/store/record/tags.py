"""Where tags point: each look is kept. One that finds nothing new only moves the time of the last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import QuerySet

from cgexplorer.store.models import Image, Manifest, Tag, TagMove
from cgexplorer.store.record import drift, saved_searches
from cgexplorer.store.record.images import lock, refresh_searchable


@transaction.atomic(savepoint=False)
def observe(image: Image, found: Mapping[str, Manifest], now: dt.datetime) -> list[str]:
    """Tag → manifest, as the source answered at `now`. Gives the names that are new or moved.

    A look that began before what is already known of a tag says nothing about where it points now: that tag is left.
    """
    lock(image)
    known = {tag.name: tag for tag in Tag.objects.filter(image=image, name__in=list(found))}
    same = [tag.pk for name, tag in known.items() if tag.manifest_id == found[name].pk]
    Tag.objects.filter(pk__in=same, observed_at__lt=now).update(observed_at=now)
    other = [name for name in found if name not in known or known[name].manifest_id != found[name].pk]
    if not other:
        return []
    places = [known[name].manifest_id for name in other if name in known] + [found[name].pk for name in other]
    with saved_searches.watching(image, places, now) as cause:
        cause.moves = moves = _moves(image, other, known, found, now)
        Tag.objects.bulk_create(
            [
                Tag(image=image, name=move.name, manifest=found[move.name], moved_at=now, observed_at=now)
                for move in moves
            ],
            update_conflicts=True,
            unique_fields=["image", "name"],
            update_fields=["manifest", "moved_at", "observed_at"],
        )
        if moves:
            refresh_searchable(image, places)
            drift.of_moves(moves)
    return [move.name for move in moves]


@transaction.atomic(savepoint=False)
def gone(image: Image, names: Iterable[str], now: dt.datetime) -> list[str]:
    """These tags are no longer at their source, which answered so at `now`. Gives those that pointed somewhere."""
    lock(image)
    known = {tag.name: tag for tag in Tag.objects.filter(image=image, name__in=list(names))}
    places = [tag.manifest_id for tag in known.values()]
    with saved_searches.watching(image, places, now) as cause:
        cause.moves = moves = _moves(image, list(known), known, {}, now)
        Tag.objects.filter(image=image, name__in=[move.name for move in moves]).delete()
        if moves:
            refresh_searchable(image, places)
            drift.of_moves(moves)
    return [move.name for move in moves]


def _moves(
    image: Image, names: list[str], known: Mapping[str, Tag], found: Mapping[str, Manifest], now: dt.datetime
) -> list[TagMove]:
    last = {move.name: move for move in _last(image, names)}
    return TagMove.objects.bulk_create(
        [
            TagMove(
                image=image,
                name=name,
                manifest=found.get(name),
                moved_at=now,
                previous=last.get(name),
                previous_seen_at=known[name].observed_at if name in known else None,
            )
            for name in names
            if not (name in known and known[name].observed_at > now)
            and not (name in last and last[name].moved_at > now)
        ]
    )


def _last(image: Image, names: list[str]) -> QuerySet[TagMove]:
    return TagMove.objects.filter(image=image, name__in=names).order_by("name", "-pk").distinct("name")
