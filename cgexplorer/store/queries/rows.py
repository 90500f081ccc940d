"""Hand-written SQL, where the ORM cannot say what the index needs."""

from __future__ import annotations

from typing import Any, cast

from django.db import connection


def rows(sql: str, parameters: list[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or [])
        return cast(list[tuple[Any, ...]], cursor.fetchall())
