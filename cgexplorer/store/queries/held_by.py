"""SQL that finds the SBOMs holding packages, within what a search looks at. No user's text comes near it."""

from __future__ import annotations

import msgspec

from cgexplorer.spdx.query import Scope
from cgexplorer.store.queries.universe import IS_CURRENT

MANY_IDS = 300  # from here on one index scan an id is faster than one bitmap over all


class HeldBy(msgspec.Struct, frozen=True):
    """SQL that finds the SBOMs holding `ids`; `each` joins them to one id each as `u(id, position)`."""

    any: str
    many: str
    each: str
    allowed: str


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
    conditions = [IS_CURRENT] if scope == "current" else []
    conditions += [] if include_unverified else ["e.state = 'verified'"]
    rollup = (
        "JOIN store_packageimage pi ON pi.package_id = u.id JOIN store_sbompackages sp ON sp.image_id = pi.image_id"
    )
    found = f"SELECT DISTINCT sp.sbom_id FROM unnest(%s::int[]) u(id) {rollup} AND sp.package_ids @> ARRAY[u.id]"  # noqa: S608
    return HeldBy(
        any=found,
        many=found,
        each=f"{rollup} AND sp.package_ids @> ARRAY[u.id]",
        allowed=" AND ".join(conditions) or "TRUE",
    )


JOINS = """JOIN store_sbom s ON s.id = {sbom} JOIN store_manifest m ON m.id = s.manifest_id
  LEFT JOIN store_evidence e ON e.id = s.evidence_id"""
