"""Reads that may be a little late go to a replica, as long as it keeps up; everything else to the primary.

Only who says `reading_from_replica()` reads there, and never inside a transaction.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.models import Model

REPLICA = "replica"
CHECK_EVERY_S = 5.0  # how far it is behind
logger = logging.getLogger(__name__)
_reading: ContextVar[bool] = ContextVar("reading", default=False)

# What the primary has written must be read back before the replica's own answer, else it seems to be ahead.
_WRITTEN = "SELECT pg_current_wal_lsn()::text"
# A replica that has replayed all of it is not late, however long ago the last transaction was.
_BEHIND = """SELECT CASE WHEN NOT pg_is_in_recovery() THEN NULL
  WHEN pg_last_wal_replay_lsn() >= %s::pg_lsn THEN 0
  ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float END"""


def is_configured() -> bool:
    return REPLICA in settings.DATABASES


@contextmanager
def reading_from_replica() -> Iterator[None]:
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


def alias() -> str:
    """The database that a read of the store goes to now."""
    if _reading.get() and not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        return REPLICA
    return DEFAULT_DB_ALIAS


class Router:
    """For the store's models only: sessions and the queue are read where they are written."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return alias() if model._meta.app_label == "store" else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True  # both are of the same database, wherever they were read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS


class _State:
    """What this process knows of the replica."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._checked_at = float("-inf")
        self._fault = ""

    def fault(self) -> str:
        if not self._lock.acquire(blocking=False):
            return self._fault  # somebody else is asking
        try:
            if time.monotonic() - self._checked_at >= CHECK_EVERY_S:
                self._note(_ask())
            return self._fault
        finally:
            self._lock.release()

    def failed(self, error: Exception) -> None:
        with self._lock:
            self._note(f"The replica does not answer ({type(error).__name__})")

    def _note(self, fault: str) -> None:
        if bool(fault) != bool(self._fault):
            if fault:
                logger.warning("%s: pages are read from the primary.", fault)
            else:
                logger.warning("The replica keeps up again: pages are read from it.")
        self._fault, self._checked_at = fault, time.monotonic()


def _ask() -> str:
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(_WRITTEN)
            written = cursor.fetchone()[0]
        with connections[REPLICA].cursor() as cursor:
            cursor.execute(_BEHIND, [written])
            behind = cursor.fetchone()[0]
    except DatabaseError as error:
        return f"The replica does not answer ({type(error).__name__})"
    if behind is None:
        return "REPLICA_DATABASE_URL is no replica, or has replayed nothing yet"
    if behind > settings.REPLICA_MAX_LAG_S:
        return f"The replica is {behind:.0f} s behind, more than {settings.REPLICA_MAX_LAG_S:g} s"
    return ""


_state = _State()


def fault() -> str:
    """Why pages are not read from the replica; "" when they are, or when there is none."""
    return _state.fault() if is_configured() else ""


def failed(error: Exception) -> None:
    """A read from it failed: the next ones go to the primary until it was asked again."""
    _state.failed(error)
