"""What runs in the worker: fetch, verify again, refresh the trust root, ask spdx-tools. Ids go in, rows come out.

Procrastinate keeps the queue in the same PostgreSQL, so a job and its activity are committed together. A worker that
is killed leaves its job `doing`; the next one finds it by the missing heartbeat and does it again.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.utils import timezone
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Job, Status

from cgexplorer import ingest, registries, stopping, webhooks
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import NotNow, OciError, Unreachable
from cgexplorer.oci.patience import Patience
from cgexplorer.oci.reference import Reference
from cgexplorer.oci.transport import Transport
from cgexplorer.spdx import conformance
from cgexplorer.store.models import Activity, Image, Manifest, SavedSearch, Sbom, TrustUpdate, VerificationRun
from cgexplorer.store.queries import payloads, reverified, trust
from cgexplorer.store.queries.manifests import tagged
from cgexplorer.store.record import activities, saved_searches, sboms, trust_roots
from cgexplorer.verify import trust_refresh
from cgexplorer.verify.errors import VerifyError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
MAX_ASKING_S = 900  # of a job; what it does with the answers is not counted (decision 18)
EVERY_IMAGE = "every image"
CONFORMANCE = "conformance"
SEARCHES = "look_at_searches"
STALLED_AFTER_S = 2 * settings.HEARTBEAT_S
# The queue itself asks for stalled jobs 17,000 times a day, and keeps what is done unless told otherwise.
KEEP_SUCCEEDED_H, KEEP_FAILED_H = 1, 7 * 24
KEEP_NIGHTLY = dt.timedelta(days=7)  # that it was queued; its run is kept


class TryAgain(Exception):
    """It failed for a reason that may pass; a registry may have said when."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Patiently(BaseRetryStrategy):
    """Without a limit: attempts are counted in the activity, which must be ended by one of them. That includes those
    that the database cut off before their failure could be written, and those that we broke off to stop."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, stopping.Interrupted):
            return RetryDecision(retry_in={"seconds": 0})
        if not isinstance(exception, TryAgain | DatabaseError):
            return None
        asked_s = exception.after_s if isinstance(exception, TryAgain) else None
        return RetryDecision(retry_in={"seconds": math.ceil(asked_s or 0) or 4 + 6 * job.attempts})


RETRY = Patiently()


def patience() -> Patience:
    """Of a job with all that it asks of a registry."""
    return Patience(together_s=MAX_ASKING_S)


def defer_fetch(reference: Reference) -> Activity:
    """Queue a fetch of this reference; one that is under way is answered instead."""
    with transaction.atomic():
        activity, is_new = activities.queue("fetch", str(reference))
        if is_new:
            fetch.defer(activity_id=activity.pk)
    return activity


def defer_reverify(manifest: Manifest, *, live: bool = False, trigger: str = "re-verify") -> Activity:
    """Queue a verification of this manifest's stored evidence; `live`, of what its registry holds now."""
    with transaction.atomic():
        activity, is_new = activities.queue(
            "ask again" if live else trigger, f"{manifest.image.name}@{manifest.digest}"
        )
        if is_new:
            reverify.defer(activity_id=activity.pk, manifest_id=manifest.pk, live=live, trigger=trigger)
    return activity


def defer_reverify_all(image: Image | None = None) -> Activity:
    """Queue a verification of the stored evidence of all that tags point to: of this image, or of every image."""
    with transaction.atomic():
        activity, is_new = activities.queue("re-verify all", image.name if image else EVERY_IMAGE)
        if is_new:
            reverify_all.defer(activity_id=activity.pk, image_id=image.pk if image else None)
    return activity


@app.task(name="fetch", queue="fetch", retry=RETRY)
def fetch(*, activity_id: int) -> None:
    with _attempt(activity_id) as activity:
        if activity is None:
            return
        reference = references.parse(activity.subject)
        with registries.connect(reference, patience=patience(), gives_way=True) as source:
            report = ingest.ingest(
                reference,
                source,
                trigger="ingest",
                now=timezone.now(),
                progress=lambda step, done, total: activities.progress(activity_id, step, done, total),
            )
        if source.failure is not None and activity.attempts < MAX_ATTEMPTS:
            raise source.failure  # what could be read is stored; the rest is asked for again
        manifest = Manifest.objects.get(image__name=reference.name, digest=report.digest)
        activities.end(activity_id, run=manifest.run)
        defer_conformance(reference.name)


@app.task(name="reverify", queue="verify", retry=RETRY)
def reverify(*, activity_id: int, manifest_id: int, live: bool = False, trigger: str = "re-verify") -> None:
    with _attempt(activity_id) as activity:
        if activity is None:
            return
        manifest = Manifest.objects.select_related("image__registry").get(pk=manifest_id)
        if live:
            activities.progress(activity_id, "Asking the registry again", 0, 1)
            run = ask_again(manifest, trigger=trigger, patience=patience(), gives_way=True)
        else:
            activities.progress(activity_id, "Checking the stored evidence again", 0, 1)
            run = ingest.reverify(manifest, now=timezone.now(), trigger=trigger)
        activities.progress(activity_id, "Checked", 1, 1)
        activities.end(activity_id, run=run)


@app.task(name="reverify_all", queue="verify", retry=RETRY)
def reverify_all(*, activity_id: int, image_id: int | None) -> None:
    """One digest after the other, each committed by itself. An attempt that was cut off is taken up where it ended."""
    with _attempt(activity_id) as activity:
        if activity is None:
            return
        wanted = list(tagged(image_id).select_related("image__registry"))
        done = set(reverified.runs(activity).values_list("manifest_id", flat=True))
        unread = []
        for number, manifest in enumerate(wanted):
            stopping.check()
            if manifest.pk in done:
                continue
            activities.progress(activity_id, f"Checking {manifest.image.name} again", number, len(wanted))
            try:
                ingest.reverify(manifest, now=timezone.now(), trigger=reverified.TRIGGER)
            except payloads.Damaged as error:
                unread.append(f"{manifest.image.name}@{manifest.digest}: {error}")
        activities.progress(activity_id, "Checked", len(wanted), len(wanted))
        more = f" ({len(unread) - 1} more)" if len(unread) > 1 else ""
        activities.end(activity_id, error=f"{unread[0]}{more} The others were checked." if unread else "")


def ask_again(
    manifest: Manifest, *, trigger: str, patience: Patience | None = None, gives_way: bool = False
) -> VerificationRun:
    """Verify what the registry of this manifest holds for it now. Raises OciError; the last verdict then stays."""
    with registries.connect(manifest.image.registry.host, patience=patience, gives_way=gives_way) as source:
        return ingest.reverify(manifest, now=timezone.now(), trigger=trigger, live=source)


@app.task(name="reverify_tagged", queue="verify", queueing_lock="reverify_tagged")
def reverify_tagged(timestamp: int) -> None:
    """Queue a verification of everything that a tag points to, and of its platforms: one job each.

    Each is committed by itself: killed in the middle, the next worker does this again, and what waits is not doubled.
    """
    activities.forget("schedule", older_than=KEEP_NIGHTLY)
    for manifest in tagged():
        defer_reverify(manifest, trigger="schedule")


def ask_tuf() -> TrustUpdate:
    """Ask the TUF mirror for the newest public-good root. The answer, or why there is none, is stored and returned."""
    mirror = settings.TUF_MIRROR
    try:
        with Transport(trusted=registries.trusted()) as transport:
            found = trust_refresh.refresh(
                settings.CGEXPLORER_HOME / "tuf" / "public-good", mirror, transport, seen=trust.seen_versions()
            )
    except VerifyError as error:
        return trust_roots.refresh_failed(str(error), mirror, timezone.now())
    return trust_roots.refreshed(found, mirror, timezone.now())


@app.task(name="refresh_trust", queue="fetch", queueing_lock="refresh_trust")
def refresh_trust(timestamp: int) -> None:
    """What fails is tried again at the next time; the root in use stays."""
    if why := ask_tuf().error:
        logger.warning("The trust root was not refreshed: %s", why)


if settings.TRUST_REFRESH_CRON:
    app.periodic(cron=settings.TRUST_REFRESH_CRON)(refresh_trust)

if settings.NIGHTLY_CRON:
    app.periodic(cron=settings.NIGHTLY_CRON)(reverify_tagged)


def defer_conformance(image_name: str) -> None:
    """Ask spdx-tools for its opinion of every document of this image that it has not seen and is not yet to see."""
    under_way = ProcrastinateJob.objects.filter(task_name="conformance", status__in=("todo", "doing"))
    asked = {args["sbom_id"] for args in under_way.values_list("args", flat=True)}
    unseen = Sbom.objects.filter(image__name=image_name, conformance={}, format="spdx")
    for sbom in unseen.exclude(pk__in=asked).order_by("pk"):
        check_conformance.defer(sbom_id=sbom.pk)


@app.task(name=CONFORMANCE, queue="conformance", retry=RETRY)
def check_conformance(*, sbom_id: int) -> None:
    """An opinion, never a gate: in a process of its own that is stopped when it takes too long."""
    sbom = Sbom.objects.select_related("document").filter(pk=sbom_id, conformance={}).first()
    if sbom is None:
        return
    try:
        sboms.conformance(sbom, conformance.check(payloads.content(sbom.document)))
    except payloads.Damaged as error:
        activities.failed(CONFORMANCE, _digest_of(sbom_id), str(error), attempts=1)


def _digest_of(sbom_id: int) -> str:
    return "@".join(
        Sbom.objects.values_list("manifest__image__name", "manifest__digest").filter(pk=sbom_id).first() or ()
    )


def _give_up(task_name: str, asked: Mapping[str, Any]) -> None:
    """Of work that nobody waits for: say so where the rest is shown. A round is ended by the next attempt at it."""
    reason = f"Given up after {MAX_ATTEMPTS} attempts that were cut off."
    logger.error("%s %s: %s", task_name, asked, reason)
    try:
        if task_name == CONFORMANCE:
            activities.failed(CONFORMANCE, _digest_of(asked["sbom_id"]), reason, MAX_ATTEMPTS)
    finally:
        connection.close()  # of a thread that asks the database only now and then


@app.periodic(cron="* * * * * */5")
@app.task(name="requeue_stalled", queue="fetch", queueing_lock="requeue_stalled", pass_context=False)
async def requeue_stalled(timestamp: int) -> None:
    """Take up the jobs of workers that no longer live."""
    queue = app.job_manager
    await queue.prune_stalled_workers(STALLED_AFTER_S)
    for job in await queue.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
        # One with an activity is given up by that, so that the activity is ended with its reason.
        if "activity_id" not in job.task_kwargs and job.attempts >= MAX_ATTEMPTS:
            await sync_to_async(_give_up)(job.task_name, job.task_kwargs)
            await queue.finish_job(job, Status.FAILED, delete_job=False)
            continue
        logger.warning("Job %s (%s) lost its worker and is queued again.", job.id, job.task_name)
        try:
            await queue.retry_job(job)
        except UniqueViolation:  # of its kind only one may wait, and one does
            await queue.finish_job(job, Status.ABORTED, delete_job=False)


@app.periodic(cron="* * * * * */15")
@app.task(name="tell_webhooks", queue="fetch", queueing_lock="tell_webhooks", lock="tell_webhooks", pass_context=False)
def tell_webhooks(timestamp: int) -> None:
    """Tell every webhook that is due of the drift that it does not know yet."""
    webhooks.deliver_due()


@app.periodic(cron="37 * * * *")
@app.task(name=SEARCHES, queue="verify", queueing_lock=SEARCHES, retry=RETRY, pass_context=False)
def look_at_searches(timestamp: int) -> None:
    """Whether saved searches find what they found, beside what each change of an image says by itself."""
    for search in SavedSearch.objects.order_by("pk"):
        stopping.check()
        saved_searches.look_everywhere(search, timezone.now())


@app.periodic(cron="17 * * * *")
@app.task(name="forget_finished", queue="fetch", queueing_lock="forget_finished", pass_context=False)
async def forget_finished(timestamp: int) -> None:
    """Delete jobs that ended. What a person waited for, and why it failed, is in the activities."""
    queue = app.job_manager
    await queue.delete_old_jobs(nb_hours=KEEP_SUCCEEDED_H)
    await queue.delete_old_jobs(
        nb_hours=KEEP_FAILED_H, include_failed=True, include_cancelled=True, include_aborted=True
    )


@contextmanager
def _attempt(activity_id: int) -> Iterator[Activity | None]:
    """One counted attempt. What fails for good ends the activity with its reason, the rest is tried again."""
    activity = activities.begin(activity_id)
    if activity is not None and activity.attempts > MAX_ATTEMPTS:
        activities.broken_off(activity_id)  # this start gives up; it is no attempt
        activities.end(activity_id, error=f"Given up after {MAX_ATTEMPTS} attempts that were cut off.")
        activity = None
    try:
        yield activity
    except stopping.Interrupted:
        if activity is not None:
            activities.broken_off(activity.pk)
        raise
    except NotNow as error:
        if activity is not None:
            activities.put_off(activity.pk, str(error))
        raise TryAgain(str(error), error.retry_after_s) from error
    except Unreachable as error:
        _again_or_end(activity, str(error))
        raise TryAgain(str(error), error.retry_after_s) from error
    except OciError as error:
        activities.end(activity_id, error=str(error))
    except Manifest.DoesNotExist:
        activities.end(activity_id, error="What was asked about is no longer stored: add the image again.")
    except Exception as error:
        logger.exception("Activity %s failed.", activity_id)
        _again_or_end(activity, f"{type(error).__name__}: {error}")
        raise TryAgain(str(error)) from error


def _again_or_end(activity: Activity | None, error: str) -> None:
    if activity is None:
        return
    if activity.attempts >= MAX_ATTEMPTS:
        activities.end(activity.pk, error=error)
    else:
        activities.again(activity.pk, error)
