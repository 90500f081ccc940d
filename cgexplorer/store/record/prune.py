"""Drops rows that a retention rule says may go, and then shared rows that nothing uses any more.

What is signed stays, and everything that was ever judged or seen: only what a document's bytes give again is dropped.
Each step is one short transaction after which everything agrees; killed in between, the next run does the rest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import cast

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from cgexplorer.store.models import Image, Sbom
from cgexplorer.store.queries import prunable
from cgexplorer.store.queries.prunable import Going, Rule
from cgexplorer.store.record import images, saved_searches
from cgexplorer.store.record.packages import ROWS_LOCK

SBOMS_A_STEP = 100  # of one image, whose other writers wait meanwhile
ROWS_A_STEP = 10_000  # ids looked at
PATIENCE_MS = 200  # fetches queue behind one who waits for the shared rows, so it soon gives way

_DROP = (
    # Another SBOM of the image stands in for the one that held it first, or nothing of the image holds it.
    """UPDATE store_packageimage i SET first_sbom_id = other.sbom_id FROM (
        SELECT u.id, min(p.sbom_id) AS sbom_id FROM store_sbompackages p CROSS JOIN LATERAL unnest(p.package_ids) u(id)
        WHERE p.image_id = %(image)s AND p.sbom_id <> ALL(%(sboms)s) GROUP BY 1) other
    WHERE i.image_id = %(image)s AND i.first_sbom_id = ANY(%(sboms)s) AND i.package_id = other.id""",
    "DELETE FROM store_packageimage WHERE image_id = %(image)s AND first_sbom_id = ANY(%(sboms)s)",
    "DELETE FROM store_sbompackages WHERE sbom_id = ANY(%(sboms)s)",
    "DELETE FROM store_sbomgraph WHERE sbom_id = ANY(%(sboms)s)",
    "DELETE FROM store_sbomdetail WHERE sbom_id = ANY(%(sboms)s)",
)
# What uses a row. Every package of an SBOM is in the rollup of its image, so the rollup answers for the arrays.
_UNUSED = {
    "package": "NOT EXISTS (SELECT FROM store_packageimage i WHERE i.package_id = t.id)",
    "component": "NOT EXISTS (SELECT FROM store_package k WHERE k.component_id = t.id)",
    "license": "NOT EXISTS (SELECT FROM store_package k WHERE k.license_id = t.id)",
}
KINDS = tuple(_UNUSED)  # each is used by the one before


class Busy(Exception):
    """Fetches are using the shared rows just now."""


@transaction.atomic
def some(image: Image, rule: Rule, now: dt.datetime, limit: int = SBOMS_A_STEP) -> Going:
    """Drop the rows of some SBOMs of this image. The rule is asked again when nobody else can move its tags."""
    images.lock(image)
    saved_searches.begin()  # none is saved meanwhile that finds what goes
    gone = prunable.going(image, rule, now, limit)
    if gone.sboms:
        with connection.cursor() as cursor:
            for statement in _DROP:
                cursor.execute(statement, {"image": image.pk, "sboms": list(gone.sboms)})
        Sbom.objects.filter(pk__in=gone.sboms).update(indexed=False, pruned_at=now, pruned_by=str(rule))
    return gone


def unused(kind: str, wait: Callable[[], bool]) -> Iterator[int]:
    """Delete the rows of this kind that nothing uses, and tell how many at each step.

    When fetches use the shared rows, `wait` is called before the next attempt. Raises Busy once it answers False.
    """
    after = 0
    while (last := _last(kind, after)) is not None:
        while candidates := _candidates(kind, after, last):
            try:
                yield _delete(kind, candidates)
                break
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                if not wait():
                    raise Busy from error
        after = last


def _last(kind: str, after: int) -> int | None:
    """The last id of the next step."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT max(id) FROM (SELECT id FROM store_{kind} WHERE id > %s ORDER BY id LIMIT %s) t",  # noqa: S608
            [after, ROWS_A_STEP],
        )
        (last,) = cast("tuple[int | None]", cursor.fetchone())
        return last


def _candidates(kind: str, after: int, last: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM store_{kind} t WHERE id > %s AND id <= %s AND {_UNUSED[kind]}",  # noqa: S608
            [after, last],
        )
        return [found for (found,) in cursor.fetchall()]


@transaction.atomic
def _delete(kind: str, candidates: list[int]) -> int:
    """Alone with the shared rows: nobody has looked one up whose SBOM is not stored yet.

    Two statements, so that the second sees all that was stored before the lock was had.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{PATIENCE_MS}ms"])
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", ROWS_LOCK)
        if kind == "component":
            cursor.execute(
                "DELETE FROM store_componentcpe c USING store_component t"  # noqa: S608
                f" WHERE c.component_id = t.id AND t.id = ANY(%s) AND {_UNUSED[kind]}",
                [candidates],
            )
        cursor.execute(f"DELETE FROM store_{kind} t WHERE t.id = ANY(%s) AND {_UNUSED[kind]}", [candidates])  # noqa: S608
        return int(cursor.rowcount)
