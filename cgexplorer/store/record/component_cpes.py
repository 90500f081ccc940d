"""Which components a CPE names: vendor and product, once for all documents that say so."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from django.db import connection

from cgexplorer.spdx.query_filters import FilterError, parse_cpe

MAX_CHARACTERS = 200  # of a vendor or a product; a longer one is nobody's


def add(named: Iterable[tuple[int, str]]) -> None:
    """Remember these (component id, CPE as written). What is no CPE is passed over: the document keeps it."""
    wanted = {(component, *name) for component, text in named if (name := _vendor_and_product(text)) is not None}
    if not wanted:
        return
    ids = sorted({component for component, _, _ in wanted})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT component_id, vendor, product FROM store_componentcpe WHERE component_id = ANY(%s::int[])", [ids]
        )
        new = sorted(wanted - set(cursor.fetchall()))
        if new:
            cursor.execute(
                "INSERT INTO store_componentcpe (component_id, vendor, product)"
                " SELECT * FROM unnest(%s::int[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
                [list(column) for column in zip(*new, strict=True)],
            )


@lru_cache(maxsize=65_536)
def _vendor_and_product(text: str) -> tuple[str, str] | None:
    try:
        cpe = parse_cpe(text)
    except FilterError:
        return None
    name = (cpe.vendor, cpe.product)
    return name if all(len(part) <= MAX_CHARACTERS and part.isprintable() for part in name) else None
