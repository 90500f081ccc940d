"""What a retention rule says may go: rows of SBOMs that no tag leads to any more. Never evidence, never documents, and
nothing that a saved search over all history found.

A digest is current while a tag points to it, or to an index that names it.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import re

import msgspec

from cgexplorer.store.models import Image, Sbom
from cgexplorer.store.queries import saved_searches
from cgexplorer.store.queries.rows import rows

# A fetch stores its digests before the tag that leads to them moves. It may take long, but not a day.
SHORTEST_DAYS = 1
LONGEST_DAYS = 36_500
_AGE = re.compile(r"([1-9]\d{0,4})\s*([dwy])")
_DAYS = {"d": 1, "w": 7, "y": 365}


class RuleError(ValueError):
    """No rule can be read there; `str(error)` is a sentence."""


class Rule(msgspec.Struct, frozen=True):
    """All of it must hold for a digest to go."""

    untagged_days: int  # no tag led to it for so long, and nobody fetched it
    keep_newest: int = 1  # of each image and platform so many that were current last stay, beside those that are
    images: tuple[str, ...] = ()  # globs of names; empty = all

    def __str__(self) -> str:
        words = [f"untagged for more than {self.untagged_days} day{'s' * (self.untagged_days > 1)}"]
        if self.keep_newest:
            words.append(f"not the newest {self.keep_newest} of its image and platform")
        return ", ".join(words)

    def is_about(self, name: str) -> bool:
        return not self.images or any(fnmatch.fnmatchcase(name, glob) for glob in self.images)


class Going(msgspec.Struct, frozen=True):
    """SBOMs of one image whose rows may go, those that were current longest ago first, and what they take."""

    sboms: tuple[int, ...]
    digests: int
    occurrences: int  # packages in them, each as often as it is listed
    size: int  # bytes of arrays, graphs and details; rollups and indexes come on top


def days(text: str) -> int:
    """`180d`, `26w` or `1y`. Raises RuleError."""
    found = _AGE.fullmatch(text.strip())
    number = int(found[1]) * _DAYS[found[2]] if found else 0
    if not SHORTEST_DAYS <= number <= LONGEST_DAYS:
        raise RuleError(f"{text[:20]!a} is no age from 1d to 100y, such as 180d, 26w or 1y.")
    return number


def images(rule: Rule) -> list[Image]:
    """Those that the rule is about, by name."""
    return [image for image in Image.objects.order_by("name") if rule.is_about(image.name)]


def going(image: Image, rule: Rule, now: dt.datetime, limit: int | None = None) -> Going:
    """What of this image may go now; at most so many SBOMs."""
    asked = {
        "image": image.pk,
        "found": saved_searches.digests(image),
        "before": now - dt.timedelta(days=rule.untagged_days),
        "keep_newest": rule.keep_newest,
        "limit": limit,
    }
    found = rows(_GOING, asked)
    return Going(
        sboms=tuple(sbom for sbom, *_ in found),
        digests=len({manifest for _, manifest, *_ in found}),
        occurrences=sum(occurrences for *_, occurrences, _ in found),
        size=sum(size for *_, size in found),
    )


# When a digest was last current, or fetched, or its rows were made: the latest of all that is known of it and of the
# indexes that name it.
_GOING = """
WITH current AS MATERIALIZED (
    SELECT t.manifest_id AS id FROM store_tag t WHERE t.image_id = %(image)s
    UNION SELECT x.manifest_id FROM store_tag t JOIN store_indexentry x ON x.index_id = t.manifest_id
        WHERE t.image_id = %(image)s),
  place AS (
    SELECT m.id, m.id AS at FROM store_manifest m WHERE m.image_id = %(image)s
    UNION SELECT x.manifest_id, x.index_id FROM store_indexentry x JOIN store_manifest i ON i.id = x.index_id
        WHERE i.image_id = %(image)s),
  away AS (
    SELECT v.manifest_id AS id, max(next.moved_at) AS moved_at
    FROM store_tagmove v JOIN store_tagmove next ON next.previous_id = v.id
    WHERE v.image_id = %(image)s GROUP BY 1),
  seen AS (
    SELECT p.id, max(greatest(m.observed_at, away.moved_at)) AS seen_at FROM place p
    JOIN store_manifest m ON m.id = p.at LEFT JOIN away ON away.id = p.at GROUP BY 1),
  held AS (
    SELECT m.id, greatest(max(seen.seen_at), max(s.ingested_at), max(s.restored_at)) AS seen_at,
      row_number() OVER (PARTITION BY m.platform
        ORDER BY greatest(max(seen.seen_at), max(s.ingested_at), max(s.restored_at)) DESC, m.id DESC) AS place
    FROM store_sbom s JOIN store_manifest m ON m.id = s.manifest_id JOIN seen ON seen.id = m.id
    WHERE s.image_id = %(image)s AND s.indexed AND NOT EXISTS (SELECT FROM current WHERE current.id = m.id)
      AND m.digest <> ALL(%(found)s::text[])
    GROUP BY m.id)
SELECT s.id, s.manifest_id, cardinality(p.package_ids),
  pg_column_size(p.package_ids) + coalesce(pg_column_size(g.data), 0) + coalesce(
    pg_column_size(d.packages) + pg_column_size(d.files) + pg_column_size(d.document), 0)
FROM held JOIN store_sbom s ON s.manifest_id = held.id AND s.indexed
JOIN store_sbompackages p ON p.sbom_id = s.id LEFT JOIN store_sbomgraph g ON g.sbom_id = s.id
LEFT JOIN store_sbomdetail d ON d.sbom_id = s.id
WHERE held.seen_at < %(before)s AND held.place > %(keep_newest)s
ORDER BY held.seen_at, s.id LIMIT %(limit)s"""


def pruned_sboms() -> int:
    """SBOMs of all images whose rows are pruned."""
    return Sbom.objects.filter(pruned_at__isnull=False).count()
