"""What a search looked at, and what it could not look at: a "no" is worth as much as the universe it names."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import msgspec
from django.db import connections

from cgexplorer.spdx.query import Scope
from cgexplorer.store import replica
from cgexplorer.store.queries.rows import rows

MAX_BLIND = 50  # digests without a verified SBOM that one answer lists; all are counted


class Blind(msgspec.Struct, frozen=True):
    """A digest that was not searched, and why."""

    image: str
    tags: tuple[str, ...]
    digest: str
    platform: str
    state: str
    reason: str


class Looked(Blind, frozen=True):
    """A digest in scope. When it was searched, `sboms` are the sha256 of the documents that were, `state` theirs, and
    `reason` says what of them, or beside them, was not."""

    searched: bool
    sboms: tuple[str, ...]
    manifest_id: int


class Universe(msgspec.Struct, frozen=True):
    """Images and platform digests in scope. An image is `searched` when one of its digests could be."""

    scope: Scope
    images: int
    digests: int
    searched_images: int
    searched_digests: int
    blind_images: tuple[str, ...]  # with at least one digest that was not searched, by name
    wholly_blind_images: int
    blind: tuple[Blind, ...]
    pruned_digests: int  # of those that were not searched: their SBOM's rows were dropped, manage.py reindex helps
    partly: tuple[Blind, ...] = ()  # searched, but not every package of every SBOM of theirs
    partly_digests: int = 0

    @property
    def blind_digests(self) -> int:
        return self.digests - self.searched_digests


def universe(scope: Scope, *, include_unverified: bool) -> Universe:
    """Asked of the counts that triggers keep (`store.models.universe`): what it costs grows with what is blind."""
    every, searched = _counts(scope, include_unverified=include_unverified)
    not_whole = _not_whole(every, searched, include_unverified=include_unverified)
    images, digests, searched_images, searched_digests, pruned_digests, partly_digests = rows(
        f"SELECT coalesce(sum(images_{every}), 0)::bigint, coalesce(sum({every}), 0)::bigint,"  # noqa: S608
        f" coalesce(sum(images_{searched}), 0)::bigint, coalesce(sum({searched}), 0)::bigint,"
        f" ({_PRUNED} AND {_NOT_SEARCHED[every][1]} AND NOT ({_DIGESTS[searched]})),"
        f" (SELECT count(DISTINCT s.manifest_id) {not_whole}) FROM store_universechange"
    )[0]
    blind_images = _blind_images(every, searched) if digests > searched_digests else []
    return Universe(
        scope=scope,
        images=images,
        digests=digests,
        searched_images=searched_images,
        searched_digests=searched_digests,
        blind_images=tuple(name for _, name in blind_images),
        wholly_blind_images=images - searched_images,
        # Each has a blind digest at least, so the first of them have the first of those.
        blind=_blind([image for image, _ in blind_images[:MAX_BLIND]], every, searched),
        pruned_digests=pruned_digests,
        partly=tuple(blind for _, blind in _partly(not_whole, MAX_BLIND)) if partly_digests else (),
        partly_digests=partly_digests,
    )


def looked(scope: Scope, *, include_unverified: bool) -> Iterator[Looked]:
    """Every digest in scope, by image, platform and digest, while it is read from the database."""
    allowed = _allowed(scope, include_unverified=include_unverified)
    every, searched = _counts(scope, include_unverified=include_unverified)
    sql = _described(
        f"SELECT u.manifest_id AS id, ({_DIGESTS[searched]}) AS searched FROM store_universedigest u"  # noqa: S608
        f" WHERE {'u.current' if scope == 'current' else 'TRUE'}",
        f"""ARRAY(SELECT DISTINCT encode(s.document_id, 'hex') {_SEARCHED_SBOMS} AND {allowed} ORDER BY 1),
        ARRAY(SELECT DISTINCT coalesce(e.state, 'unsigned') {_SEARCHED_SBOMS} AND {allowed} ORDER BY 1)""",
    )
    not_whole = _not_whole(every, searched, include_unverified=include_unverified)
    partly = {manifest: blind.reason for manifest, blind in _partly(not_whole, None)}
    with connections[replica.alias()].chunked_cursor() as cursor:
        cursor.execute(sql)
        while found := cursor.fetchmany(1000):
            for image, tags, digest, platform, *facts, could_be, manifest, sboms, states in found:
                state, reason = (", ".join(states), partly.get(manifest, "")) if could_be else _why(*facts)
                yield Looked(image, tuple(tags), digest, platform, state, reason, could_be, tuple(sboms), manifest)


_SEARCHED_SBOMS = """FROM store_sbom s JOIN store_sbompackages sp ON sp.sbom_id = s.id
          LEFT JOIN store_evidence e ON e.id = s.evidence_id WHERE s.manifest_id = m.id AND s.indexed"""


def _allowed(scope: Scope, *, include_unverified: bool) -> str:
    """SQL that says whether an SBOM is searched."""
    if include_unverified:
        return "TRUE"
    return "sp.searchable" if scope == "current" else "e.state = 'verified'"


# Of UniverseImage, and which digests each counts. No user's text comes near these.
_DIGESTS = {
    "current_held": "u.current AND u.held",
    "current_searchable": "u.current AND u.searchable",
    "ever_held": "u.held",
    "ever_verified": "u.verified",
}
# What the partial indexes hold: what the least demanding search does not look into is among it.
_NOT_SEARCHED = {
    "current": ("u.current > u.current_searchable", "u.current AND NOT u.searchable"),
    "ever": ("u.ever > u.ever_verified", "NOT u.verified"),
}


_PRUNED = """SELECT count(*) FROM store_universedigest u
  WHERE u.manifest_id IN (SELECT s.manifest_id FROM store_sbom s WHERE s.pruned_at IS NOT NULL)"""


def _counts(scope: Scope, *, include_unverified: bool) -> tuple[str, str]:
    if scope == "current":
        return "current", "current_held" if include_unverified else "current_searchable"
    return "ever", "ever_held" if include_unverified else "ever_verified"


def _blind_images(every: str, searched: str) -> list[tuple[int, str]]:
    """Id and name of images with a digest that was not searched, by name."""
    return rows(
        "SELECT i.id, i.name FROM store_universeimage u JOIN store_image i ON i.id = u.image_id"  # noqa: S608
        f" WHERE {_NOT_SEARCHED[every][0]} AND u.{every} > u.{searched} ORDER BY i.name"
    )


def _blind(images: list[int], every: str, searched: str) -> tuple[Blind, ...]:
    if not images:
        return ()
    first = f"""SELECT u.manifest_id AS id, FALSE AS searched FROM store_universedigest u
          JOIN store_manifest m ON m.id = u.manifest_id JOIN store_image i ON i.id = u.image_id
          WHERE u.image_id = ANY(%s::bigint[]) AND {_NOT_SEARCHED[every][1]} AND NOT ({_DIGESTS[searched]})
          ORDER BY i.name, m.platform, m.digest LIMIT %s"""  # noqa: S608
    found = rows(_described(first, "NULL"), [images, MAX_BLIND])
    return tuple(
        Blind(image, tuple(tags), digest, platform, *_why(*facts))
        for image, tags, digest, platform, *facts, _, _, _ in found
    )


def _not_whole(every: str, searched: str, *, include_unverified: bool) -> str:
    """SQL from FROM on: SBOMs (s, e) of searched digests that were not searched, or not to their end.

    One has more packages than are indexed, another could not be read, and lies beside one that could.
    """
    return f"""FROM store_sbom s JOIN store_universedigest u ON u.manifest_id = s.manifest_id
      LEFT JOIN store_evidence e ON e.id = s.evidence_id
      WHERE s.pruned_at IS NULL AND s.not_indexed_reason <> ''
        AND (NOT s.indexed OR position(' packages' IN s.not_indexed_reason) > 0)
        AND {"u.current" if every == "current" else "TRUE"} AND {_DIGESTS[searched]}
        AND {"TRUE" if include_unverified else "e.state = 'verified'"}"""


def _partly(not_whole: str, limit: int | None) -> list[tuple[int, Blind]]:
    """Their digests (manifest id), by image, platform and digest, and why each was not searched whole."""
    found = rows(
        f"""SELECT d.manifest_id, i.name, {TAGS}, m.digest, m.platform, d.state,
          CASE WHEN d.indexed THEN d.reason ELSE 'another SBOM: ' || d.reason END
        FROM (SELECT DISTINCT ON (s.manifest_id) s.manifest_id, coalesce(e.state, 'unsigned') AS state, s.indexed,
            s.not_indexed_reason AS reason {not_whole} ORDER BY s.manifest_id, s.indexed DESC, s.id DESC) d
        JOIN store_manifest m ON m.id = d.manifest_id JOIN store_image i ON i.id = m.image_id
        ORDER BY i.name, m.platform, m.digest LIMIT %s""",  # noqa: S608  (SQL of ours)
        [limit],
    )
    return [
        (manifest, Blind(image, tuple(tags), digest, platform, state, reason))
        for manifest, image, tags, digest, platform, state, reason in found
    ]


def _described(within: str, more: str) -> str:
    """SQL of digests in order, with what `_why` needs, whether each was searched, its id, and these columns more."""
    return f"""WITH d AS MATERIALIZED ({within})
        SELECT i.name, {TAGS}, m.digest, m.platform, m.problem, m.state, m.state_reason,
          sbom.id, sbom.indexed, sbom.not_indexed_reason, sbom.pruned_at, sbom.evidence_id, spdx.state, spdx.reason,
          (SELECT r.problems FROM store_verificationrun r WHERE r.manifest_id = m.id ORDER BY r.id DESC LIMIT 1),
          (SELECT count(*) FROM store_evidence e WHERE e.manifest_id = m.id AND e.kind = 'attestation'
            AND e.state NOT IN ('verified', 'verified-stale') AND e.payload_id IS NULL),
          d.searched, m.id, {more}
        FROM d JOIN store_manifest m ON m.id = d.id JOIN store_image i ON i.id = m.image_id
        LEFT JOIN LATERAL (SELECT s.id, s.indexed, s.not_indexed_reason, s.pruned_at, s.evidence_id FROM store_sbom s
          WHERE s.manifest_id = m.id ORDER BY s.id DESC LIMIT 1) sbom ON TRUE
        LEFT JOIN LATERAL (SELECT e.state, e.reason FROM store_evidence e WHERE e.manifest_id = m.id
          AND e.predicate_type ~ '^https://(spdx[.]dev/Document|cyclonedx[.]org/bom)'
          ORDER BY e.id DESC LIMIT 1) spdx ON TRUE
        ORDER BY i.name, m.platform, m.digest"""  # noqa: S608


TAGS = """ARRAY(SELECT t.name FROM store_tag t WHERE t.manifest_id = m.id UNION
  SELECT t.name FROM store_indexentry x JOIN store_tag t ON t.manifest_id = x.index_id WHERE x.manifest_id = m.id
  ORDER BY 1)"""


def _why(
    problem: str,
    state: str,
    state_reason: str,
    sbom: int | None,
    indexed: bool | None,
    not_indexed_reason: str | None,
    pruned_at: dt.datetime | None,
    evidence: int | None,
    spdx_state: str | None,
    spdx_reason: str | None,
    problems: str | None,
    unread: int,
) -> tuple[str, str]:
    """State and reason in words, the nearest cause first."""
    if problem:
        return "could-not-check", problem
    if pruned_at is not None:
        return spdx_state or "unsigned", f"its SBOM's rows were pruned on {pruned_at:%Y-%m-%d}"
    if sbom and not indexed:
        return spdx_state or "unsigned", f"its SBOM is kept but not indexed: {not_indexed_reason or 'no reason noted'}"
    if spdx_state:
        return spdx_state, spdx_reason or "its SBOM is not verified"
    if sbom and evidence is None:
        return "unsigned", "its SBOM is a file that nobody signed"
    if state == "could-not-check":
        return state, state_reason
    # "Nothing is attached" is a claim: what could not be read, or believed, may have been the SBOM.
    if found := json.loads(problems or "[]"):
        return "could-not-check", f"{found[0]['place']} could not be read: {found[0]['reason']}"
    if unread:
        return "invalid", f"{unread} attestation{'s' * (unread > 1)} attached whose signature does not hold"
    return state or "could-not-check", "no SBOM is attached to it"
