"""SQL that finds the SBOMs holding packages, within what a search looks at. No user's text comes near it."""

from __future__ import annotations

import msgspec

from cgexplorer.spdx.query import Scope

MANY_IDS = 300  # from here on one index scan an id is faster than one bitmap over all


# A digest is current when a tag points at it, or at an index that names it.
_IS_CURRENT = """(EXISTS (SELECT 1 FROM store_tag t WHERE t.manifest_id = s.manifest_id)
  OR EXISTS (SELECT 1 FROM store_indexentry x JOIN store_tag t ON t.manifest_id = x.index_id
    WHERE x.manifest_id = s.manifest_id))"""
# Whether an array holds an id, where no index says so. Arrays are sorted: eight steps, where `@>` takes 250.
_HOLDS = "sp.package_ids[width_bucket(u.id, sp.package_ids)] = u.id"


class HeldBy(msgspec.Struct, frozen=True):
    """SQL that finds the SBOMs holding `ids`; `each` joins them to one id each as `u(id, position)`.

    Without an index over all SBOMs, `in_image` joins them to one id and one image each, as `u(id, position, image)`:
    a page need not look into every image that ever held it. `images` finds those.
    """

    any: str
    many: str
    each: str
    allowed: str
    in_image: str = ""
    images: str = ""


def of(scope: Scope, *, include_unverified: bool) -> HeldBy:
    if scope == "current" and not include_unverified:
        # The partial index on package_ids answers this alone.
        return HeldBy(
            any="SELECT sp.sbom_id FROM store_sbompackages sp WHERE sp.searchable AND sp.package_ids && %s::int[]",
            many="SELECT DISTINCT sp.sbom_id FROM unnest(%s::int[]) u(id)"
            " JOIN store_sbompackages sp ON sp.searchable AND sp.package_ids @> ARRAY[u.id]",
            each="JOIN store_sbompackages sp ON sp.searchable AND sp.package_ids @> ARRAY[u.id]",
            allowed="TRUE",
        )
    conditions = [_IS_CURRENT] if scope == "current" else []
    conditions += [] if include_unverified else ["e.state = 'verified'"]
    images = "JOIN store_packageimage pi ON pi.package_id = u.id"
    each = f"{images} JOIN store_sbompackages sp ON sp.image_id = pi.image_id AND {_HOLDS}"
    found = f"SELECT DISTINCT sp.sbom_id FROM unnest(%s::int[]) u(id) {each}"  # noqa: S608
    return HeldBy(
        any=found,
        many=found,
        each=each,
        allowed=" AND ".join(conditions) or "TRUE",
        in_image=f"JOIN store_sbompackages sp ON sp.image_id = u.image AND {_HOLDS}",
        images=images,
    )


JOINS = """JOIN store_sbom s ON s.id = {sbom} LEFT JOIN store_evidence e ON e.id = s.evidence_id"""
