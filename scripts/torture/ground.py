"""What is tortured: a home of its own with its own PostgreSQL, and real workers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Self

PATIENCE_S = 900  # before something that should happen is said not to happen


@contextmanager
def own_home() -> Iterator[Path]:
    """An empty home that is removed at the end; set before Django reads its settings, and for all workers."""
    os.environ.pop("DATABASE_URL", None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "cgexplorer.settings"
    # What comes by itself at night would be a second hand in the figures.
    os.environ |= {"CGEXPLORER_NIGHTLY": "", "CGEXPLORER_TRUST_REFRESH": ""}
    with cleared_up() as home:
        os.environ["CGEXPLORER_HOME"] = str(home)
        _set_up(home)
        try:
            yield home
        finally:
            from django.db import connections

            connections.close_all()


@contextmanager
def cleared_up() -> Iterator[Path]:
    """A folder that is removed at the end, and its database stopped, by a process that outlives a `kill -9` of ours."""
    home = Path(tempfile.mkdtemp(prefix="cgexplorer-torture-"))
    home.chmod(0o711)
    janitor = subprocess.Popen(
        [sys.executable, "-m", "scripts.torture.janitor", str(home)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield home
    finally:
        janitor.communicate()


def mortal(command: list[str], output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
    """A process that dies with us. By util-linux's `setpriv`, since forking in Python is not safe beside threads."""
    # Killed before setpriv could ask for it, we are not its parent any more: then nothing begins.
    ours = ["sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid())]
    command = ["setpriv", "--pdeathsig", "KILL", *ours, *command]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _set_up(home: Path) -> None:
    import django
    from django.conf import settings

    from cgexplorer import embedded_pg

    embedded_pg.ensure_running(home / "postgres")
    embedded_pg.ensure_database(home / "postgres", "cgexplorer")
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)


class Crew:
    """`with Crew(2) as crew:` two workers, as `make run` starts them, and what it does when one ends: start another."""

    def __init__(self, size: int, home: Path) -> None:
        self.workers: list[subprocess.Popen[bytes]] = []
        self._size = size
        self._log = home / "workers.log"
        self._output: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._output = self._log.open("ab")
        self.revive()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        if self._output is not None:
            self._output.close()

    def revive(self) -> None:
        from cgexplorer.management.commands.up import WORK

        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < self._size:
            self.workers.append(mortal([*WORK], self._output))

    def kill(self, chance: random.Random) -> None:
        """One of them, which cannot do anything about it."""
        worker = chance.choice(self.workers)
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def until(
    condition: Callable[[], bool], *, meanwhile: Callable[[], object] = lambda: None, for_s: float = PATIENCE_S
) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + for_s
    while not patiently(condition):
        if time.monotonic() > deadline:
            return False
        meanwhile()
        time.sleep(0.1)
    return True


def patiently[T](ask: Callable[[], T]) -> T:
    """What the database answers, asked again while it is away."""
    from django.db import Error, connection

    for _ in range(300):
        with suppress(Error):
            return ask()
        with suppress(Error):
            connection.close()
        time.sleep(0.2)
    return ask()


def jobs_doing(task: str = "fetch") -> int:
    from procrastinate.contrib.django.models import ProcrastinateJob

    return ProcrastinateJob.objects.filter(task_name=task, status="doing").count()


def under_way() -> int:
    from cgexplorer.store.models import Activity

    return Activity.objects.filter(state__in=("queued", "running")).count()


def forgotten() -> list[int]:
    """Activities that somebody waits for and that no job of the queue will ever end."""
    from procrastinate.contrib.django.models import ProcrastinateJob

    from cgexplorer.store.models import Activity, Sync

    queued = ProcrastinateJob.objects.filter(status__in=("todo", "doing")).values_list("args", flat=True)
    live = {args["activity_id"] for args in queued if "activity_id" in args}
    rounds = Sync.objects.values_list("activity_id", flat=True)  # the schedule takes these up
    waiting = Activity.objects.filter(state__in=("queued", "running")).exclude(pk__in=rounds)
    return sorted(set(waiting.values_list("pk", flat=True)) - live)


def reasons(states: Sequence[str] = ("failed",)) -> dict[str, int]:
    from cgexplorer.store.models import Activity

    found: dict[str, int] = {}
    for error in Activity.objects.filter(state__in=states).values_list("error", flat=True):
        found[error] = found.get(error, 0) + 1
    return found
