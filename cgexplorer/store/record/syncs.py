"""One round of asking a repository: begun once, counted as it goes, ended once. Any number of processes may work on it.

What a process works on it holds by an advisory lock of its session: killed, it loses the lock, and another goes on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from cgexplorer.store.models import Sync, SyncItem
from cgexplorer.store.record import activities, follows
from cgexplorer.store.record.follows import postpone
from cgexplorer.store.record.text import storable

KIND = "sync"
MAX_AT_ONCE = 64  # processes and threads that work on one round
MAX_ATTEMPTS = 3  # at one digest, before it is taken for what kills the workers
_LOOK, _ITEM = 0x5359, 0x5349  # classes of advisory locks


class Counts(msgspec.Struct, frozen=True):
    """What a part of a look found."""

    found: int = 0
    unchanged: int = 0
    gone: int = 0


@transaction.atomic
def queue(name: str, tag: str = "") -> tuple[Sync, bool]:
    """The round of this repository that is under way, or a new one. Only one a repository runs at a time."""
    activity, is_new = activities.queue(KIND, f"{name}:{tag}" if tag else name)
    if not is_new:
        return Sync.objects.get(activity=activity), False
    now = timezone.now()
    if not tag:
        postpone(name, now)
    return Sync.objects.create(activity=activity, name=name, tag=tag, started_at=now), True


@contextmanager
def looking(sync: Sync) -> Iterator[bool]:
    """Whether this process, and no other, may ask where the tags point; held until the block ends."""
    with _held(_LOOK, sync.pk) as mine:
        yield mine


@transaction.atomic
def begin_look(sync: Sync) -> None:
    """From the start, also after a look that was cut off: what it noted may no longer be so."""
    sync.items.exclude(state="done").delete()
    sync.found = sync.unchanged = sync.gone = 0
    sync.save(update_fields=["found", "unchanged", "gone"])


def count(sync: Sync, counts: Counts) -> None:
    Sync.objects.filter(pk=sync.pk).update(
        found=F("found") + counts.found, unchanged=F("unchanged") + counts.unchanged, gone=F("gone") + counts.gone
    )


def add_requests(sync: Sync, number: int) -> None:
    Sync.objects.filter(pk=sync.pk).update(requests=F("requests") + number)


def add(sync: Sync, digest: str, tags: list[str], seen_at: dt.datetime) -> None:
    """This digest is to be fetched for these tags. What an earlier, cut off look fetched already is fetched."""
    found = sync.items.filter(digest=digest).first()
    if found is None:
        SyncItem.objects.create(sync=sync, digest=digest, tags=tags, seen_at=seen_at)
    else:
        found.tags = list(dict.fromkeys([*found.tags, *tags]))
        found.seen_at, found.state = seen_at, "todo"
        found.save(update_fields=["tags", "seen_at", "state"])


def add_failed(sync: Sync, tag: str, reason: str, seen_at: dt.datetime) -> None:
    """It could not be found out where this tag points."""
    SyncItem.objects.create(sync=sync, tags=[tag], seen_at=seen_at, state="failed", reason=storable(reason, 500))


def looked(sync: Sync) -> None:
    """All tags were asked. Ends the round when nothing is left to fetch."""
    Sync.objects.filter(pk=sync.pk).update(looked_at=timezone.now())
    end_if_done(sync.pk)


@contextmanager
def claimed(sync: Sync) -> Iterator[SyncItem | None]:
    """The next digest that nobody works on, None when there is none. Its attempt is counted before it can go wrong."""
    for pk in list(
        sync.items.filter(state="todo", sync__finished_at=None)
        .order_by("attempts", "pk")
        .values_list("pk", flat=True)[:MAX_AT_ONCE]
    ):
        with _held(_ITEM, pk) as mine:
            todo = SyncItem.objects.filter(pk=pk, state="todo", sync__finished_at=None)
            item = todo.first() if mine else None
            if item is None:
                continue
            item.attempts += 1
            item.save(update_fields=["attempts"])
            if item.attempts > MAX_ATTEMPTS:
                fail(item, f"Given up after {MAX_ATTEMPTS} attempts that were cut off.")
                continue
            yield item
            return
    yield None


def done(item: SyncItem, *, verdict: str, manifests: int) -> None:
    item.state, item.verdict, item.manifests, item.reason = "done", verdict, manifests, ""
    _end_item(item)


def broken_off(item: SyncItem) -> None:
    """Not by a failure but because the worker is to stop: that attempt does not count."""
    SyncItem.objects.filter(pk=item.pk).update(attempts=F("attempts") - 1)


def fail(item: SyncItem, reason: str) -> None:
    item.state, item.reason = "failed", storable(reason, 500)
    _end_item(item)


@transaction.atomic(savepoint=False)
def _end_item(item: SyncItem) -> None:
    item.save(update_fields=["state", "verdict", "manifests", "reason"])
    end_if_done(item.sync_id)


@transaction.atomic(savepoint=False)
def end_if_done(sync_id: int) -> None:
    locked = Sync.objects.select_for_update().get(pk=sync_id)
    if locked.looked_at is None or locked.finished_at is not None or locked.items.filter(state="todo").exists():
        return
    locked.finished_at = timezone.now()
    locked.save(update_fields=["finished_at"])
    activities.end(locked.activity_id)


@transaction.atomic
def end(sync: Sync, error: str) -> None:
    """It cannot be done; what was fetched stays."""
    if Sync.objects.filter(pk=sync.pk, finished_at=None).update(finished_at=timezone.now()):
        activities.end(sync.activity_id, error=error)


@transaction.atomic
def unfollow(name: str) -> bool:
    """Ask no more, not even what the round under way still meant to. What is stored stays. False when it was not
    followed."""
    if not follows.unfollow(name):
        return False
    for sync in Sync.objects.filter(name=name, tag="", finished_at=None):
        end(sync, "It is no longer followed.")
    return True


@contextmanager
def _held(kind: int, pk: int) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, pk % (1 << 31)])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, pk % (1 << 31)])
