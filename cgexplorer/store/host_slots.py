"""Slots for requests to a host, counted over all processes that work on this database.

A slot is an advisory lock of a session of its own: killed, a process loses its sessions and with them its slots, and
nobody has to clean up. Decision 12 tells what that costs.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import sleep
from typing import Any, Self

import psycopg
from django.db import connection
from psycopg.errors import LockNotAvailable

from cgexplorer.stopping import Interrupted

_CLASS = 0x5348  # of these advisory locks
_QUEUE_MS = 1000  # in PostgreSQL's queue, which is fair; then now and then, because each end of a queue fills its log
_LOOK_EVERY_S = 0.25
_TRY = "SELECT slot FROM unnest(%s::int[]) AS slot WHERE pg_try_advisory_lock(%s, slot) LIMIT 1"
# Found by the server when the machine of a worker is gone and nothing says so.
_OPTIONS = (
    f"-c lock_timeout={_QUEUE_MS} -c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4"
)


class HostSlots:
    """Slots with their sessions, which are opened as they are needed and closed at the end. Several threads may ask."""

    def __init__(self, parallel: int, stop: Callable[[], bool]) -> None:
        self._parallel, self._stop = parallel, stop
        self._idle: list[psycopg.Connection[Any]] = []
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def slot(self, host: str) -> Iterator[None]:
        """One of the host's slots until the block ends. Waits as long as it takes; `Interrupted` when to stop."""
        with self._lock:
            session = self._idle.pop() if self._idle else None
        session = session or _session()
        try:
            self._take(session, numbers(host, self._parallel))
            yield
        finally:
            self._give_back(session)

    def _take(self, session: psycopg.Connection[Any], slots: list[int]) -> None:
        is_queued = False
        while True:
            random.shuffle(slots)
            if session.execute(_TRY, [slots, _CLASS], prepare=True).fetchone() is not None:
                return
            if self._stop():
                raise Interrupted
            if is_queued:
                sleep(_LOOK_EVERY_S)
                continue
            is_queued = True
            try:
                session.execute("SELECT pg_advisory_lock(%s, %s)", [_CLASS, slots[0]], prepare=True)
            except LockNotAvailable:
                continue
            return

    def _give_back(self, session: psycopg.Connection[Any]) -> None:
        try:
            session.execute("SELECT pg_advisory_unlock_all()", prepare=True)
        except psycopg.Error:
            session.close()  # and its slot is free
            return
        with self._lock:
            self._idle.append(session)


def numbers(host: str, parallel: int) -> list[int]:
    """The locks of a host. Two hosts that share one by chance wait for each other now and then."""
    first = int.from_bytes(hashlib.sha256(host.encode()).digest()[:4]) % ((1 << 31) - parallel)
    return list(range(first, first + parallel))


def _session() -> psycopg.Connection[Any]:
    parameters = connection.get_connection_params()
    parameters["options"] = f"{parameters.get('options', '')} {_OPTIONS}"
    return psycopg.connect(**parameters, autocommit=True)
