"""Where is this package? Ids first (package_names), then the SBOMs that hold them, then the universe."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice

import msgspec

from cgexplorer.spdx.query import Query, Scope
from cgexplorer.store.queries.facets import Facet, facets
from cgexplorer.store.queries.held_by import JOINS, MANY_IDS, HeldBy
from cgexplorer.store.queries.held_by import of as held_by_of
from cgexplorer.store.queries.package_names import Found, MatchedBy, Names, names
from cgexplorer.store.queries.rows import one_snapshot, rows
from cgexplorer.store.queries.universe import TAGS, Universe, universe

MAX_EXPORT_ROWS = 100_000
MAX_UNORDERED = 100  # rows with versions without an order on a page; a file has as many of them as of the others


GOOD = ("verified", "verified-stale", "no-policy")  # signed, and nobody says by somebody wrong


class Hit(msgspec.Struct, frozen=True):
    """One package in one digest. `state` is that of the SBOM that says so, `image_state` that of the image itself."""

    purl: str
    ecosystem: str
    namespace: str
    name: str
    version: str
    arch: str
    built_from: str
    matched_by: MatchedBy
    image: str
    tags: tuple[str, ...]
    digest: str
    platform: str
    state: str
    image_state: str
    package_id: int
    manifest_id: int
    sbom_id: int  # of the SBOM that says so

    @property
    def image_doubted(self) -> bool:
        """The SBOM may be believed, the image that it describes not: it must not pass for a verified one."""
        return self.state in GOOD and self.image_state not in GOOD


class Position(msgspec.Struct, frozen=True):
    """The last row of a page: the next page begins behind it."""

    package_id: int
    image: str
    manifest_id: int


class Answer(msgspec.Struct, frozen=True):
    """One page of hits, and what they are out of."""

    query: Query
    scope: Scope
    include_unverified: bool
    names: Names
    universe: Universe
    images: int
    digests: int
    hits: tuple[Hit, ...]
    unordered: tuple[Hit, ...]
    facets: tuple[Facet, ...]
    after: Position | None  # None on the last page
    unordered_cut_off: bool = False  # there are more of them

    @property
    def without_it(self) -> int:
        """Images that were searched and do not hold it."""
        return max(0, self.universe.searched_images - self.images)


def search(
    query: Query,
    *,
    scope: Scope = "current",
    include_unverified: bool = False,
    by_part: bool = False,
    after: Position | None = None,
    limit: int = 100,
    with_facets: bool = False,
) -> Answer:
    """Every digest in scope that holds a package the query means. Raises QueryError when it means too many."""
    with one_snapshot():
        meant = names(query, by_part=by_part)
        held_by = held_by_of(scope, include_unverified=include_unverified)
        images, digests = _totals(held_by, [package.id for package in meant.found])
        hits = _hits(held_by, meant.found, after, limit + 1) if digests else []
        more = len(hits) > limit
        most = max(limit, MAX_UNORDERED)
        unordered = _hits(held_by, meant.unordered, None, most + 1) if after is None else []
        return Answer(
            query=query,
            scope=scope,
            include_unverified=include_unverified,
            names=meant,
            universe=universe(scope, include_unverified=include_unverified),
            images=images,
            digests=digests,
            hits=tuple(hits[:limit]),
            facets=facets(held_by, meant.found) if with_facets and digests else (),
            unordered=tuple(unordered[:most]),
            unordered_cut_off=len(unordered) > most,
            after=Position(hits[limit - 1].package_id, hits[limit - 1].image, hits[limit - 1].manifest_id)
            if more
            else None,
        )


# Many sign only the index: then that is the signature of its platforms.
_IMAGE_STATE = """CASE WHEN m.state = 'unsigned' THEN coalesce((SELECT x.state FROM store_indexentry n
  JOIN store_manifest x ON x.id = n.index_id WHERE n.manifest_id = m.id
  ORDER BY x.state = 'verified' DESC, x.id DESC LIMIT 1), m.state) ELSE m.state END"""


def _totals(held_by: HeldBy, ids: list[int]) -> tuple[int, int]:
    if not ids:
        return 0, 0
    found = held_by.many if len(ids) > MANY_IDS else held_by.any
    # MATERIALIZED: without it the planner walks the primary key of a common package.
    sql = (
        f"WITH h AS MATERIALIZED ({found}) SELECT count(DISTINCT s.image_id), count(DISTINCT s.manifest_id)"  # noqa: S608
        f" FROM h {JOINS.format(sbom='h.sbom_id')} WHERE {held_by.allowed}"
    )
    images, digests = rows(sql, [ids])[0]
    return images, digests


def _hits(held_by: HeldBy, packages: tuple[Found, ...], after: Position | None, limit: int) -> list[Hit]:
    """Version by version in the order of the result, a few at a time until the page is full."""
    versions = [tuple(some) for _, some in groupby(packages, key=_version)]
    start = next(
        (n for n, some in enumerate(versions) if after and after.package_id in {package.id for package in some}), None
    )
    if start is None:
        # The first page; or that package is gone, and the list begins again rather than ending early.
        start, after = 0, None
    hits: list[Hit] = []
    remaining, size = iter(versions[start:]), 8
    while len(hits) < limit and (some := tuple(islice(remaining, size))):
        for places in _places(held_by, some, after):
            hits += _hits_of(held_by, some, places, after, limit - len(hits))
            if len(hits) >= limit:
                break
        after, size = None, min(size * 2, 256)
    return hits


type _Places = list[tuple[int, int, int]]  # package, position of its version and image, in the order of the result


def _places(
    held_by: HeldBy, versions: tuple[tuple[Found, ...], ...], after: Position | None
) -> Iterator[_Places | None]:
    """Images that ever held these versions, a few at a time; None when an index finds their SBOMs without."""
    if not held_by.in_image:
        yield None
        return
    begin = after.image if after else ""
    found = iter(
        rows(
            f"""SELECT u.id, u.position, pi.image_id FROM unnest(%s::int[], %s::int[]) u(id, position) {held_by.images}
            JOIN store_image i ON i.id = pi.image_id WHERE u.position > 1 OR i.name >= %s
            ORDER BY u.position, i.name""",  # noqa: S608
            [*_positions(versions), begin],
        )
    )
    by_image = (list(some) for _, some in groupby(found, key=lambda place: place[1:]))
    size = 8
    while some := [place for places in islice(by_image, size) for place in places]:
        yield some
        size *= 2


def _positions(versions: tuple[tuple[Found, ...], ...]) -> tuple[list[int], list[int]]:
    pairs = [(package.id, position) for position, some in enumerate(versions, 1) for package in some]
    return [package for package, _ in pairs], [position for _, position in pairs]


def _version(package: Found) -> tuple[str, ...]:
    """What a heading of the result is about; packages of several architectures share it."""
    return package.matched_by, package.ecosystem, package.namespace, package.name, package.version


def _hits_of(
    held_by: HeldBy,
    versions: tuple[tuple[Found, ...], ...],
    places: _Places | None,
    after: Position | None,
    limit: int,
) -> list[Hit]:
    """`after` lies within the first of these versions."""
    packages = {package.id: package for some in versions for package in some}
    begin = (after.image, after.manifest_id, after.package_id) if after else ("", 0, 0)
    if places is None:
        asked: list[list[int]] = list(_positions(versions))
        source = f"unnest(%s::int[], %s::int[]) u(id, position) {held_by.each}"
    else:
        asked = [list(column) for column in zip(*places, strict=True)]
        source = f"unnest(%s::int[], %s::int[], %s::bigint[]) u(id, position, image) {held_by.in_image}"
    found = rows(
        f"""WITH h AS MATERIALIZED (
          SELECT DISTINCT ON (u.position, i.name, s.manifest_id, u.id) u.position, i.name, s.manifest_id,
            u.id AS package, e.state, s.id AS sbom
          FROM {source} {JOINS.format(sbom="sp.sbom_id")} JOIN store_image i ON i.id = sp.image_id
          WHERE {held_by.allowed} AND (u.position, i.name, s.manifest_id, u.id) > (1, %s, %s, %s)
          ORDER BY u.position, i.name, s.manifest_id, u.id, e.state = 'verified' DESC NULLS LAST, s.id DESC LIMIT %s)
        SELECT h.package, h.name, {TAGS}, m.digest, m.platform, coalesce(h.state, 'unsigned'), {_IMAGE_STATE}, m.id,
          h.sbom
        FROM h JOIN store_manifest m ON m.id = h.manifest_id
        ORDER BY h.position, h.name, m.id, h.package""",  # noqa: S608
        [*asked, *begin, limit],
    )
    return [
        _hit(packages[package], image, tags, digest, platform, state, image_state, *ids)
        for package, image, tags, digest, platform, state, image_state, *ids in found
    ]


def _hit(
    package: Found,
    image: str,
    tags: list[str],
    digest: str,
    platform: str,
    state: str,
    image_state: str,
    manifest: int,
    sbom: int,
) -> Hit:
    return Hit(
        purl=package.purl,
        ecosystem=package.ecosystem,
        namespace=package.namespace,
        name=package.name,
        version=package.version,
        arch=package.arch,
        built_from=package.built_from,
        matched_by=package.matched_by,
        image=image,
        tags=tuple(tags),
        digest=digest,
        platform=platform,
        state=state,
        image_state=image_state,
        package_id=package.id,
        manifest_id=manifest,
        sbom_id=sbom,
    )
