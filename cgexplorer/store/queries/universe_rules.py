"""The slow truth about a search's universe: what the counts kept by triggers must be equal to."""

from __future__ import annotations

_COUNTS = {
    "current": "current",
    "current_held": "current AND held",
    "current_searchable": "current AND searchable",
    "ever": "true",
    "ever_held": "held",
    "ever_verified": "verified",
}
_DIGESTS = """
    SELECT m.id, m.image_id,
        m.id IN (SELECT t.manifest_id FROM store_tag t UNION ALL SELECT x.manifest_id FROM store_indexentry x
                 JOIN store_tag t ON t.manifest_id = x.index_id) AS current,
        count(p.sbom_id) > 0 AS held, count(p.sbom_id) FILTER (WHERE e.state = 'verified') > 0 AS verified,
        count(p.sbom_id) FILTER (WHERE p.searchable) > 0 AS searchable
    FROM store_manifest m LEFT JOIN store_sbom s ON s.manifest_id = m.id AND s.indexed
    LEFT JOIN store_sbompackages p ON p.sbom_id = s.id LEFT JOIN store_evidence e ON e.id = s.evidence_id
    WHERE NOT m.is_index AND m.platform <> 'unknown/unknown' GROUP BY m.id
"""
# Images without a digest in scope may have a row of noughts, or none.
_IMAGES = f"""
    SELECT i.id, {", ".join(f"count(u) FILTER (WHERE {condition}) AS {name}" for name, condition in _COUNTS.items())}
    FROM store_image i LEFT JOIN store_universedigest u ON u.image_id = i.id GROUP BY i.id
"""  # noqa: S608  (constants of ours)
_TOTALS = [*_COUNTS, *(f"images_{name}" for name in _COUNTS)]
_EXPECTED = [*(f"sum({name})" for name in _COUNTS), *(f"count(*) FILTER (WHERE {name} > 0)" for name in _COUNTS)]

RULES = {
    "a digest is in a search's universe as its tags and SBOMs say": f"""
        SELECT id FROM ({_DIGESTS}) d
        FULL JOIN store_universedigest u ON u.manifest_id = d.id
        WHERE (u.image_id, u.current, u.held, u.verified, u.searchable)
            IS DISTINCT FROM (d.image_id, d.current, d.held, d.verified, d.searchable)""",  # noqa: S608
    "an image counts its digests as they are": f"""
        SELECT i.id FROM ({_IMAGES}) i LEFT JOIN store_universeimage u ON u.image_id = i.id
        WHERE {" OR ".join(f"coalesce(u.{name}, 0) <> i.{name}" for name in _COUNTS)}""",  # noqa: S608
    "a search's universe is the sum of its images": f"""
        SELECT 'the totals' FROM (SELECT {", ".join(_EXPECTED)} FROM store_universeimage) i({", ".join(_TOTALS)}),
            (SELECT {", ".join(f"sum({name}) AS {name}" for name in _TOTALS)} FROM store_universechange) u
        WHERE {" OR ".join(f"coalesce(u.{name}, 0) <> coalesce(i.{name}, 0)" for name in _TOTALS)}""",  # noqa: S608
}
