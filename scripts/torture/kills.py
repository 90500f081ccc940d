"""Workers are killed at random moments while they take images in; PostgreSQL is, too."""

from __future__ import annotations

import random
import time
from pathlib import Path

from cgexplorer import embedded_pg, jobs
from cgexplorer.oci import reference as references
from cgexplorer.store.models import Activity
from scripts.torture import ground
from scripts.torture.crowd import Crowd
from scripts.torture.figures import Figures
from scripts.torture.ground import Crew
from tests.fakes.registry import FakeRegistry

GIVEN_UP = f"Given up after {jobs.MAX_ATTEMPTS} attempts that were cut off."


def of_workers(home: Path, kills: int, size: int, chance: random.Random) -> Figures:
    """kill -9 of one of four workers, again and again, until all that was asked for is there."""
    with FakeRegistry() as registry, Crew(4, home) as crew:
        crowd, killed = Crowd(registry, "killed", size, chance), 0

        def go_on() -> None:
            if ground.under_way() < 8:
                crowd.push()
                crowd.fetch()

        while killed < kills:
            go_on()
            ground.until(lambda: ground.jobs_doing() > 0, for_s=60)
            time.sleep(chance.uniform(0, 1.5))
            crew.kill(chance)
            killed += 1
            crew.revive()
        figures = _settle("kill -9 of workers", crowd, crew)
        figures.tell("workers killed", killed)
        figures.tell("SBOMs taken in", crowd.waves * crowd.size)
        return figures


def of_the_database(home: Path, restarts: int, size: int, chance: random.Random) -> Figures:
    """PostgreSQL stops as if the power had failed, and is started again."""
    with FakeRegistry() as registry, Crew(4, home) as crew:
        crowd = Crowd(registry, "restarted", size, chance)
        for _ in range(restarts):
            if ground.patiently(ground.under_way) < 8:
                ground.patiently(crowd.push)
                ground.patiently(crowd.fetch)
            ground.until(lambda: ground.jobs_doing() > 0, meanwhile=crew.revive, for_s=60)
            time.sleep(chance.uniform(0, 2))
            embedded_pg.stop(home / "postgres", abruptly=True)
            time.sleep(chance.uniform(0, 2))
            embedded_pg.ensure_running(home / "postgres")
        figures = _settle("PostgreSQL restarted", crowd, crew)
        figures.tell("restarts", restarts)
        figures.tell("SBOMs taken in", crowd.waves * crowd.size)
        return figures


def _settle(scenario: str, crowd: Crowd, crew: Crew) -> Figures:
    """Let the workers finish, ask again for what was given up after three kills, and count what is wrong."""
    figures, given_up = Figures(scenario), 0
    for _ in range(5):
        ended = ground.until(lambda: ground.under_way() == 0, meanwhile=crew.revive)
        unlucky = ground.patiently(lambda: _newest_failed(crowd))
        if not ended or not unlucky:
            break
        given_up += len(unlucky)
        for name in unlucky:
            jobs.defer_fetch(references.parse(f"{name}:latest"))
    figures.none("lost", [*map(str, ground.patiently(ground.forgotten)), *ground.patiently(crowd.missing)])
    figures.none("half-ingested", crowd.half_ingested())
    figures.none("duplicated", crowd.duplicated())
    named = Activity.objects.filter(subject__startswith=crowd.registry.host)
    odd = named.filter(state="failed").exclude(error=GIVEN_UP).values_list("error", flat=True)
    figures.none("failed for another reason than three kills", list(odd))
    figures.tell("attempts that were cut off", sum(one.attempts - 1 for one in named))
    figures.tell("given up after three kills, and asked for again", given_up)
    return figures


def _newest_failed(crowd: Crowd) -> list[str]:
    newest = Activity.objects.filter(subject__startswith=crowd.registry.host).order_by("subject", "-pk")
    failed = [one for one in newest.distinct("subject") if one.state == "failed"]
    return [one.subject.removesuffix(":latest") for one in failed]
