"""Work that a person waits for: queued once, counted, and always ended with a reason."""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from cgexplorer.store.models import Activity, VerificationRun
from cgexplorer.store.record.text import storable

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
ACTIVE = (QUEUED, RUNNING)


def queue(kind: str, subject: str) -> tuple[Activity, bool]:
    """The activity of this kind about this subject, and whether it is new. What is under way is not begun again.

    Call inside a transaction, and put the job into the queue in the same one: neither exists without the other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"activity {kind} {subject}"])
    found = Activity.objects.filter(kind=kind, subject=storable(subject, 800), state__in=ACTIVE).order_by("-pk").first()
    if found is not None:
        return found, False
    return Activity.objects.create(kind=kind, subject=storable(subject, 800)), True


def begin(activity_id: int) -> Activity | None:
    """Count an attempt before anything can go wrong. None when it was ended: jobs are delivered at least once."""
    with transaction.atomic():
        found = Activity.objects.select_for_update().filter(pk=activity_id, state__in=ACTIVE).first()
        if found is not None:
            found.attempts += 1
            found.state, found.error = RUNNING, ""
            found.save()
        return found


def progress(activity_id: int, step: str, done: int, total: int) -> None:
    Activity.objects.filter(pk=activity_id).update(
        step=storable(step, 200), done=done, total=total, updated_at=timezone.now()
    )


def again(activity_id: int, error: str) -> None:
    """It failed and will be tried again."""
    Activity.objects.filter(pk=activity_id).update(state=QUEUED, error=storable(error, 1000), updated_at=timezone.now())


def broken_off(activity_id: int) -> None:
    """Not by a failure but because the worker is to stop: that attempt does not count."""
    put_off(activity_id, "")


def put_off(activity_id: int, why: str) -> None:
    """Nobody asked, because of what others were told or wait for: that attempt does not count."""
    Activity.objects.filter(pk=activity_id).update(
        state=QUEUED, attempts=F("attempts") - 1, step="", error=storable(why, 1000), updated_at=timezone.now()
    )


def forget(kind: str, *, older_than: dt.timedelta) -> None:
    """Of this kind, what ended long ago: nobody waits for it, and its run stays."""
    Activity.objects.filter(kind=kind, finished_at__lt=timezone.now() - older_than).delete()


def failed(kind: str, subject: str, error: str, attempts: int) -> None:
    """Work that nobody waited for, and that was given up: shown beside what people asked for."""
    now = timezone.now()
    Activity.objects.create(
        kind=kind, subject=storable(subject, 800), state=FAILED, error=storable(error, 1000), attempts=attempts,
        finished_at=now,
    )  # fmt: skip


def end(activity_id: int, *, error: str = "", run: VerificationRun | None = None) -> None:
    now = timezone.now()
    Activity.objects.filter(pk=activity_id).update(
        state=FAILED if error else DONE, error=storable(error, 1000), run=run, updated_at=now, finished_at=now
    )
