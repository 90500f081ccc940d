"""Statements whose bytes travel as bytes: Django spells them in the statement, in twice as many hexadecimal digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


@contextmanager
def cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A cursor of Django's own connection, and in its transaction. Call inside one."""
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as found:
        yield found
