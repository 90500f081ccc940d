"""One component: its versions over time, and how many images hold each."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.db.models import Q

from cgexplorer.store.models import Component
from cgexplorer.store.queries.rows import rows

MAX_VERSIONS = 500
MAX_GONE = 200  # pairs of a version and an image that has it no more, for which the last build with it is looked up
MAX_SLASHES = 16  # of a path, that may separate namespace and name


class VersionUse(msgspec.Struct, frozen=True):
    version: str
    has_order: bool  # False: no comparator of this ecosystem understands it
    licenses: tuple[str, ...]
    built_from: tuple[str, ...]
    images: int  # that hold or held it, whatever the verdict
    current_images: int  # tagged now, by a verified SBOM
    current_digests: int
    first_seen_at: dt.datetime | None
    last_seen_at: dt.datetime | None = None  # newest build with it; None when it is current, or not looked up


def component(ecosystem: str, path: str) -> Component | None:
    """`wolfi/openssl` or `github.com/spf13/cobra` of an ecosystem. A name may contain slashes itself."""
    wanted = Q(namespace="", name=path)
    for place in [place for place, sign in enumerate(path) if sign == "/"][-MAX_SLASHES:]:
        wanted |= Q(namespace=path[:place], name=path[place + 1 :])
    return Component.objects.filter(wanted, ecosystem=ecosystem).order_by("-namespace", "name").first()


def versions(of: Component) -> tuple[VersionUse, ...]:
    """Highest first; those without an order at the end."""
    found = rows(
        """WITH p AS MATERIALIZED (
            SELECT p.id, p.version, p.version_key, p.license_id, p.built_from FROM store_package p
            WHERE p.component_id = %s),
          ever AS (
            SELECT p.version, count(DISTINCT pi.image_id) AS images, min(coalesce(m.created_at, s.ingested_at)) AS seen
            FROM p JOIN store_packageimage pi ON pi.package_id = p.id JOIN store_sbom s ON s.id = pi.first_sbom_id
            JOIN store_manifest m ON m.id = s.manifest_id GROUP BY p.version),
          now AS (
            SELECT p.version, count(DISTINCT sp.image_id) AS images, count(DISTINCT s.manifest_id) AS digests
            FROM p JOIN store_sbompackages sp ON sp.searchable AND sp.package_ids @> ARRAY[p.id]
            JOIN store_sbom s ON s.id = sp.sbom_id GROUP BY p.version)
        SELECT p.version, bool_and(p.version_key IS NOT NULL),
          array_remove(array_agg(DISTINCT l.expression), NULL), array_remove(array_agg(DISTINCT p.built_from), ''),
          coalesce(max(ever.images), 0), coalesce(max(now.images), 0), coalesce(max(now.digests), 0), max(ever.seen)
        FROM p LEFT JOIN store_license l ON l.id = p.license_id
        LEFT JOIN ever ON ever.version = p.version LEFT JOIN now ON now.version = p.version
        GROUP BY p.version ORDER BY (array_agg(p.version_key))[1] DESC NULLS LAST, p.version DESC LIMIT %s""",
        [of.pk, MAX_VERSIONS],
    )
    uses = [
        VersionUse(version, has_order, tuple(licenses), tuple(sources), *counts)
        for version, has_order, licenses, sources, *counts in found
    ]
    gone = [use for use in uses if not use.current_images]
    last = _last_seen(of, [use.version for use in gone]) if 0 < sum(use.images for use in gone) <= MAX_GONE else {}
    return tuple(msgspec.structs.replace(use, last_seen_at=last.get(use.version)) for use in uses)


def _last_seen(of: Component, versions: list[str]) -> dict[str, dt.datetime]:
    """The newest build with each version. Reads the packages of all builds of the images that ever had it."""
    return dict(
        rows(
            """SELECT p.version, max(coalesce(m.created_at, s.ingested_at)) FROM store_package p
            JOIN store_packageimage pi ON pi.package_id = p.id
            JOIN store_sbompackages sp ON sp.image_id = pi.image_id AND sp.package_ids @> ARRAY[p.id]
            JOIN store_sbom s ON s.id = sp.sbom_id JOIN store_manifest m ON m.id = s.manifest_id
            WHERE p.component_id = %s AND p.version = ANY(%s) GROUP BY p.version""",
            [of.pk, versions],
        )
    )
