"""Licences of everything that is searched, and licences that came with a build."""

from __future__ import annotations

from collections import Counter

import msgspec

from cgexplorer.spdx import licenses
from cgexplorer.spdx.licenses import Family
from cgexplorer.store.models import Manifest, Sbom
from cgexplorer.store.queries import contents, manifests
from cgexplorer.store.queries.rows import rows

MAX_EXPRESSIONS = 10_000


class LicenseUse(msgspec.Struct, frozen=True):
    expression: str  # "" = not stated
    packages: int
    images: int
    families: tuple[str, ...]

    @property
    def own(self) -> tuple[str, ...]:
        """Its licences that the SPDX list does not have: their text stands in the documents."""
        return tuple(one for one in licenses.identifiers(self.expression) if "LicenseRef-" in one)


class Uses(msgspec.Struct, frozen=True):
    """The three kinds apart: no text can be looked up for an own licence, and nothing is known of the last."""

    listed: tuple[LicenseUse, ...]
    own: tuple[LicenseUse, ...]
    not_stated: LicenseUse | None
    families: tuple[tuple[str, int], ...]  # of how many expressions

    @property
    def all(self) -> tuple[LicenseUse, ...]:
        return (*self.listed, *self.own, *((self.not_stated,) if self.not_stated else ()))


def uses(family: str = "") -> Uses:
    """Licence expressions of the packages in searchable SBOMs (tagged now, and verified), most images first.

    With `family` only expressions that have a licence of it.
    """
    found = [
        LicenseUse(expression, packages, images, families_of(expression))
        for expression, packages, images in rows(_USES, [MAX_EXPRESSIONS])
    ]
    counted = Counter(one for use in found for one in use.families)
    kept = [use for use in found if not family or family in use.families]
    stated = [use for use in kept if use.expression]
    return Uses(
        listed=tuple(use for use in stated if not use.own),
        own=tuple(use for use in stated if use.own),
        not_stated=next((use for use in kept if not use.expression), None),
        families=tuple((str(one), counted[str(one)]) for one in Family if counted[str(one)]),
    )


# Packages first, images then: an image holds the same few expressions hundreds of times.
_USES = """WITH held AS MATERIALIZED (
    SELECT p.license_id, u.id, sp.image_id
    FROM store_sbompackages sp, unnest(sp.package_ids) u(id), store_package p WHERE sp.searchable AND p.id = u.id
    GROUP BY 1, 2, 3)
  SELECT coalesce(l.expression, ''), count(DISTINCT h.id), count(DISTINCT h.image_id)
  FROM held h LEFT JOIN store_license l ON l.id = h.license_id GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 1 LIMIT %s"""


def families_of(expression: str) -> tuple[str, ...]:
    return tuple(map(str, licenses.families(expression))) if expression else (str(Family.UNKNOWN),)


class NewLicenses(msgspec.Struct, frozen=True):
    """Licences that no package of the build before had."""

    before: Manifest
    tag: str  # of the build before, or its short digest
    identifiers: tuple[str, ...]


def new_in(manifest: Manifest, sbom: Sbom) -> NewLicenses | None:
    """What this build brought; None when there is no earlier build of the platform with a verified SBOM."""
    before = manifests.before(manifest)
    earlier = manifests.sbom(before) if before is not None else None
    if before is None or earlier is None or not (earlier.indexed or earlier.pruned_at):
        return None
    new = _identifiers(sbom) - _identifiers(earlier)
    return NewLicenses(before, manifests.tag_of(before), tuple(sorted(new)))


def _identifiers(sbom: Sbom) -> set[str]:
    return {one for row in contents.license_rows(sbom) for one in licenses.identifiers(row.expression)}
