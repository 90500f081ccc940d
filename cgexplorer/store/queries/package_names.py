"""The first half of a search: which stored packages does a query mean? Answers ids, in the order of the result."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from cgexplorer.spdx import purl
from cgexplorer.spdx.query import Query, QueryError
from cgexplorer.spdx.query_filters import cpe_allows
from cgexplorer.spdx.versions import VersionRange, key_range, matches
from cgexplorer.store.queries.package_filters import conditions, like
from cgexplorer.store.queries.rows import rows

MAX_NAMES = 300  # names that a part of a name may stand for; beyond, the answer says that it is cut
MAX_PACKAGES = 50_000  # package versions of one answer
MAX_NAMES_LIKE = 5
_WITH_EPOCHS = frozenset({"deb", "rpm"})
_LOOSELY_NAMED = ["pypi", "cargo"]
_SEPARATORS = re.compile(r"[-_.]+")

type MatchedBy = Literal["name", "built from", "part of the name", "filter"]


class Found(msgspec.Struct, frozen=True):
    """One stored package that the query means."""

    id: int
    ecosystem: str
    namespace: str
    name: str
    version: str
    version_key: bytes | None
    arch: str
    purl: str
    built_from: str
    role: str
    license: str  # expression; "" when none is stated
    matched_by: MatchedBy


class Names(msgspec.Struct, frozen=True):
    """`found` is ordered: whole names before source names, then by type and name, the highest version first.

    `unordered` are versions that no comparator of their ecosystem understands: nobody knows whether they match.
    """

    found: tuple[Found, ...]
    unordered: tuple[Found, ...]
    cut_off_names: bool = False
    named_in: tuple[str, ...] = ()  # ecosystems that have the name, in whatever version
    hidden_by_epoch: tuple[str, str] = ("", "")  # ecosystem and version of one that would match but for its epoch
    like_it: tuple[str, ...] = ()  # names that look like the query, when no name is it: "did you mean"

    @property
    def ecosystems(self) -> tuple[str, ...]:
        return tuple(sorted({package.ecosystem for package in (*self.found, *self.unordered)}))


def names(query: Query, *, by_part: bool = False) -> Names:
    """Packages named so, and those built from a source named so; when there are none, a part of the name will do.

    Without a name, all that the filters let through. Raises QueryError when the query means more packages than one
    answer can hold.
    """
    if not query.name or by_part:
        return named(query, by_part=by_part)
    components = _components(query)
    packages = _whole(query, components)
    if not packages and not components and query.can_match_part:
        by_part_of_it = _by_part(query)
        found = by_part_of_it.found or by_part_of_it.unordered
        return by_part_of_it if found else msgspec.structs.replace(by_part_of_it, like_it=_names_like(query))
    return _judged(query, packages, components)


def named(query: Query, *, by_part: bool = False, image: int | None = None) -> Names:
    """As `names`, of one image only when it is given, and by a part of the name only when that is asked for."""
    if not query.name:
        return _judged(query, _by_filters(query, image))
    if by_part and query.can_match_part:
        return _by_part(query, image)
    components = _components(query)
    return _judged(query, _whole(query, components, image), components)


def _whole(query: Query, components: list[_Component], image: int | None = None) -> list[Found]:
    packages = _packages(query, components, "name", image)
    seen = {package.id for package in packages}
    return packages + [package for package in _built_from(query, components, image) if package.id not in seen]


def _asked(query: Query, image: int | None) -> tuple[str, list[object]]:
    """What is asked of `p` beside its name."""
    condition, parameters = conditions(query.filters)
    if image is None:
        return condition, parameters
    held = "EXISTS (SELECT FROM store_packageimage pi WHERE pi.package_id = p.id AND pi.image_id = %s)"
    return f"{condition} AND {held}", [*parameters, image]


def _names_like(query: Query) -> tuple[str, ...]:
    """Names, of sources too, a slip of the finger away from this one, the nearest first."""
    found = rows(
        "SELECT name FROM (SELECT name FROM store_component WHERE name %% %s AND %s IN ('', ecosystem)"
        " UNION SELECT p.built_from FROM store_package p JOIN store_component c ON c.id = p.component_id"
        " WHERE p.built_from <> '' AND p.built_from %% %s AND %s IN ('', c.ecosystem)) alike"
        " ORDER BY similarity(name, %s) DESC, name LIMIT %s",
        [query.name, query.ecosystem, query.name, query.ecosystem, query.name, MAX_NAMES_LIKE],
    )
    return tuple(name for (name,) in found)


def _by_filters(query: Query, image: int | None) -> list[Found]:
    condition, parameters = _asked(query, image)
    found = _found(
        rows(
            f"SELECT {_COLUMNS} WHERE {condition} AND %s IN ('', c.ecosystem) LIMIT %s",
            [*parameters, query.ecosystem, MAX_PACKAGES + 1],
        ),
        "filter",
    )
    _check_number(found, query)
    return found


def _by_part(query: Query, image: int | None = None) -> Names:
    components = _components_with(query, "%" + like(query.name) + "%", MAX_NAMES + 1)
    kept = components[:MAX_NAMES]
    judged = _judged(query, _packages(query, kept, "part of the name", image), kept)
    return msgspec.structs.replace(judged, cut_off_names=len(components) > MAX_NAMES)


type _Component = tuple[int, str, str]  # id, ecosystem, name


def _components(query: Query) -> list[_Component]:
    """Components with exactly this name, in any spelling of upper and lower case."""
    if query.is_purl:
        found = rows(
            "SELECT id, ecosystem, name, namespace FROM store_component WHERE name ILIKE %s AND ecosystem = %s",
            [like(query.name), query.ecosystem],
        )
        return [(*one, name) for *one, name, namespace in found if _is(namespace, query)] + _spelled_otherwise(query)
    found = _components_with(query, like(query.name), MAX_PACKAGES)
    for namespace, name in query.alternatives:
        found += rows(
            "SELECT id, ecosystem, name FROM store_component WHERE name ILIKE %s AND namespace ILIKE %s"
            " AND %s IN ('', ecosystem)",
            [like(name), like(namespace), query.ecosystem],
        )
    return found + _spelled_otherwise(query)


def _spelled_otherwise(query: Query) -> list[_Component]:
    """Components whose index says that this is their name: typing_extensions of pypi is typing-extensions."""
    if query.namespace or query.ecosystem not in ("", *_LOOSELY_NAMED) or not _SEPARATORS.search(query.name):
        return []
    found: list[_Component] = rows(
        "SELECT id, ecosystem, name FROM store_component WHERE name ILIKE %s AND ecosystem = ANY(%s)",
        ["%".join(map(like, _SEPARATORS.split(query.name))), [query.ecosystem] if query.ecosystem else _LOOSELY_NAMED],
    )
    return [one for one in found if purl.one_spelling(one[1], one[2]) == purl.one_spelling(one[1], query.name)]


def _is(namespace: str, query: Query) -> bool:
    return namespace.casefold() == (query.namespace or "").casefold()


def _components_with(query: Query, pattern: str, limit: int) -> list[_Component]:
    return rows(
        # Shortest first: when the names are cut off, those most like the query stay.
        "WITH c AS MATERIALIZED (SELECT id, ecosystem, name FROM store_component WHERE name ILIKE %s)"
        " SELECT id, ecosystem, name FROM c WHERE %s IN ('', ecosystem)"
        " ORDER BY length(name), name, ecosystem, id LIMIT %s",
        [pattern, query.ecosystem, limit],
    )


_COLUMNS = """p.id, c.ecosystem, c.namespace, c.name, p.version, p.version_key, p.arch, p.purl, p.built_from,
  p.role, coalesce(l.expression, '')
  FROM store_package p JOIN store_component c ON c.id = p.component_id
  LEFT JOIN store_license l ON l.id = p.license_id"""


def _packages(query: Query, components: list[_Component], matched_by: MatchedBy, image: int | None) -> list[Found]:
    found: list[Found] = []
    asked, asked_parameters = _asked(query, image)
    for ecosystem in sorted({ecosystem for _, ecosystem, _ in components}):
        ids = [key for key, said, _ in components if said == ecosystem]
        condition, parameters = _version_condition(ecosystem, query.versions)
        found_rows = rows(
            f"SELECT {_COLUMNS} WHERE p.component_id = ANY(%s::int[]) AND {condition} AND {asked} LIMIT %s",
            [ids, *parameters, *asked_parameters, MAX_PACKAGES + 1],
        )
        found += _found(found_rows, matched_by)
        _check_number(found, query)
    return found


def _built_from(query: Query, components: list[_Component], image: int | None) -> list[Found]:
    """libssl3 answers to openssl, and to `pkg:apk/wolfi/openssl`: that is how advisories name a source.

    One name is one source, so its packages are few enough to be judged one by one. The source is spelled as typed, in
    lower case, or as the components of that name are: NetworkManager.
    """
    asked, parameters = _asked(query, image)
    spelled = {name for _, _, name in components if name.casefold() == query.name.casefold()}
    sources = rows(
        f"SELECT {_COLUMNS} WHERE p.built_from <> '' AND p.built_from = ANY(%s) AND %s IN ('', c.ecosystem)"
        f" AND {asked} LIMIT %s",
        [
            sorted({query.name, query.name.lower(), *spelled}),
            query.ecosystem,
            *parameters,
            MAX_PACKAGES + 1,
        ],
    )
    found = _found(sources, "built from")
    _check_number(found, query)
    return [one for one in found if not query.is_purl or _is(one.namespace, query)]


def _version_condition(ecosystem: str, wanted: VersionRange | None) -> tuple[str, list[object]]:
    """Lets the index (component, version_key) leave out most; `matches` decides about the rest."""
    keys = key_range(ecosystem, wanted) if wanted else None
    if keys is None or (keys.low is None and keys.high is None):
        return "TRUE", []
    bounds, parameters = [], list[object]()
    if keys.low is not None:
        bounds.append("p.version_key >= %s")
        parameters.append(keys.low)
    if keys.high is not None:
        bounds.append("p.version_key <= %s")
        parameters.append(keys.high)
    # Versions with an epoch are judged too, so that the answer can say that they were left out for it.
    others = "p.version_key IS NULL OR p.version LIKE '%%:%%'" if ecosystem in _WITH_EPOCHS else "p.version_key IS NULL"
    return f"({others} OR ({' AND '.join(bounds)}))", parameters


def _judged(query: Query, packages: list[Found], components: Iterable[_Component] = ()) -> Names:
    found: list[Found] = []
    unordered: list[Found] = []
    hidden = ("", "")
    cpe = query.filters.cpe
    for package in packages:
        if query.arch and package.arch and package.arch != query.arch:
            continue
        if cpe is not None and not cpe_allows(cpe, package.ecosystem, package.version):
            continue
        holds = matches(package.ecosystem, package.version, query.versions) if query.versions else True
        if holds is not False:
            (found if holds else unordered).append(package)
        elif not hidden[0] and _is_hidden_by_epoch(package, query.versions):
            hidden = package.ecosystem, package.version
    named_in = {package.ecosystem for package in packages} | {ecosystem for _, ecosystem, _ in components}
    return Names(tuple(_ordered(found)), tuple(_ordered(unordered)), False, tuple(sorted(named_in)), hidden)


def _is_hidden_by_epoch(package: Found, wanted: VersionRange | None) -> bool:
    """Whether it would match had it no epoch, as whoever typed a range without one may think."""
    if wanted is None or package.ecosystem not in _WITH_EPOCHS or any(":" in one.version for one in wanted.constraints):
        return False
    _, colon, version = package.version.partition(":")
    return bool(colon) and matches(package.ecosystem, version, wanted) is True


def _ordered(packages: list[Found]) -> list[Found]:
    packages.sort(key=lambda package: (package.version_key or b"", package.version, package.id), reverse=True)
    packages.sort(
        key=lambda package: (package.matched_by != "name", package.ecosystem, package.name, package.namespace)
    )
    return packages


def _check_number(found: list[Found], query: Query) -> None:
    if len(found) > MAX_PACKAGES:
        raise QueryError(
            f"{str(query)!r} means more than {MAX_PACKAGES:,} package versions; type more of the name, or a version."
        )


def _found(found: list[tuple[Any, ...]], matched_by: MatchedBy) -> list[Found]:
    return [
        Found(
            key, ecosystem, namespace, name, version, bytes(order) if order else None, arch, purl, source, role,
            expression, matched_by,
        )
        for key, ecosystem, namespace, name, version, order, arch, purl, source, role, expression in found
    ]  # fmt: skip
