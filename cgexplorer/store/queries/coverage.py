"""The coverage matrix: how far each image is covered by evidence, those that need somebody first."""

from __future__ import annotations

import msgspec

from cgexplorer import predicates
from cgexplorer.store.queries.images import best, urgency
from cgexplorer.store.queries.references import FILES_HOST
from cgexplorer.store.queries.rows import rows

COLUMNS = ("signature", "SLSA", "apko", "SPDX")
_TYPES = {**dict.fromkeys(predicates.PROVENANCE_TYPES, "SLSA"), predicates.APKO: "apko", predicates.SPDX: "SPDX"}


class CoverageRow(msgspec.Struct, frozen=True):
    """One image: per platform the states of signature, SLSA, apko and SPDX of the tag that stands for it."""

    image: str
    tag: str
    cells: tuple[tuple[str, str, tuple[str, ...]], ...]  # platform, digest, four states
    urgency: int


def coverage(limit: int = 25) -> tuple[list[CoverageRow], int]:
    """The first rows of the matrix; and how many images there are.

    SBOM files that were imported have no evidence to cover: they are on the list of images only.
    """
    found = rows(_PLATFORMS, [FILES_HOST])
    attested = _attested([row[3] for row in found if row[3] is not None])
    images: dict[int, tuple[str, str, list[tuple[str, str, tuple[str, ...]]]]] = {}
    for image_id, image, tag, manifest_id, platform, digest, state, missing in found:
        _, _, cells = images.setdefault(image_id, (image, tag, []))
        if manifest_id is not None:
            by_column = attested.get(manifest_id, {})
            four = (state, *(by_column.get(column, missing) for column in COLUMNS[1:]))
            cells.append((platform, digest, four))
    matrix = [
        CoverageRow(image, tag, tuple(cells), min((urgency(one) for _, _, four in cells for one in four), default=0))
        for image, tag, cells in images.values()
    ]
    matrix.sort(key=lambda row: (row.urgency, row.image))
    return matrix[:limit], len(matrix)


# The tag that stands for an image is `latest`, else the one that moved last; an index stands for its platforms.
# `unsigned` needs a look that left nothing unread.
_PLATFORMS = """
SELECT s.image_id, i.name, s.name, c.id, c.platform, c.digest, c.state,
  CASE WHEN c.run_id IS NULL THEN '' WHEN c.payload_id IS NULL OR r.problems <> '[]' THEN 'could-not-check'
    ELSE 'unsigned' END
FROM (
    SELECT DISTINCT ON (image_id) image_id, name, manifest_id FROM store_tag
    ORDER BY image_id, (name = 'latest') DESC, moved_at DESC, name
) s
JOIN store_image i ON i.id = s.image_id
JOIN store_registry g ON g.id = i.registry_id AND g.host <> %s
JOIN store_manifest m ON m.id = s.manifest_id
LEFT JOIN store_indexentry x ON x.index_id = m.id AND m.is_index
LEFT JOIN store_manifest c ON c.id = CASE WHEN m.is_index THEN x.manifest_id ELSE m.id END
  AND NOT (m.is_index AND c.platform = 'unknown/unknown')
LEFT JOIN store_verificationrun r ON r.id = c.run_id
ORDER BY s.image_id, x.position
"""


def _attested(manifest_ids: list[int]) -> dict[int, dict[str, str]]:
    """Manifest → column → state, of those columns for which it carries anything."""
    states: dict[int, dict[str, list[str]]] = {}
    for manifest_id, predicate_type, state in rows(
        "SELECT DISTINCT manifest_id, predicate_type, state FROM store_evidence"
        " WHERE manifest_id = ANY(%s) AND kind = 'attestation' AND predicate_type = ANY(%s)",
        [manifest_ids, list(_TYPES)],
    ):
        states.setdefault(manifest_id, {}).setdefault(_TYPES[predicate_type], []).append(state)
    return {key: {column: best(some) for column, some in found.items()} for key, found in states.items()}
