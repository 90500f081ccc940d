"""Saved searches: what each finds in an image, and whose answer a change can touch."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable

import msgspec
import zstandard
from django.db.models import Count, Max, Q, Sum

from cgexplorer.drift import Held
from cgexplorer.spdx.purl import full_name
from cgexplorer.spdx.query import Query, QueryError, Scope, parse
from cgexplorer.store.models import Image, SavedAnswer, SavedSearch
from cgexplorer.store.queries.held_by import JOINS
from cgexplorer.store.queries.held_by import of as held_by_of
from cgexplorer.store.queries.package_names import Found, named
from cgexplorer.store.queries.rows import rows
from cgexplorer.store.queries.universe import TAGS

MAX_MATCHES = 200_000  # packages in digests that one saved search may find
MAX_HELD_BYTES = 512 << 20  # decoded; we wrote it, so more than this is damage
ORDER_UNKNOWN = " (order unknown)"

_decoder = msgspec.msgpack.Decoder(tuple[Held, ...])


class Answer(msgspec.Struct, frozen=True):
    """What a search finds in one image. `digests` counts those where it matches for sure, as the page does."""

    held: tuple[Held, ...] = ()
    digests: int = 0


NOTHING = Answer()


class Shown(msgspec.Struct, frozen=True):
    """All that decides where an SBOM is found, beside its packages, which never change."""

    is_searchable: bool
    is_verified: bool
    platform: str
    tags: tuple[str, ...]


class SavedRow(msgspec.Struct, frozen=True):
    search: SavedSearch
    images: int
    digests: int
    changed_at: dt.datetime | None  # None = not since it was saved
    problem: str  # why the answer is an old one; "" mostly


def asked(search: SavedSearch) -> Query:
    """Raises QueryError when this version of cgexplorer reads the query no more."""
    return parse(search.q, search.v, search.type)


def said(search: SavedSearch) -> str:
    """`openssl<3.3.2 (apk, all digests, unverified too)`: the search in one line."""
    more = (
        search.type,
        "all digests" if search.scope == "all" else "",
        "unverified too" if search.include_unverified else "",
        "names that contain it" if search.by_part else "",
    )
    about = ", ".join(filter(None, more))
    return " ".join(filter(None, (search.q, search.v))) + (f" ({about})" if about else "")


def answers(search: SavedSearch, image: int | None = None) -> dict[int, Answer]:
    """By image (id): what the search finds now, in all images or in this one. Raises QueryError.

    Under `scope="current"` a package is at tags, so that a new build that holds the same is no change; with history it
    is in digests.
    """
    meant = named(asked(search), by_part=search.by_part, image=image)
    packages = {package.id: package for package in (*meant.found, *meant.unordered)}
    if not packages:
        return {}
    sure = {package.id for package in meant.found}
    scope: Scope = "all" if search.scope == "all" else "current"
    held_by = held_by_of(scope, include_unverified=search.include_unverified)
    here = "TRUE" if image is None else "sp.image_id = %s"
    pairs = rows(
        f"SELECT DISTINCT u.id, s.manifest_id FROM unnest(%s::int[]) u(id) {held_by.each}"  # noqa: S608
        f" {JOINS.format(sbom='sp.sbom_id')} WHERE {held_by.allowed} AND {here} LIMIT %s",
        [list(packages), *([] if image is None else [image]), MAX_MATCHES + 1],
    )
    if len(pairs) > MAX_MATCHES:
        raise QueryError(f"It finds more than {MAX_MATCHES:,} packages in digests; write more of what is wanted.")
    places = _places({manifest for _, manifest in pairs}, by_tag=scope == "current")
    found: dict[int, dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    digests: dict[int, set[int]] = defaultdict(set)
    for package, manifest in pairs:
        image_id, platform, at = places[manifest]
        said = _named(packages[package]) + ("" if package in sure else ORDER_UNKNOWN)
        found[image_id][said, platform].update(at)
        if package in sure:
            digests[image_id].add(manifest)
    return {
        image_id: Answer(
            tuple(sorted(Held(*key, tuple(sorted(at))) for key, at in some.items())), len(digests[image_id])
        )
        for image_id, some in found.items()
    }


def _places(manifests: Collection[int], *, by_tag: bool) -> dict[int, tuple[int, str, list[str]]]:
    """Image, platform, and the tags that lead to it or its digest."""
    at = TAGS if by_tag else "ARRAY[m.digest]"
    found = rows(
        f"SELECT m.id, m.image_id, m.platform, {at} FROM store_manifest m WHERE m.id = ANY(%s)",  # noqa: S608
        [list(manifests)],
    )
    return {manifest: (image, platform, list(names)) for manifest, image, platform, names in found}


def _named(package: Found) -> str:
    whole = full_name(package.ecosystem, package.namespace, package.name)
    return " ".join(filter(None, (package.ecosystem, whole, package.version)))


def shown(manifests: Iterable[int]) -> dict[int, Shown]:
    """Of the SBOMs (id) of these manifests, and of those that the indexes among them name."""
    found = rows(
        f"""SELECT s.id, sp.searchable, coalesce(e.state = 'verified', false), m.platform, {TAGS}
        FROM store_sbom s JOIN store_sbompackages sp ON sp.sbom_id = s.id JOIN store_manifest m ON m.id = s.manifest_id
        LEFT JOIN store_evidence e ON e.id = s.evidence_id
        WHERE m.id IN (SELECT unnest(%(these)s::bigint[]) UNION
            SELECT x.manifest_id FROM store_indexentry x WHERE x.index_id = ANY(%(these)s))""",  # noqa: S608
        {"these": list(manifests)},
    )
    return {
        sbom: Shown(searchable, verified, platform, tuple(tags)) for sbom, searchable, verified, platform, tags in found
    }


# Spelled as loosely as any index compares names: then rather one search more is asked than one too few.
_TOUCHED = """
WITH ids AS (SELECT DISTINCT unnest(package_ids) AS id FROM store_sbompackages WHERE sbom_id = ANY(%s)),
  packages AS (SELECT p.component_id, p.built_from FROM ids JOIN store_package p ON p.id = ids.id),
  changed AS MATERIALIZED (
    SELECT lower(c.name) AS name FROM packages p JOIN store_component c ON c.id = p.component_id
    UNION SELECT lower(built_from) FROM packages WHERE built_from <> '')
SELECT id FROM store_savedsearch WHERE EXISTS (SELECT FROM changed) AND (
  names = '{}'
  OR id IN (SELECT s.id FROM store_savedsearch s, unnest(s.names) n
            WHERE NOT s.by_part AND regexp_replace(lower(n), '[-_.]+', '-', 'g')
              IN (SELECT regexp_replace(name, '[-_.]+', '-', 'g') FROM changed))
  OR id IN (SELECT s.id FROM store_savedsearch s, unnest(s.names) n, changed
            WHERE s.by_part AND strpos(changed.name, lower(n)) > 0))
"""


def touched(sboms: Iterable[int]) -> list[SavedSearch]:
    """Searches that can mean a package of these SBOMs, by its name or that of its source."""
    keys = [key for (key,) in rows(_TOUCHED, [list(sboms)])]
    return list(SavedSearch.objects.filter(pk__in=keys).order_by("pk"))


def names_of(query: Query) -> list[str]:
    """Every name that a package, or its source, must have to be meant. Empty = any."""
    return list(dict.fromkeys(filter(None, (query.name, *(name for _, name in query.alternatives)))))


def held(answer: SavedAnswer | None) -> tuple[Held, ...]:
    if answer is None:
        return ()
    stored = zstandard.ZstdDecompressor().decompress(bytes(answer.held), max_output_size=MAX_HELD_BYTES)
    return _decoder.decode(stored)


def digests(image: Image) -> list[str]:
    """Of this image: those that saved searches over all history found. (The others hold tags.)"""
    answers = SavedAnswer.objects.filter(image=image, search__scope="all")
    return sorted({digest for answer in answers for one in held(answer) for digest in one.places})


def encoded(found: tuple[Held, ...]) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(found))


def searches() -> list[SavedRow]:
    """By name, with their last answer."""
    return _rows(SavedSearch.objects.order_by("name"))


def row(search: SavedSearch) -> SavedRow:
    return _rows([search])[0]


def _rows(searches: Iterable[SavedSearch]) -> list[SavedRow]:
    some = list(searches)
    found = SavedAnswer.objects.filter(search__in=some)
    sums = (
        found.values("search_id")
        .annotate(images=Count("pk", filter=Q(digests__gt=0)), digests=Sum("digests"), changed_at=Max("changed_at"))
        .values_list("search_id", "images", "digests", "changed_at")
    )
    figures = {key: (images, digests, changed_at) for key, images, digests, changed_at in sums}
    late = dict(found.exclude(problem="").order_by("-pk").values_list("search_id", "problem"))
    return [
        SavedRow(one, *figures.get(one.pk, (0, 0, None)), unreadable(one) or one.problem or late.get(one.pk, ""))
        for one in some
    ]


def headline(row: SavedRow) -> str:
    """`7 images, 9 digests`"""
    return f"{_counted(row.images, 'image')}, {_counted(row.digests, 'digest')}"


def unreadable(search: SavedSearch) -> str:
    """Why its query cannot be read; "" when it can."""
    try:
        asked(search)
    except QueryError as error:
        return str(error)
    return ""


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
