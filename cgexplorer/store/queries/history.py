"""Where tags pointed: every change with the one before it, and from when to when each digest was seen."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

from cgexplorer.store.models import Image, Manifest, TagMove
from cgexplorer.store.queries.rows import rows

type Kind = Literal["first", "moved", "rolled back", "gone", "back"]

# Verified signatures only: a date that nobody vouches for would let anybody call a move a rollback, or hide one.
_CHANGES = """
SELECT m.id, m.image_id, i.name, m.name, m.moved_at,
    CASE WHEN n.id IS NOT NULL THEN coalesce(n.previous_seen_at, m.moved_at)
         WHEN t.manifest_id = m.manifest_id THEN greatest(t.observed_at, m.moved_at) ELSE m.moved_at END,
    m.manifest_id, coalesce(d.digest, ''), coalesce(d.state, ''), d.gone_at, signed.at,
    p.id, p.manifest_id, coalesce(pd.digest, ''), coalesce(m.previous_seen_at, p.moved_at), before.at,
    EXISTS (SELECT FROM store_tagmove e WHERE e.image_id = m.image_id AND e.name = m.name AND e.id < m.id
            AND e.manifest_id = m.manifest_id),
    n.id IS NULL
FROM store_tagmove m
JOIN store_image i ON i.id = m.image_id
LEFT JOIN store_tagmove n ON n.previous_id = m.id
LEFT JOIN store_tagmove p ON p.id = m.previous_id
LEFT JOIN store_tag t ON t.image_id = m.image_id AND t.name = m.name
LEFT JOIN store_manifest d ON d.id = m.manifest_id
LEFT JOIN store_manifest pd ON pd.id = p.manifest_id
LEFT JOIN LATERAL ({signed} e.manifest_id = m.manifest_id) signed ON true
LEFT JOIN LATERAL ({signed} e.manifest_id = p.manifest_id) before ON true
WHERE ({where}) ORDER BY m.id {order} LIMIT %s
""".replace(
    "{signed}",
    "SELECT max(e.signed_at) AS at FROM store_evidence e"
    " WHERE e.kind = 'signature' AND e.state IN ('verified', 'verified-stale') AND",
)
_LEADS_TO = "m.manifest_id = %s OR m.manifest_id IN (SELECT index_id FROM store_indexentry WHERE manifest_id = %s)"
MAX_CHANGES = 10_000


class TagChange(msgspec.Struct, frozen=True):
    """A tag was seen at another digest than before, or not any more. The observations until the next are in it."""

    id: int  # of the TagMove; ascending in the order in which changes were seen
    image_id: int
    image: str
    tag: str
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime  # the last look at which this still held
    manifest_id: int | None
    digest: str  # "" = the source no longer had the tag
    state: str  # newest verdict of the digest
    digest_gone_at: dt.datetime | None  # when the source was found not to have the digest any more
    signed_at: dt.datetime | None  # of its newest verified signature
    previous_id: int | None
    previous_manifest_id: int | None
    previous_digest: str  # "" = first seen, or seen to be gone before
    previous_last_seen_at: dt.datetime | None
    previous_signed_at: dt.datetime | None
    seen_before: bool  # the tag pointed to this digest earlier
    is_last: bool  # nothing else was seen since

    @property
    def kind(self) -> Kind:
        """`rolled back`: to a digest that the tag had before, or whose signature is older than the previous one's."""
        if not self.digest:
            return "gone"
        if self.previous_id is None:
            return "first"
        if not self.previous_digest:
            return "back"
        return "rolled back" if self.seen_before or self.is_signed_earlier else "moved"

    @property
    def is_signed_earlier(self) -> bool:
        at, before = self.signed_at, self.previous_signed_at
        return at is not None and before is not None and at < before


def timeline(image: Image, tag: str) -> list[TagChange]:
    """Every digest that the tag was seen at, newest first, its disappearances included."""
    return _changes("m.image_id = %s AND m.name = %s", [image.pk, tag], newest_first=True)


def tags_of(manifest: Manifest) -> list[TagChange]:
    """The tags that pointed to this digest or to an index of it, and from when to when; newest first."""
    return _changes(_LEADS_TO, [manifest.pk, manifest.pk], newest_first=True)


def gone(image: Image) -> list[TagChange]:
    """The tags that its source no longer has, those that were missed last first."""
    return _changes("m.image_id = %s AND m.manifest_id IS NULL AND n.id IS NULL", [image.pk], newest_first=True)


def at(manifest_id: int) -> list[TagChange]:
    """The changes that brought tags to where they point now: to this digest, or to an index that names it."""
    return _changes(f"n.id IS NULL AND ({_LEADS_TO})", [manifest_id, manifest_id], newest_first=False)


def of_moves(ids: list[int]) -> list[TagChange]:
    """The changes that these moves are, in the order in which they were seen."""
    return _changes("m.id = ANY(%s)", [ids], newest_first=False) if ids else []


def last_place_before(move_id: int) -> int | None:
    """The manifest that a tag pointed to before this move, and before it was missed."""
    move = TagMove.objects.get(pk=move_id)
    earlier = TagMove.objects.filter(image=move.image_id, name=move.name, pk__lt=move.pk, manifest__isnull=False)
    return earlier.order_by("-pk").values_list("manifest_id", flat=True).first()


def changes(*, after_id: int = 0, limit: int = MAX_CHANGES) -> list[TagChange]:
    """All changes of all tags in the order in which they were seen, behind the one with this id."""
    return _changes("m.id > %s", [after_id], newest_first=False, limit=limit)


def _changes(where: str, values: list[Any], *, newest_first: bool, limit: int = MAX_CHANGES) -> list[TagChange]:
    sql = _CHANGES.format(where=where, order="DESC" if newest_first else "ASC")
    return [TagChange(*row) for row in rows(sql, [*values, limit])]
