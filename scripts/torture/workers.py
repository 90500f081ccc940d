"""What becomes of a job whose worker stalls, is told to stop, or is killed by the job itself."""

from __future__ import annotations

import html
import random
import subprocess
import time
from pathlib import Path

from django.db.models import QuerySet
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from cgexplorer import jobs, sync_jobs
from cgexplorer.oci import reference as references
from cgexplorer.store.models import Activity
from scripts.torture import ground
from scripts.torture.crowd import Crowd
from scripts.torture.figures import Figures
from scripts.torture.ground import Crew
from tests.fakes.registry import FakeRegistry, Fault

REQUEUED_WITHIN_S = 35
STOPPED_WITHIN_S = 10
HANDS = 4  # workers with a job each


def stalled(home: Path, rounds: int, chance: random.Random) -> Figures:
    """All workers are killed, each with a job; new ones come. How long until the jobs are in work again?"""
    figures, waited = Figures("stalled jobs"), []
    with FakeRegistry() as registry:
        crowd = Crowd(registry, "stalled", HANDS, chance)
        for _ in range(rounds):
            crowd.push()
            crowd.fetch()
            with Crew(HANDS, home) as crew:
                registry.fault, registry.fault_at = Fault.SILENT, "/blobs/"
                ground.until(lambda: ground.jobs_doing() == HANDS, for_s=60)
                time.sleep(chance.uniform(0, 10))  # anywhere between two heartbeats
                for worker in crew.workers:
                    worker.kill()
                killed_at = time.monotonic()
                for worker in crew.workers:
                    worker.wait()
                registry.fault = Fault.NONE
                crew.revive()
                ground.until(lambda: not _untouched(), for_s=120)
                waited.append(time.monotonic() - killed_at)
                ground.until(lambda: ground.under_way() == 0, meanwhile=crew.revive, for_s=120)
        figures.at_most(REQUEUED_WITHIN_S, "longest time until the last was begun again", max(waited), "s")
        figures.tell("jobs", HANDS * rounds)
        figures.none("lost", [*map(str, ground.forgotten()), *crowd.missing()])
        figures.none("half-ingested", crowd.half_ingested())
    return figures


def _untouched() -> bool:
    """Whether some activity is still as the killed worker left it."""
    return Activity.objects.filter(state__in=("queued", "running"), attempts__lte=1).exists()


def told_to_stop(home: Path, times: int, chance: random.Random) -> Figures:
    """SIGTERM to a busy worker: it ends in time, and what it was doing is done by the next."""
    figures, took, left, counted = Figures("SIGTERM"), [], [], []
    faults = [Fault.NONE, Fault.SILENT, Fault.SLOW_HEAD, Fault.TOO_MANY]
    with FakeRegistry() as registry:
        registry.retry_after = "20"
        crowd = Crowd(registry, "stopped", 40, chance)
        for number in range(times):
            registry.fault, registry.fault_at = faults[number % len(faults)], "/blobs/"
            if ground.under_way() < 8:
                crowd.push()
                crowd.fetch()
            with Crew(2, home) as crew:
                ground.until(lambda: ground.jobs_doing() == 2, for_s=60)
                time.sleep(chance.uniform(0, 1))
                for worker in crew.workers:
                    worker.terminate()
                began = time.monotonic()
                for worker in crew.workers:
                    try:
                        worker.wait(STOPPED_WITHIN_S * 3)
                    except subprocess.TimeoutExpired:
                        worker.kill()
                    took.append(time.monotonic() - began)
            left += list(ProcrastinateJob.objects.filter(status="doing").values_list("task_name", flat=True))
        registry.fault = Fault.NONE
        from cgexplorer.store.models import Registry

        Registry.objects.filter(host=registry.host).update(ask_again_at=None)
        with Crew(2, home) as crew:
            ground.until(lambda: ground.under_way() == 0, meanwhile=crew.revive)
        counted += list(_named(registry).filter(state="failed").values_list("error", flat=True))
        figures.at_most(STOPPED_WITHIN_S, "longest time to stop", max(took), "s")
        figures.tell("times", times)
        figures.none("jobs left in the hands of nobody", left)
        figures.none("failed because a worker stopped", counted)
        figures.none("lost", [*map(str, ground.forgotten()), *crowd.missing()])
        figures.none("half-ingested", crowd.half_ingested())
        figures.none("duplicated", crowd.duplicated())
    return figures


def poisoned(home: Path, chance: random.Random) -> Figures:
    """A fetch and a round whose registry kills the worker each time it is asked, and a fetch that always fails."""
    figures = Figures("poison")
    with FakeRegistry() as registry, Crew(1, home) as crew:
        crowd = Crowd(registry, "well", 20, chance)
        registry.push_image("poison/app", "latest")
        registry.push_image("poison/round", "latest")
        registry.push_image("poison/failing", "latest")
        registry.fault, registry.fault_at = Fault.SILENT, "/poison/"
        poison = jobs.defer_fetch(references.parse(f"{registry.host}/poison/app:latest"))
        of_round = sync_jobs.defer_sync(f"{registry.host}/poison/round").activity
        failing = jobs.defer_fetch(references.parse("registry.invalid/poison/failing:latest"))
        crowd.push()
        crowd.fetch()
        kills = 0

        def kill_who_asks() -> None:
            nonlocal kills
            if any("/poison/" in path for _, path, _ in registry.requests):
                crew.kill(chance)
                kills += 1
                registry.requests.clear()
            crew.revive()

        ground.until(lambda: ground.under_way() == 0, meanwhile=kill_who_asks, for_s=600)
        registry.fault = Fault.NONE
        ended = [Activity.objects.get(pk=one.pk) for one in (poison, of_round, failing)]
        figures.tell("workers killed by the jobs", kills)
        figures.none("not dead-lettered with a reason", [str(one) for one in ended if not _is_given_up(one)])
        figures.at_most(jobs.MAX_ATTEMPTS, "attempts at one", max(one.attempts for one in ended))
        page = html.unescape(Client().get("/activities/?state=failed").content.decode())
        figures.none("without its reason on the page", [one.subject for one in ended if one.error not in page])
        figures.none("others lost", [*map(str, ground.forgotten()), *crowd.missing()])
        Client().post(f"/activities/{poison.pk}/again")
        figures.none("not done when tried again, healed", _not_done(crew, f"{registry.host}/poison/app:latest"))
    return figures


def _is_given_up(one: Activity) -> bool:
    return one.state == "failed" and bool(one.error) and one.finished_at is not None


def _not_done(crew: Crew, subject: str) -> list[str]:
    ground.until(lambda: ground.under_way() == 0, meanwhile=crew.revive, for_s=120)
    newest = Activity.objects.filter(subject=subject).latest("pk")
    return [] if newest.state == "done" else [f"{newest}: {newest.error}"]


def _named(registry: FakeRegistry) -> QuerySet[Activity]:
    return Activity.objects.filter(subject__startswith=registry.host)
