"""Rounds of followed repositories in the worker: begun by a schedule or a person, worked on in parts.

A part ends after some seconds and queues the next, behind what a person waits for: a first sync of a thousand tags
keeps nobody from fetching an image.
"""

from __future__ import annotations

import datetime as dt
import logging
import time

from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from cgexplorer import jobs, registries, stopping, sync
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import NotNow, OciError, Unreachable
from cgexplorer.store.models import Sync
from cgexplorer.store.queries import follows
from cgexplorer.store.record import activities, syncs
from cgexplorer.store.record.follows import take_due

logger = logging.getLogger(__name__)

PART_S = 10
BEHIND_PEOPLE = -10  # priority
KEEP_ROUNDS = dt.timedelta(days=7)


def defer_sync(name: str, tag: str = "") -> Sync:
    """Queue a round of this repository; one that is under way is answered instead."""
    with transaction.atomic():
        found, is_new = syncs.queue(name, tag)
        if is_new:
            work_on.defer(sync_id=found.pk)
    return found


def run(found: Sync, *, until: float | None = None) -> bool:
    """One attempt at a round, in this process; whether it ended because its time was over.

    Raises `TryAgain` when the registry does not answer but may later.
    """
    if found.looked_at is None:
        activity = activities.begin(found.activity_id)
        if activity is None:
            return False
        if activity.attempts > jobs.MAX_ATTEMPTS:
            activities.broken_off(activity.pk)  # this start gives up; it is no attempt
            syncs.end(found, f"Given up after {jobs.MAX_ATTEMPTS} attempts that were cut off.")
            return False
    try:
        is_job = until is not None  # the command line has all the time of its user
        patience = jobs.patience() if is_job else None
        with registries.connect(references.parse(found.name), patience=patience, gives_way=is_job) as source:
            return sync.work(found, source, until=until)
    except stopping.Interrupted:
        if found.looked_at is None:
            activities.broken_off(found.activity_id)
        raise
    except NotNow as error:
        if found.looked_at is None:
            activities.put_off(found.activity_id, str(error))
        raise jobs.TryAgain(str(error), error.retry_after_s) from error
    except Unreachable as error:
        found.refresh_from_db()
        if found.looked_at is not None or found.activity.attempts >= jobs.MAX_ATTEMPTS:
            syncs.end(found, str(error))  # the next round asks again
            return False
        activities.again(found.activity_id, str(error))
        raise jobs.TryAgain(str(error), error.retry_after_s) from error
    except OciError as error:
        syncs.end(found, str(error))
    return False


@app.task(name="sync", queue="sync", retry=jobs.RETRY, priority=BEHIND_PEOPLE)
def work_on(*, sync_id: int) -> None:
    found = Sync.objects.select_related("activity").filter(pk=sync_id, finished_at=None).first()
    if found is None:
        return
    began_with_look = found.looked_at is None
    is_cut = run(found, until=time.monotonic() + (0 if began_with_look else PART_S))
    left = found.items.filter(state="todo").count()
    # After the look two go on: there are two workers.
    for _ in range(min(left, 2 if began_with_look else 1) if is_cut else 0):
        work_on.defer(sync_id=sync_id)
    if not left:
        jobs.defer_conformance(found.name)


@app.periodic(cron="* * * * *")
@app.task(name="sync_due", queue="sync", queueing_lock="sync_due")
def sync_due(timestamp: int) -> None:
    """Begin the rounds that are due, and take up those that nobody works on any more."""
    for name in take_due(timezone.now()):
        defer_sync(name)
    under_way = ProcrastinateJob.objects.filter(task_name="sync", status__in=("todo", "doing"))
    worked_on = {args["sync_id"] for args in under_way.values_list("args", flat=True)}
    for found in follows.unfinished().exclude(pk__in=worked_on):
        logger.warning("The round %s of %s is taken up again.", found.pk, found.name)
        work_on.defer(sync_id=found.pk)
    activities.forget(syncs.KIND, older_than=KEEP_ROUNDS)
