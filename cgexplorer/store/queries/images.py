"""Images and their tags: what is stored, and where tags point."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.db.models import Count, QuerySet

from cgexplorer.store.models import Image, Tag, TagMove, VerificationRun
from cgexplorer.store.queries.rows import rows

# Those that need somebody come first.
URGENCY = (
    "invalid", "signer-not-allowed", "could-not-check", "verified-stale", "no-policy", "unsupported", "unsigned", "",
    "verified",
)  # fmt: skip
_RANK = {state: rank for rank, state in enumerate(URGENCY)}


class ImageRow(msgspec.Struct, frozen=True):
    name: str
    tags: int
    digests: int
    state: str  # of what its tags point to now: the one that most needs somebody
    moved_at: dt.datetime | None


class TagRow(msgspec.Struct, frozen=True):
    """A tag, what it points to and what is known of that. For an index, of its platforms together."""

    name: str
    digest: str
    state: str
    identity: str  # of a signature that has this state; "" when there is none
    platforms: tuple[str, ...]
    packages: int | None  # of the first platform with an SBOM
    size: int  # bytes, of the largest platform
    moved_at: dt.datetime
    moves: int


def image(name: str) -> QuerySet[Image]:
    return Image.objects.filter(name=name)


def images(text: str = "") -> list[ImageRow]:
    """Every image whose name contains the text, by name."""
    return [
        ImageRow(name, tags, digests, most_urgent(states or [""]), moved_at)
        for name, tags, digests, states, moved_at in rows(_IMAGES, [_like(text)])
    ]


# Each table once, whatever there is of it: tags times digests of an image would be counted otherwise.
_IMAGES = """
SELECT i.name, coalesce(t.tags, 0), coalesce(d.digests, 0), s.states, t.moved_at
FROM store_image i
LEFT JOIN (SELECT image_id, count(*) AS tags, max(moved_at) AS moved_at FROM store_tag GROUP BY 1) t
  ON t.image_id = i.id
LEFT JOIN (SELECT image_id, count(*) AS digests FROM store_manifest GROUP BY 1) d ON d.image_id = i.id
LEFT JOIN (
    SELECT p.image_id, array_agg(DISTINCT m.state) FILTER (WHERE m.run_id IS NOT NULL) AS states
    FROM (
        SELECT image_id, manifest_id FROM store_tag
        UNION
        SELECT t.image_id, x.manifest_id FROM store_tag t JOIN store_indexentry x ON x.index_id = t.manifest_id
    ) p JOIN store_manifest m ON m.id = p.manifest_id GROUP BY 1
) s ON s.image_id = i.id
WHERE upper(i.name) LIKE upper(%s) ORDER BY i.name
"""


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def most_urgent(states: list[str]) -> str:
    return min(states, key=urgency, default="")


def urgency(state: str) -> int:
    return _RANK.get(state, 0)


def tags(image: Image) -> list[TagRow]:
    """The tags of an image, those that moved last first."""
    found = Tag.objects.filter(image=image).select_related("manifest").order_by("-moved_at", "name")
    below = {
        index: (platforms, packages, size, identities)
        for index, platforms, packages, size, identities in rows(
            """SELECT m.id, array_agg(c.platform ORDER BY x.position) FILTER (WHERE c.platform <> ''),
              (array_agg(s.installed_count + s.module_count ORDER BY x.position) FILTER (WHERE s.indexed))[1],
              max(c.size), array_agg(DISTINCT e.identity) FILTER (WHERE e.identity <> '')
            FROM store_tag t JOIN store_manifest m ON m.id = t.manifest_id
            LEFT JOIN store_indexentry x ON x.index_id = m.id
            JOIN store_manifest c ON c.id = coalesce(x.manifest_id, m.id)
            LEFT JOIN store_sbom s ON s.manifest_id = c.id
            LEFT JOIN store_evidence e ON e.manifest_id = m.id AND e.kind = 'signature' AND e.state = m.state
            WHERE t.image_id = %s GROUP BY m.id""",
            [image.pk],
        )
    }
    moves = dict(
        TagMove.objects.filter(image=image)
        .values("name")
        .annotate(n=Count("manifest", distinct=True))
        .values_list("name", "n")
    )
    return [_tag_row(tag, below, moves) for tag in found]


def _tag_row(tag: Tag, below: dict[int, tuple[list[str], int | None, int, list[str]]], moves: dict[str, int]) -> TagRow:
    platforms, packages, size, identities = below.get(tag.manifest_id, ([], None, 0, []))
    return TagRow(
        name=tag.name,
        digest=tag.manifest.digest,
        state=tag.manifest.state,
        identity=(identities or [""])[0],
        platforms=tuple(dict.fromkeys(platforms or [])),
        packages=packages,
        size=size or 0,
        moved_at=tag.moved_at,
        moves=moves.get(tag.name, 0),
    )


def best(states: list[str]) -> str:
    """One good attestation of a type is enough."""
    return "verified" if "verified" in states else most_urgent(states)


def newest_runs(limit: int = 8) -> QuerySet[VerificationRun]:
    return VerificationRun.objects.exclude(source="file").select_related("manifest", "image").order_by("-pk")[:limit]
