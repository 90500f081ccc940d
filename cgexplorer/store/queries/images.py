"""Images and their tags: what is stored, where tags point, and how far each is covered by evidence."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.db.models import Count, Max, QuerySet

from cgexplorer import predicates
from cgexplorer.store.models import Image, Manifest, Tag, TagMove, VerificationRun
from cgexplorer.store.queries.references import FILES_HOST
from cgexplorer.store.queries.rows import rows

# Those that need somebody come first.
URGENCY = (
    "invalid", "signer-not-allowed", "could-not-check", "verified-stale", "no-policy", "unsupported", "unsigned", "",
    "verified",
)  # fmt: skip
COLUMNS = ("signature", "SLSA", "apko", "SPDX")
_TYPES = {**dict.fromkeys(predicates.PROVENANCE_TYPES, "SLSA"), predicates.APKO: "apko", predicates.SPDX: "SPDX"}


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


class Cell(msgspec.Struct, frozen=True):
    state: str  # "" when nothing is there


class CoverageRow(msgspec.Struct, frozen=True):
    """One image: per platform the states of signature, SLSA, apko and SPDX of the tag that stands for it."""

    image: str
    tag: str
    cells: tuple[tuple[str, str, tuple[str, ...]], ...]  # platform, digest, four states
    urgency: int


def image(name: str) -> QuerySet[Image]:
    return Image.objects.filter(name=name)


def images(text: str = "") -> list[ImageRow]:
    """Every image whose name contains the text, by name."""
    found = (
        Image.objects.filter(name__icontains=text)
        .annotate(
            tag_count=Count("tags", distinct=True),
            digest_count=Count("manifests", distinct=True),
            moved_at=Max("tags__moved_at"),
        )
        .order_by("name")
    )
    states = dict(
        rows(
            """SELECT t.image_id, array_agg(DISTINCT m.state) FILTER (WHERE m.run_id IS NOT NULL)
            FROM store_tag t JOIN store_manifest m
            ON m.id = t.manifest_id
            OR m.id IN (SELECT x.manifest_id FROM store_indexentry x WHERE x.index_id = t.manifest_id)
            GROUP BY t.image_id"""
        )
    )
    return [
        ImageRow(row.name, row.tag_count, row.digest_count, most_urgent(states.get(row.pk) or [""]), row.moved_at)
        for row in found
    ]


def most_urgent(states: list[str]) -> str:
    return min(states, key=_urgency, default="")


def _urgency(state: str) -> int:
    return URGENCY.index(state) if state in URGENCY else 0


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


def standing_tags() -> dict[int, tuple[str, int]]:
    """Image → (tag, manifest) that stands for it: `latest`, else the tag that moved last."""
    found = rows(
        """SELECT DISTINCT ON (image_id) image_id, name, manifest_id FROM store_tag
        ORDER BY image_id, (name = 'latest') DESC, moved_at DESC, name"""
    )
    return {image_id: (name, manifest_id) for image_id, name, manifest_id in found}


def coverage(limit: int = 25) -> tuple[list[CoverageRow], int]:
    """The coverage matrix, rows that need somebody first; and how many images there are.

    SBOM files that were imported have no evidence to cover: they are on the list of images only.
    """
    files = set(Image.objects.filter(registry__host=FILES_HOST).values_list("pk", flat=True))
    standing = {image_id: tag for image_id, tag in standing_tags().items() if image_id not in files}
    names = dict(Image.objects.filter(pk__in=standing).values_list("pk", "name"))
    per_index = _platforms([manifest_id for _, manifest_id in standing.values()])
    states = _states([child.pk for children in per_index.values() for child in children])
    found = []
    for image_id, (tag, manifest_id) in standing.items():
        cells = tuple(
            (child.platform, child.digest, _cells(child, states.get(child.pk, {})))
            for child in per_index.get(manifest_id, [])
        )
        urgency = min((_urgency(state) for _, _, four in cells for state in four), default=0)
        found.append(CoverageRow(names[image_id], tag, cells, urgency))
    found.sort(key=lambda row: (row.urgency, row.image))
    return found[:limit], len(found)


def _platforms(manifest_ids: list[int]) -> dict[int, list[Manifest]]:
    """Index → its platforms' manifests in order; an image without an index stands for itself."""
    children: dict[int, list[Manifest]] = {}
    entries = rows(
        "SELECT index_id, manifest_id FROM store_indexentry WHERE index_id = ANY(%s) ORDER BY index_id, position",
        [manifest_ids],
    )
    every = Manifest.objects.select_related("run").in_bulk({*manifest_ids, *(child for _, child in entries)})
    for index_id, child in entries:
        if every[child].platform != "unknown/unknown":
            children.setdefault(index_id, []).append(every[child])
    for manifest_id in manifest_ids:
        if not every[manifest_id].is_index:
            children[manifest_id] = [every[manifest_id]]
    return children


def _states(manifest_ids: list[int]) -> dict[int, dict[str, list[str]]]:
    found: dict[int, dict[str, list[str]]] = {}
    for manifest_id, predicate_type, state in rows(
        "SELECT manifest_id, predicate_type, state FROM store_evidence"
        " WHERE manifest_id = ANY(%s) AND kind = 'attestation'",
        [manifest_ids],
    ):
        if column := _TYPES.get(predicate_type):
            found.setdefault(manifest_id, {}).setdefault(column, []).append(state)
    return found


def _cells(manifest: Manifest, attested: dict[str, list[str]]) -> tuple[str, ...]:
    """States of the four columns. `unsigned` needs a look that left nothing unread."""
    unread = manifest.payload_id is None or (manifest.run is not None and bool(manifest.run.problems))
    missing = "" if manifest.run is None else "could-not-check" if unread else "unsigned"
    answers = (best(attested[column]) if column in attested else missing for column in COLUMNS[1:])
    return (manifest.state, *answers)


def best(states: list[str]) -> str:
    """One good attestation of a type is enough."""
    return "verified" if "verified" in states else most_urgent(states)


def newest_runs(limit: int = 8) -> QuerySet[VerificationRun]:
    return VerificationRun.objects.exclude(source="file").select_related("manifest", "image").order_by("-pk")[:limit]
