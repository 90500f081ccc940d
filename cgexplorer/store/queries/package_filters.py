"""SQL of what a search asks beside a name. Conditions are about `p` (store_package) and `c`, its component."""

from __future__ import annotations

from cgexplorer.spdx.query import QueryError
from cgexplorer.spdx.query_filters import NOT_STATED, Cpe, Filters, license_matches, part_of_license
from cgexplorer.store.queries.rows import rows

MAX_LICENSES = 10_000  # expressions that one pattern may stand for


def conditions(filters: Filters) -> tuple[str, list[object]]:
    """A condition and its parameters; TRUE when nothing is asked. Raises QueryError when a filter means too much."""
    found: list[tuple[str, object]] = []
    if filters.license.upper() == NOT_STATED:
        found.append(("p.license_id IS NULL AND %s", True))
    elif filters.license:
        found.append(("p.license_id = ANY(%s::bigint[])", license_ids(filters.license)))
    if filters.supplier:
        found.append(("p.supplier ILIKE %s", f"%{like(filters.supplier)}%"))
    if filters.checksum:
        found.append(("p.checksum = %s", bytes.fromhex(filters.checksum)))
    if filters.role:
        found.append(("p.role = %s", filters.role))
    if filters.name:
        found.append(("%s IN (c.name, concat_ws('/', nullif(c.namespace, ''), c.name))", filters.name))
    if filters.cpe:
        found.append(("p.component_id = ANY(%s::int[])", _components(filters.cpe)))
    return " AND ".join(condition for condition, _ in found) or "TRUE", [parameter for _, parameter in found]


def license_ids(pattern: str) -> list[int]:
    """Expressions of which one licence is what the pattern says."""
    # A literal part lets PostgreSQL leave out most; the pattern itself decides about the rest.
    literal = part_of_license(pattern)
    found = rows(
        "SELECT id, expression FROM store_license WHERE expression ILIKE %s ORDER BY id LIMIT %s",
        [f"%{like(literal)}%", MAX_LICENSES + 1],
    )
    if len(found) > MAX_LICENSES:
        raise QueryError(f"license:{pattern} means more than {MAX_LICENSES:,} licence expressions; write more of it.")
    return [key for key, expression in found if license_matches(expression, pattern)]


def _components(cpe: Cpe) -> list[int]:
    found = rows(
        "SELECT component_id FROM store_componentcpe WHERE vendor = %s AND product = %s", [cpe.vendor, cpe.product]
    )
    return [key for (key,) in found]


def like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
