"""The real queue, real workers, and what becomes of a job when its worker is killed."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone
from procrastinate import App
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

from cgexplorer import jobs
from cgexplorer.oci import reference as references
from cgexplorer.store.models import Activity, Manifest, Registry, SavedAnswer, Tag, VerificationRun
from cgexplorer.store.record import activities, saved_searches
from cgexplorer.store.record import registries as record
from tests.fakes.registry import FakeRegistry, Fault
from tests.ingesting import allow, fetch, signed_image
from tests.working import until, worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_queue")]


def state_of(activity: Activity) -> str:
    return Activity.objects.get(pk=activity.pk).state


def test_a_fetch_is_done_by_the_worker_and_shows_how_far_it_is(registry: FakeRegistry) -> None:
    activity = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:3.14.7"))
    with worker(registry):
        until(lambda: state_of(activity) == "done", "the fetch")
    done = Activity.objects.get(pk=activity.pk)
    assert (done.done, done.total, done.error) == (3, 3, "")
    assert Tag.objects.get(name="3.14.7").manifest.is_index
    assert done.run is not None


def test_a_fetch_whose_worker_is_killed_is_done_by_the_next(registry: FakeRegistry) -> None:
    registry.fault, registry.fault_at = Fault.SLOW_BODY, "/blobs/"
    activity = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:3.14.7"))
    with worker(registry) as first:
        until(lambda: state_of(activity) == "running", "the first attempt")
        first.send_signal(signal.SIGKILL)
        first.wait()
    registry.fault = Fault.NONE
    with worker(registry, heartbeat_s=2):
        until(lambda: state_of(activity) == "done", "the second attempt")
    assert Activity.objects.get(pk=activity.pk).attempts == 2
    assert Manifest.objects.count() == 3


def test_a_registry_that_is_down_is_asked_three_times_and_the_reason_is_kept() -> None:
    activity = jobs.defer_fetch(references.parse("registry.invalid/team/app:1"))
    for attempt in range(1, jobs.MAX_ATTEMPTS + 1):
        with pytest.raises(jobs.TryAgain, match=r"registry\.invalid") as failure:
            jobs.fetch(activity_id=activity.pk)
        assert state_of(activity) == ("failed" if attempt == jobs.MAX_ATTEMPTS else "queued")
    assert jobs.RETRY.get_retry_decision(exception=failure.value, job=queued_fetch(activity, attempts=3)) is not None
    jobs.fetch(activity_id=activity.pk)  # which the queue then does in vain
    failed = Activity.objects.get(pk=activity.pk)
    assert failed.attempts == jobs.MAX_ATTEMPTS
    assert "registry.invalid" in failed.error
    assert failed.finished_at is not None


def test_a_registry_that_asks_for_silence_is_left_alone_for_so_long(registry: FakeRegistry, settings: Any) -> None:
    settings.INSECURE_REGISTRIES = frozenset([registry.host])
    registry.fault, registry.retry_after = Fault.TOO_MANY, "1800"
    activity = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:3.14.7"))
    with pytest.raises(jobs.TryAgain, match="429") as failure:
        jobs.fetch(activity_id=activity.pk)
    decision = jobs.RETRY.get_retry_decision(exception=failure.value, job=queued_fetch(activity, attempts=1))
    assert decision is not None
    assert decision.retry_at == pytest.approx(timezone.now() + dt.timedelta(seconds=1800), abs=dt.timedelta(minutes=1))
    waiting = Activity.objects.get(pk=activity.pk)
    assert (waiting.state, "429" in waiting.error) == ("queued", True)


def test_what_could_not_be_read_is_asked_for_again_and_the_rest_is_there(registry: FakeRegistry, settings: Any) -> None:
    settings.INSECURE_REGISTRIES = frozenset([registry.host])
    registry.fault, registry.fault_at, registry.retry_after = Fault.TOO_MANY, "/referrers/", "1800"
    activity = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:3.14.7"))
    with pytest.raises(jobs.TryAgain, match="429"):
        jobs.fetch(activity_id=activity.pk)
    assert Tag.objects.get(name="3.14.7").manifest.is_index
    Registry.objects.update(ask_again_at=None)
    registry.fault = Fault.NONE
    jobs.fetch(activity_id=activity.pk)
    assert Activity.objects.get(pk=activity.pk).state == "done"


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.TOO_MANY])
def test_a_worker_that_waits_for_a_registry_stops_at_once_and_its_job_is_queued_again(
    registry: FakeRegistry, fault: Fault
) -> None:
    registry.fault, registry.fault_at, registry.retry_after = fault, "/blobs/", "60"
    activity = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:3.14.7"))
    with worker(registry) as first:
        until(lambda: registry.hits[fault] > 0, "a request that is not answered")
        first.terminate()
        assert first.wait(10) == 0
    left = Activity.objects.get(pk=activity.pk)
    assert (left.state, left.attempts, left.error) == ("queued", 0, "")
    registry.fault = Fault.NONE
    with worker(registry):
        until(lambda: state_of(activity) == "done", "the next worker")
    assert Activity.objects.get(pk=activity.pk).attempts == 1
    assert Manifest.objects.count() == 3


def test_an_unknown_tag_is_not_asked_for_again(registry: FakeRegistry) -> None:
    activity = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:nothing"))
    with worker(registry):
        until(lambda: state_of(activity) == "failed", "the answer")
    assert Activity.objects.get(pk=activity.pk).attempts == 1


def test_a_job_that_always_kills_its_worker_is_given_up() -> None:
    activity = Activity.objects.create(kind="fetch", subject="registry.example/app:1", attempts=jobs.MAX_ATTEMPTS)
    jobs.fetch(activity_id=activity.pk)
    failed = Activity.objects.get(pk=activity.pk)
    assert failed.state == "failed"
    assert "Given up" in failed.error


def test_pressing_twice_is_one_activity_and_one_job() -> None:
    reference = references.parse("registry.example/app:1")
    assert jobs.defer_fetch(reference).pk == jobs.defer_fetch(reference).pk
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'fetch'")
        assert cursor.fetchone() == (1,)


def test_what_has_ended_can_be_asked_for_again() -> None:
    reference = references.parse("registry.example/app:1")
    first = jobs.defer_fetch(reference)
    activities.end(first.pk, error="no")
    assert jobs.defer_fetch(reference).pk != first.pk


def test_a_job_delivered_twice_does_its_work_once() -> None:
    activity = Activity.objects.create(kind="re-verify", subject="x", state="done")
    jobs.reverify(activity_id=activity.pk, manifest_id=0)
    assert Activity.objects.get(pk=activity.pk).attempts == 0


def test_what_is_no_longer_stored_is_said_in_a_sentence() -> None:
    activity = Activity.objects.create(kind="re-verify", subject="x")
    jobs.reverify(activity_id=activity.pk, manifest_id=0)
    failed = Activity.objects.get(pk=activity.pk)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert "no longer stored" in failed.error


def test_reverifying_appends_a_run_that_the_activity_names() -> None:
    allow()
    fetch(signed_image())
    manifest = Manifest.objects.get()
    before = VerificationRun.objects.count()
    activity = jobs.defer_reverify(manifest)
    jobs.reverify(activity_id=activity.pk, manifest_id=manifest.pk)
    done = Activity.objects.get(pk=activity.pk)
    assert done.state == "done"
    assert VerificationRun.objects.count() == before + 1
    assert done.run == VerificationRun.objects.latest("pk")


@pytest.mark.parametrize(
    ("status", "hours", "is_kept"),
    [
        ("succeeded", 0, True),
        ("succeeded", jobs.KEEP_SUCCEEDED_H + 1, False),
        ("failed", jobs.KEEP_SUCCEEDED_H + 1, True),
        ("failed", jobs.KEEP_FAILED_H + 1, False),
        ("todo", jobs.KEEP_FAILED_H + 1, True),
    ],
)
def test_jobs_that_ended_long_ago_are_forgotten(status: str, hours: int, is_kept: bool) -> None:
    job = jobs.check_conformance.defer(sbom_id=0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = %s WHERE id = %s", [status, job])
        cursor.execute("UPDATE procrastinate_events SET at = now() - make_interval(hours => %s)", [hours])
        async_to_sync(jobs.forget_finished.func)(timestamp=0)
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        assert cursor.fetchone() == (int(is_kept),)


@pytest.mark.parametrize("step", ["begin", "again"])
def test_a_database_that_goes_away_does_not_leave_an_activity_under_way_for_ever(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    activity = jobs.defer_fetch(references.parse("registry.invalid/team/app:1"))
    with monkeypatch.context() as patched:
        patched.setattr(activities, step, gone)
        with pytest.raises(OperationalError) as failure:
            jobs.fetch(activity_id=activity.pk)
    # What the queue decides now is whether anybody ever ends this activity.
    assert jobs.fetch.get_retry_exception(failure.value, queued_fetch(activity, attempts=jobs.MAX_ATTEMPTS)) is not None


def queued_fetch(activity: Activity, *, attempts: int) -> Job:
    args = {"activity_id": activity.pk}
    return Job(
        id=1, queue="fetch", lock=None, queueing_lock=None, task_name="fetch", task_kwargs=args, attempts=attempts
    )


def stalled(task_name: str, args: str, *, attempts: int = 0, queueing_lock: str | None = None) -> int:
    """A job whose worker died."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (task_name, queue_name, status, args, attempts, queueing_lock)"
            " VALUES (%s, 'conformance', 'doing', %s, %s, %s) RETURNING id",
            [task_name, args, attempts, queueing_lock],
        )
        return int(cursor.fetchone()[0])


def requeue_stalled() -> None:
    with app.replace_connector(app.connector.get_worker_connector()) as working:
        asyncio.run(_requeue_stalled(working))


async def _requeue_stalled(working: App) -> None:
    async with working.open_async():
        await jobs.requeue_stalled(timestamp=0)


def status(job_id: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM procrastinate_jobs WHERE id = %s", [job_id])
        return str(cursor.fetchone()[0])


def test_a_job_nobody_waits_for_that_always_kills_its_worker_is_given_up() -> None:
    poison = stalled("conformance", '{"sbom_id": 1}', attempts=jobs.MAX_ATTEMPTS)
    unlucky = stalled("conformance", '{"sbom_id": 2}')
    requeue_stalled()
    assert (status(poison), status(unlucky)) == ("failed", "todo")
    told = Activity.objects.get()
    assert (told.kind, told.state, told.attempts) == ("conformance", "failed", jobs.MAX_ATTEMPTS)
    assert "Given up after 3 attempts that were cut off." in told.error


def test_of_two_lost_jobs_that_may_wait_only_once_one_waits_and_later_ones_are_taken_up() -> None:
    twins = [stalled("requeue_stalled", '{"timestamp": 1}', queueing_lock="requeue_stalled") for _ in range(2)]
    later = stalled("conformance", '{"sbom_id": 1}')
    requeue_stalled()
    assert sorted(map(status, twins)) == ["aborted", "todo"]
    assert status(later) == "todo"


def test_a_document_waits_for_its_opinion_once_however_many_tags_are_imported() -> None:
    call_command("load_samples", verbosity=0)
    for _ in range(2):
        jobs.defer_conformance("samples.example/nginx")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(DISTINCT args->>'sbom_id') FROM procrastinate_jobs WHERE task_name = 'conformance'"
        )
        queued, documents = cursor.fetchone()
    assert queued == documents > 0


def test_a_start_that_only_gives_up_is_no_attempt() -> None:
    activity, _ = activities.queue("fetch", "registry.example/app:1")
    for _ in range(jobs.MAX_ATTEMPTS):
        activities.begin(activity.pk)  # and the worker is killed
    with jobs._attempt(activity.pk) as begun:
        assert begun is None
    told = Activity.objects.get(pk=activity.pk)
    assert (told.state, told.attempts) == ("failed", jobs.MAX_ATTEMPTS)
    assert told.error == "Given up after 3 attempts that were cut off."


def test_a_job_that_spends_its_time_on_asking_is_ended_with_that_reason(
    registry: FakeRegistry, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INSECURE_REGISTRIES = frozenset([registry.host])
    monkeypatch.setattr(jobs, "MAX_ASKING_S", 0)
    activity = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:3.14.7"))
    for _ in range(jobs.MAX_ATTEMPTS):
        with pytest.raises(jobs.TryAgain):
            jobs.fetch(activity_id=activity.pk)
    ended = Activity.objects.get(pk=activity.pk)
    assert (ended.state, ended.attempts) == ("failed", jobs.MAX_ATTEMPTS)
    assert ended.error == "127.0.0.1 took more than 0 s for all that it was asked together."
    assert not Manifest.objects.exists()


def test_a_job_that_does_not_ask_because_of_what_another_was_told_uses_up_no_attempt(
    registry: FakeRegistry, settings: Any
) -> None:
    settings.INSECURE_REGISTRIES = frozenset([registry.host])
    activity = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:3.14.7"))
    Registry.objects.create(host=registry.host, ask_again_at=timezone.now() + dt.timedelta(seconds=600))
    for _ in range(jobs.MAX_ATTEMPTS + 1):
        with pytest.raises(jobs.TryAgain, match="does not want to be asked before") as failure:
            jobs.fetch(activity_id=activity.pk)
    assert failure.value.after_s == pytest.approx(600, abs=60)
    waiting = Activity.objects.get(pk=activity.pk)
    assert (waiting.state, waiting.attempts) == ("queued", 0)
    assert "does not want to be asked before" in waiting.error
    assert registry.requests == []
    Registry.objects.update(ask_again_at=None)
    jobs.fetch(activity_id=activity.pk)
    assert state_of(activity) == "done"


def test_two_jobs_that_wait_for_one_registry_leave_a_hand_to_that_of_another(registry: FakeRegistry) -> None:
    with FakeRegistry() as waits:
        record.registry(waits.host, access="insecure")
        waits.fault, waits.retry_after = Fault.TOO_MANY, "60"  # which a job sits out
        stuck = [jobs.defer_fetch(references.parse(f"{waits.host}/team/{name}:1")) for name in ("one", "two")]
        other = jobs.defer_fetch(references.parse(f"{registry.host}/team/python:3.14.7"))
        with worker(registry) as running:
            until(lambda: state_of(other) == "done", "the job of the registry that answers")
            assert sum(Activity.objects.get(pk=one.pk).attempts for one in stuck) == 1
            running.kill()
    put_off = Activity.objects.get(pk__in=[one.pk for one in stuck], attempts=0)
    assert (put_off.state, "Another job already waits" in put_off.error) == ("queued", True)


def test_the_hourly_look_asks_saved_searches_what_no_change_showed() -> None:
    allow()
    saved_searches.save("openssl", saved_searches.Wish("openssl"), timezone.now())
    fetch(signed_image("openssl@3.3.1-r0"))
    SavedAnswer.objects.all().delete()  # as if it had not been found then
    jobs.look_at_searches.defer(timestamp=0)
    with worker():
        until(lambda: SavedAnswer.objects.exists(), "an answer")
    assert SavedAnswer.objects.get().digests == 1
