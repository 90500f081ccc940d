"""Real workers on the test's database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from django.db import connection

from cgexplorer.store.models import Activity
from tests.fakes.registry import FakeRegistry

PATIENCE_S = 90


@contextmanager
def worker(
    registry: FakeRegistry | None = None, *, heartbeat_s: int = 10, jobs: int = 2
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process on the test's database. With a quick heartbeat it also takes the others for dead sooner."""
    at = connection.settings_dict
    who = quote(at["USER"]) + (f":{quote(at['PASSWORD'])}" if at["PASSWORD"] else "")
    where = f"host={quote(at['HOST'], safe='')}&port={at['PORT']}"
    environment = {**os.environ, "DATABASE_URL": f"postgresql://{who}@/{at['NAME']}?{where}"}
    environment["CGEXPLORER_HEARTBEAT_S"] = str(heartbeat_s)
    environment["CGEXPLORER_INSECURE_REGISTRIES"] = registry.host if registry else ""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "procrastinate", "worker", f"--concurrency={jobs}"], env=environment
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: {list(Activity.objects.values('state', 'step', 'error'))}"
        time.sleep(0.1)
