"""Hand-written SQL, where the ORM cannot say what the index needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.db import connections, transaction

from cgexplorer.store import replica


def rows(sql: str, parameters: list[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connections[replica.alias()].cursor() as cursor:
        cursor.execute(sql, parameters or [])
        return cast(list[tuple[Any, ...]], cursor.fetchall())


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Every statement inside sees the same state of the store. Within a transaction, its own isolation holds."""
    using = replica.alias()
    connection = connections[using]
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic(using=using):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
