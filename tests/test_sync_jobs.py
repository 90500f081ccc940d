"""Rounds in real workers, and what becomes of them when a worker is killed."""

from __future__ import annotations

import datetime as dt
import signal
import time

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from cgexplorer import jobs, sync_jobs
from cgexplorer.store.models import Activity, Evidence, Image, Manifest, Registry, Sync, SyncItem, Tag, TagMove
from cgexplorer.store.record import follows, syncs
from tests.at_once import together
from tests.fakes.registry import FakeRegistry, Fault
from tests.working import until, worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_queue")]


@pytest.fixture
def name(registry: FakeRegistry) -> str:
    wish = follows.read(f"{registry.host}/team/python")
    return follows.follow(wish, timezone.now()).name


def ended(found: Sync) -> bool:
    return Sync.objects.get(pk=found.pk).finished_at is not None


def queued() -> int:
    return ProcrastinateJob.objects.filter(task_name="sync", status="todo").count()


def test_a_round_is_done_by_the_worker(registry: FakeRegistry, name: str) -> None:
    found = sync_jobs.defer_sync(name)
    with worker(registry):
        until(lambda: ended(found), "the round")
    assert found.items.filter(state="done").count() == SyncItem.objects.count() > 0
    assert Activity.objects.get(kind="sync").state == "done"
    assert {tag.name for tag in Tag.objects.all()} == {
        tag for tag in registry.repository("team/python").tags if not tag.startswith("sha256-")
    }


def test_a_round_whose_worker_is_killed_is_finished_by_the_next_process_with_nothing_half_done(
    registry: FakeRegistry, name: str, settings
) -> None:
    found = sync_jobs.defer_sync(name)
    registry.fault, registry.fault_at = Fault.SLOW_BODY, "/blobs/"
    with worker(registry) as first:
        until(lambda: found.items.filter(attempts=1).exists(), "the first fetch")
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert not Tag.objects.exists()
    registry.fault = Fault.NONE
    settings.INSECURE_REGISTRIES = frozenset([registry.host])

    until(lambda: not sync_jobs.run(found) and ended(found), "the round")

    assert not found.items.exclude(state="done").exists()
    assert TagMove.objects.count() == Tag.objects.count() == 5
    assert not Manifest.objects.filter(is_index=True, entries=None).exists()
    once = Evidence.objects.values("manifest", "fingerprint").distinct().count()
    assert Evidence.objects.count() == once


def test_a_registry_that_stays_silent_ends_the_round_with_its_reason_after_three_attempts() -> None:
    found = sync_jobs.defer_sync("registry.invalid/team/app")
    for _ in range(jobs.MAX_ATTEMPTS - 1):
        with pytest.raises(jobs.TryAgain):
            sync_jobs.work_on(sync_id=found.pk)
    sync_jobs.work_on(sync_id=found.pk)
    activity = Activity.objects.get()
    assert (activity.state, ended(found)) == ("failed", True)
    assert "registry.invalid" in activity.error


def test_a_part_that_may_not_ask_yet_is_queued_again_and_uses_up_no_attempt(registry: FakeRegistry, name: str) -> None:
    found, _ = syncs.queue(name)
    Sync.objects.filter(pk=found.pk).update(looked_at=timezone.now())
    syncs.add(found, f"sha256:{0:064}", ["0"], timezone.now())
    Registry.objects.create(host=registry.host, ask_again_at=timezone.now() + dt.timedelta(seconds=600))
    for _ in range(jobs.MAX_ATTEMPTS + 1):
        with pytest.raises(jobs.TryAgain, match="does not want to be asked before"):
            sync_jobs.work_on(sync_id=found.pk)
    assert not ended(found)
    assert [item.attempts for item in found.items.all()] == [0]
    assert registry.requests == []


def test_a_repository_that_is_not_there_is_not_asked_for_again(registry: FakeRegistry, settings) -> None:
    settings.INSECURE_REGISTRIES = frozenset([registry.host])
    found = sync_jobs.defer_sync(f"{registry.host}/no/such")
    sync_jobs.work_on(sync_id=found.pk)
    assert "does not have" in Activity.objects.get().error
    assert ended(found)
    assert not Image.objects.exists()


def test_a_look_that_always_kills_its_worker_is_given_up() -> None:
    found = sync_jobs.defer_sync("registry.invalid/team/app")
    Activity.objects.update(attempts=jobs.MAX_ATTEMPTS)
    sync_jobs.work_on(sync_id=found.pk)
    assert "Given up" in Activity.objects.get().error
    assert Activity.objects.get().attempts == jobs.MAX_ATTEMPTS
    assert ended(found)


def test_the_schedule_begins_what_is_due_and_no_round_twice(name: str) -> None:
    for _ in range(2):
        sync_jobs.sync_due(timestamp=0)
    assert Sync.objects.count() == 1
    assert queued() == 1


def test_the_schedule_takes_up_a_round_that_nobody_works_on(name: str) -> None:
    syncs.queue(name)
    follows.take_due(timezone.now())
    sync_jobs.sync_due(timestamp=0)
    assert queued() == 1


def test_a_part_ends_in_time_and_queues_the_next_behind_what_people_wait_for(
    registry: FakeRegistry, name: str, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INSECURE_REGISTRIES = frozenset([registry.host])
    monkeypatch.setattr(sync_jobs, "PART_S", 0)
    found = sync_jobs.defer_sync(name)
    sync_jobs.work_on(sync_id=found.pk)  # looks
    assert queued() == 1 + 2
    sync_jobs.work_on(sync_id=found.pk)
    assert queued() == 1 + 2 + 1
    assert not found.items.exclude(state="todo").exists()
    assert set(ProcrastinateJob.objects.filter(task_name="sync").values_list("priority", flat=True)) == {
        sync_jobs.BEHIND_PEOPLE
    }


def test_a_part_that_finds_the_rest_in_other_hands_queues_no_other(registry: FakeRegistry, name: str, settings) -> None:
    settings.INSECURE_REGISTRIES = frozenset([registry.host])
    found, _ = syncs.queue(name)
    Sync.objects.filter(pk=found.pk).update(looked_at=timezone.now())
    syncs.add(found, f"sha256:{0:064}", ["0"], timezone.now())
    with syncs.claimed(found):
        assert together(lambda: sync_jobs.work_on(sync_id=found.pk)) == []
    assert queued() == 0


def test_what_another_process_holds_is_left_to_it_and_taken_up_when_it_dies(name: str) -> None:
    found, _ = syncs.queue(name)
    for number in range(2):
        syncs.add(found, f"sha256:{number:064}", [str(number)], timezone.now())
    claims: list[str] = []

    def claim() -> None:
        with syncs.claimed(found) as item:
            claims.append(item.digest if item else "")
            time.sleep(0.3)

    assert together(claim, claim, claim) == []
    assert sorted(claims) == ["", f"sha256:{0:064}", f"sha256:{1:064}"]
    with syncs.claimed(found) as item:
        assert item is not None
        assert item.attempts == 2
