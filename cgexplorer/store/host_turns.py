"""Whose turn it is to ask a host, over all processes that work on this database.

A slot, and the right to wait for a host that does not answer, are advisory locks of sessions of their own: killed, a
process loses its sessions and with them its locks, and nobody has to clean up. Decision 12 tells what that costs.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic, sleep
from typing import Any, LiteralString, Self

import psycopg
from django.db import connection
from psycopg.errors import LockNotAvailable

from cgexplorer.oci.errors import OutOfTime
from cgexplorer.stopping import Interrupted

_SLOT, _WAIT = 0x5348, 0x5357  # classes of advisory locks
_QUEUE_MS = 1000  # in PostgreSQL's queue, which is fair; then now and then, because each end of a queue fills its log
_LOOK_EVERY_S = 0.25
_TRY = "SELECT slot FROM unnest(%s::int[]) AS slot WHERE pg_try_advisory_lock(%s, slot) LIMIT 1"
_IS_HELD = """
SELECT EXISTS (SELECT 1 FROM pg_locks
    WHERE locktype = 'advisory' AND (classid, objid) = (%s, %s) AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
# Jobs that could begin now and ask another registry, or none.
_OTHERS_WAIT = """
SELECT EXISTS (SELECT 1 FROM procrastinate_jobs AS job
    LEFT JOIN store_activity AS activity ON activity.id = (job.args->>'activity_id')::bigint
    LEFT JOIN store_sync AS sync ON sync.id = (job.args->>'sync_id')::bigint
    WHERE job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())
    AND NOT starts_with(coalesce(activity.subject, sync.name, ''), %s || '/'))
"""
# Found by the server when the machine of a worker is gone and nothing says so.
_OPTIONS = (
    f"-c lock_timeout={_QUEUE_MS} -c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4"
)


class HostTurns:
    """Turns of a job that asks one registry, with their sessions, which are opened as they are needed and closed at the
    end. Several threads may ask. Raises Django's DatabaseError."""

    def __init__(self, registry: str, parallel: int, stop: Callable[[], bool], *, gives_way: bool = False) -> None:
        self._registry, self._parallel, self._stop, self._gives_way = registry, parallel, stop, gives_way
        self._idle: list[psycopg.Connection[Any]] = []
        self._waiting: psycopg.Connection[Any] | None = None  # holds the right to wait
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().close()
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None

    @contextmanager
    def slot(self, host: str, longest_s: float = math.inf) -> Iterator[None]:
        """One of the host's slots until the block ends. `Interrupted` when to stop, `OutOfTime` when none was free for
        so long: a process that is frozen (by docker pause, or with its machine) keeps its sessions and their locks."""
        session = self._session()
        until = monotonic() + longest_s
        try:
            with connection.wrap_database_errors:
                if not self._take(session, numbers(host, self._parallel), until):
                    raise OutOfTime(
                        f"{host} was not asked: all the time that was left, other processes had {self._parallel} "
                        "questions under way, which is as many as are asked at once. Is one of them frozen?"
                    )
            yield
        finally:
            self._give_back(session)

    def may_wait(self) -> bool:
        """Whether this job waits for its registry when that does not answer. Of those that give way one does, and the
        others too while no other registry's job would begin instead."""
        if not self._gives_way:
            return True
        with self._lock, connection.wrap_database_errors:
            if self._waiting is not None and not self._waiting.closed:
                return True
            session = _session()
            held = session.execute("SELECT pg_try_advisory_lock(%s, %s)", [_WAIT, self._number]).fetchone()
            if held is not None and held[0]:
                self._waiting = session
                return True
            with session:
                return not _says(session, _OTHERS_WAIT, [self._registry])

    def is_for_others(self) -> bool:
        """Whether another job waits for this registry already, and jobs of other registries would begin instead."""
        if not self._gives_way:
            return False
        session = self._session()
        try:
            with connection.wrap_database_errors:
                return _says(session, _IS_HELD, [_WAIT, self._number]) and _says(
                    session, _OTHERS_WAIT, [self._registry]
                )
        finally:
            self._give_back(session)

    @property
    def _number(self) -> int:
        return numbers(self._registry, 1)[0]

    def _session(self) -> psycopg.Connection[Any]:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        with connection.wrap_database_errors:
            return _session()

    def _take(self, session: psycopg.Connection[Any], slots: list[int], until: float) -> bool:
        is_queued = False
        while True:
            random.shuffle(slots)
            if session.execute(_TRY, [slots, _SLOT], prepare=True).fetchone() is not None:
                return True
            if self._stop():
                raise Interrupted
            if monotonic() >= until:
                return False
            if is_queued:
                sleep(_LOOK_EVERY_S)
                continue
            is_queued = True
            try:
                session.execute("SELECT pg_advisory_lock(%s, %s)", [_SLOT, slots[0]], prepare=True)
            except LockNotAvailable:
                continue
            return True

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


def _says(session: psycopg.Connection[Any], sql: LiteralString, parameters: list[object]) -> bool:
    row = session.execute(sql, parameters).fetchone()
    return row is not None and bool(row[0])


def _session() -> psycopg.Connection[Any]:
    parameters = connection.get_connection_params()
    parameters["options"] = f"{parameters.get('options', '')} {_OPTIONS}"
    return psycopg.connect(**parameters, autocommit=True)
