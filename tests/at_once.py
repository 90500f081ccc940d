"""Work at the same time, each on a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection


def together(*jobs: Callable[[], object]) -> list[BaseException]:
    """Start these at the same moment; answers what they raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        try:
            start.wait()
            job()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
