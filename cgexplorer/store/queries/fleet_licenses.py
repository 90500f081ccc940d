"""Licences of everything that is searched, and licences that came with a build."""

from __future__ import annotations

from collections import Counter

import msgspec

from cgexplorer.spdx import licenses
from cgexplorer.spdx.licenses import Family
from cgexplorer.store.models import Manifest, Sbom
from cgexplorer.store.queries import contents, manifests
from cgexplorer.store.queries.remembered import Remembered
from cgexplorer.store.queries.rows import rows

MAX_EXPRESSIONS = 10_000
LARGE = 300  # images


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
    age_s: float = 0.0  # since they were counted

    @property
    def all(self) -> tuple[LicenseUse, ...]:
        return (*self.listed, *self.own, *((self.not_stated,) if self.not_stated else ()))


def uses(family: str = "", *, now: bool = False) -> Uses:
    """Licence expressions of the packages in searchable SBOMs (tagged now, and verified), most images first.

    With `family` only expressions that have a licence of it. In a large store the count may be a minute old, unless
    it has to be that of `now`.
    """
    answer, age_s = (_counted(), 0.0) if now else _remembered.answer()
    found = [LicenseUse(*one, families_of(one[0])) for one in answer]
    counted = Counter(one for use in found for one in use.families)
    kept = [use for use in found if not family or family in use.families]
    stated = [use for use in kept if use.expression]
    return Uses(
        listed=tuple(use for use in stated if not use.own),
        own=tuple(use for use in stated if use.own),
        not_stated=next((use for use in kept if not use.expression), None),
        families=tuple((str(one), counted[str(one)]) for one in Family if counted[str(one)]),
        age_s=age_s,
    )


def _counted() -> list[tuple[str, int, int]]:
    return [(expression, packages, images) for expression, packages, images in rows(_USES, [MAX_EXPRESSIONS])]


# Of a few hundred images a count takes less than a tenth of a second.
_remembered = Remembered(_counted, large=lambda found: any(images >= LARGE for _, _, images in found))


# Images hold the same packages, and an image few expressions: each package is looked up once, each pair counted once.
_USES = """WITH held AS MATERIALIZED (
    SELECT u.id, sp.image_id FROM store_sbompackages sp, unnest(sp.package_ids) u(id) WHERE sp.searchable
), known AS MATERIALIZED (
    SELECT id, license_id FROM store_package WHERE id = ANY(ARRAY(SELECT DISTINCT id FROM held))
), packages AS (
    SELECT license_id, count(*) AS n FROM known GROUP BY 1
), images AS (
    SELECT license_id, count(*) AS n
    FROM (SELECT DISTINCT k.license_id, h.image_id FROM held h JOIN known k USING (id)) once GROUP BY 1
)
SELECT coalesce(l.expression, ''), p.n, i.n
FROM packages p JOIN images i ON i.license_id IS NOT DISTINCT FROM p.license_id
LEFT JOIN store_license l ON l.id = p.license_id ORDER BY 3 DESC, 2 DESC, 1 LIMIT %s"""


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
