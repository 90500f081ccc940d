"""How an answer divides: by package type, name, role and licence. Each count is what choosing the value would find."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cgexplorer.spdx.query_filters import licenses_of
from cgexplorer.store.queries.held_by import JOINS, HeldBy
from cgexplorer.store.queries.package_names import Found
from cgexplorer.store.queries.rows import rows

MAX_VALUES = 8  # of one facet; the most frequent ones

type Key = tuple[str, ...]


class Value(msgspec.Struct, frozen=True):
    """`key`: (type,), (type, namespace, name), (role,) or (licence,)."""

    key: Key
    images: int
    digests: int


class Facet(msgspec.Struct, frozen=True):
    name: str  # "type", "name", "role" or "license"
    values: tuple[Value, ...]
    more: int  # values beyond those listed


def facets(held_by: HeldBy, packages: Iterable[Found]) -> tuple[Facet, ...]:
    """Facets with more than one value: the others would divide nothing."""
    found = tuple(packages)
    by_name = {name: _keys(name, found) for name in ("type", "name", "role", "license")}
    dividing = {name: keys for name, keys in by_name.items() if len({key for some in keys for key in some}) > 1}
    if not dividing:
        return ()
    counted = _counted(held_by, found, dividing)
    found_facets = (_facet(name, [value for facet, value in counted if facet == name]) for name in dividing)
    # Packages that only digests out of scope hold divide nothing.
    return tuple(facet for facet in found_facets if len(facet.values) > 1)


def _keys(name: str, packages: tuple[Found, ...]) -> list[tuple[Key, ...]]:
    """For each package the values that it has: several licences, one of the others."""
    if name == "type":
        return [((package.ecosystem,),) for package in packages]
    if name == "name":
        return [((package.ecosystem, package.namespace, package.name),) for package in packages]
    if name == "role":
        return [((package.role,),) for package in packages]
    return [tuple((licence,) for licence in licenses_of(package.license)) for package in packages]


def _counted(
    held_by: HeldBy, packages: tuple[Found, ...], dividing: dict[str, list[tuple[Key, ...]]]
) -> list[tuple[str, Value]]:
    number: dict[tuple[str, Key], int] = {}
    pairs = [
        (package.id, number.setdefault((name, key), len(number)))
        for name, keys in dividing.items()
        for package, some in zip(packages, keys, strict=True)
        for key in some
    ]
    counted = rows(
        f"""WITH h AS MATERIALIZED (
          SELECT DISTINCT u.id AS package, s.image_id, s.manifest_id AS id FROM unnest(%s::int[]) u(id)
          {held_by.each} {JOINS.format(sbom="sp.sbom_id")} WHERE {held_by.allowed})
        SELECT v.number, count(DISTINCT h.image_id), count(DISTINCT h.id)
        FROM h JOIN unnest(%s::int[], %s::int[]) v(package, number) USING (package) GROUP BY v.number""",  # noqa: S608
        [[package.id for package in packages], [one for one, _ in pairs], [one for _, one in pairs]],
    )
    names = list(number)
    return [(names[n][0], Value(names[n][1], images, digests)) for n, images, digests in counted]


def _facet(name: str, values: list[Value]) -> Facet:
    values.sort(key=lambda value: (-value.digests, value.key))
    return Facet(name, tuple(values[:MAX_VALUES]), max(0, len(values) - MAX_VALUES))
