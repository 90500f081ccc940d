"""Whether the rows of the store agree with each other.

Every rule holds after every commit, whoever was killed when; the last one, for an index inside an index, when no fetch
is under way or was given up.
"""

from __future__ import annotations

import hashlib
import json

import msgspec

from cgexplorer import predicates
from cgexplorer.store.models import Manifest, Payload
from cgexplorer.store.queries import payloads, universe_rules
from cgexplorer.store.queries.rows import rows
from cgexplorer.store.record.images import NOT_ASKED_FOR

MAX_EXAMPLES = 3
_NEWEST_VERDICT = """
    SELECT DISTINCT ON (v.evidence_id) v.evidence_id, v.id, v.state, r.source FROM store_verdictrow v
    JOIN store_verificationrun r ON r.id = v.run_id WHERE v.state <> 'could-not-check' ORDER BY v.evidence_id, v.id DESC
"""
_TAGGED = """
    EXISTS (SELECT FROM store_tag t WHERE t.manifest_id = s.manifest_id)
    OR EXISTS (SELECT FROM store_indexentry x JOIN store_tag t ON t.manifest_id = x.index_id
               WHERE x.manifest_id = s.manifest_id)
"""
# Each answers the ids of rows that break it.
RULES = {
    "a manifest that was looked at has a run and a state": """
        SELECT m.id FROM store_manifest m WHERE m.problem <> %(not_asked_for)s AND (m.state = '' OR m.run_id IS NULL
            OR NOT EXISTS (SELECT FROM store_verificationrun r WHERE r.manifest_id = m.id))""",
    "a manifest's state is that of the run it names": """
        SELECT m.id FROM store_manifest m JOIN store_verificationrun r ON r.id = m.run_id
        WHERE r.manifest_id <> m.id OR r.state <> m.state""",
    "a manifest names its newest run that could check": """
        SELECT m.id FROM store_manifest m JOIN LATERAL (
            SELECT max(r.id) AS id FROM store_verificationrun r WHERE r.manifest_id = m.id
            AND r.state <> 'could-not-check') newest ON true WHERE newest.id > m.run_id""",
    "evidence has a verdict": "SELECT e.id FROM store_evidence e WHERE e.state = '' OR e.verdict_id IS NULL",
    "evidence has the state of its verdict": """
        SELECT e.id FROM store_evidence e JOIN store_verdictrow v ON v.id = e.verdict_id
        WHERE v.evidence_id <> e.id OR v.state <> e.state""",
    "evidence names its newest verdict that could check": f"""
        SELECT e.id FROM store_evidence e JOIN ({_NEWEST_VERDICT}) newest ON newest.evidence_id = e.id
        WHERE newest.id > e.verdict_id""",  # noqa: S608  (a constant of ours)
    "a verdict's evidence is of its run's manifest": """
        SELECT v.id FROM store_verdictrow v JOIN store_verificationrun r ON r.id = v.run_id
        JOIN store_evidence e ON e.id = v.evidence_id WHERE e.manifest_id <> r.manifest_id""",
    "an SPDX attestation that holds has its document": """
        SELECT e.id FROM store_evidence e WHERE e.kind = 'attestation' AND e.payload_id IS NOT NULL
        AND e.predicate_type = %(spdx)s AND e.sbom_id IS NULL""",
    "an SBOM is of the manifest of its evidence": """
        SELECT s.id FROM store_sbom s JOIN store_evidence e ON e.sbom_id = s.id OR s.evidence_id = e.id
        WHERE e.manifest_id <> s.manifest_id""",
    "an SBOM names the best evidence that carries it": """
        SELECT s.id FROM store_sbom s JOIN LATERAL (
            SELECT e.id FROM store_evidence e WHERE e.sbom_id = s.id
            ORDER BY e.state = 'verified' DESC, e.state = 'verified-stale' DESC, e.id LIMIT 1) best ON true
        WHERE s.evidence_id IS DISTINCT FROM best.id""",
    "an SBOM that is indexed has packages, graph and details": """
        SELECT s.id FROM store_sbom s LEFT JOIN store_sbompackages p ON p.sbom_id = s.id
        LEFT JOIN store_sbomgraph g ON g.sbom_id = s.id LEFT JOIN store_sbomdetail d ON d.sbom_id = s.id
        WHERE s.indexed AND (p.sbom_id IS NULL OR g.sbom_id IS NULL OR d.sbom_id IS NULL)""",
    "an SBOM that is not indexed has none of them": """
        SELECT s.id FROM store_sbom s LEFT JOIN store_sbompackages p ON p.sbom_id = s.id
        LEFT JOIN store_sbomgraph g ON g.sbom_id = s.id LEFT JOIN store_sbomdetail d ON d.sbom_id = s.id
        WHERE NOT s.indexed AND num_nonnulls(p.sbom_id, g.sbom_id, d.sbom_id) > 0""",
    "an SBOM whose rows were pruned is not indexed": """
        SELECT s.id FROM store_sbom s WHERE s.indexed AND s.pruned_at IS NOT NULL""",
    "an SBOM's packages are stored, each once, in order": """
        SELECT p.sbom_id FROM store_sbompackages p WHERE p.package_ids <> ARRAY(
            SELECT k.id FROM store_package k WHERE k.id = ANY(p.package_ids) ORDER BY k.id)""",
    "an SBOM holds as many packages as it says": """
        SELECT s.id FROM store_sbom s JOIN store_sbompackages p ON p.sbom_id = s.id
        WHERE cardinality(p.package_ids) > s.installed_count + s.module_count
        OR (cardinality(p.package_ids) = 0) <> (s.installed_count + s.module_count = 0)""",
    "every package of an SBOM is in the rollup of its image": """
        SELECT DISTINCT p.sbom_id FROM store_sbompackages p CROSS JOIN LATERAL unnest(p.package_ids) AS held(id)
        JOIN store_package k ON k.id = held.id
        WHERE NOT EXISTS (SELECT FROM store_packageimage i WHERE i.package_id = k.id AND i.image_id = p.image_id)""",
    "the rollup holds only what an SBOM of the image holds": """
        SELECT i.package_id FROM store_packageimage i LEFT JOIN store_sbompackages p ON p.sbom_id = i.first_sbom_id
        WHERE p.sbom_id IS NULL OR p.image_id <> i.image_id OR NOT p.package_ids @> ARRAY[i.package_id]""",
    "what is searched is tagged and verified, and all of that is searched": f"""
        SELECT s.id FROM store_sbom s JOIN store_sbompackages p ON p.sbom_id = s.id
        LEFT JOIN store_evidence e ON e.id = s.evidence_id
        WHERE p.searchable <> (({_TAGGED}) AND coalesce(e.state = 'verified', false))""",  # noqa: S608  (likewise)
    "a tag points where its last move says": """
        SELECT t.id FROM store_tag t LEFT JOIN LATERAL (
            SELECT v.manifest_id FROM store_tagmove v WHERE v.image_id = t.image_id AND v.name = t.name
            ORDER BY v.id DESC LIMIT 1) last ON true WHERE last.manifest_id IS DISTINCT FROM t.manifest_id""",
    "a move follows the one before it, and leads elsewhere": """
        SELECT v.id FROM (
            SELECT id, previous_id, manifest_id, lag(id) OVER tag AS before, lag(manifest_id) OVER tag AS was
            FROM store_tagmove WINDOW tag AS (PARTITION BY image_id, name ORDER BY id)) v
        WHERE v.previous_id IS DISTINCT FROM v.before
        OR (v.before IS NOT NULL AND v.was IS NOT DISTINCT FROM v.manifest_id)""",
    "what belongs to one image says which": """
        SELECT t.id FROM store_indexentry t JOIN store_manifest o ON o.id = t.index_id WHERE t.image_id <> o.image_id
        UNION ALL SELECT t.id FROM store_verdictrow t JOIN store_verificationrun o ON o.id = t.run_id
            WHERE t.image_id <> o.image_id
        UNION ALL SELECT o.id FROM store_sbom o LEFT JOIN store_sbomgraph g ON g.sbom_id = o.id
            LEFT JOIN store_sbomdetail d ON d.sbom_id = o.id LEFT JOIN store_sbompackages p ON p.sbom_id = o.id
            WHERE o.image_id <> ANY(ARRAY[g.image_id, d.image_id, p.image_id])""",
    "intarray, whose operators hide the indexes of packages, is not installed": """
        SELECT e.oid FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'intarray' AND n.nspname = ANY(current_schemas(false))""",
    "a tag, its moves and an index's entries stay within their image": """
        SELECT t.id FROM store_tag t JOIN store_manifest m ON m.id = t.manifest_id WHERE m.image_id <> t.image_id
        UNION ALL SELECT v.id FROM store_tagmove v JOIN store_manifest m ON m.id = v.manifest_id
            WHERE m.image_id <> v.image_id
        UNION ALL SELECT x.id FROM store_indexentry x JOIN store_manifest m ON m.id = x.manifest_id
            JOIN store_manifest i ON i.id = x.index_id WHERE m.image_id <> i.image_id""",
    "each change of a saved search's answer has its event": """
        SELECT a.id FROM store_savedanswer a JOIN store_savedsearch s ON s.id = a.search_id
        WHERE a.changes > (SELECT count(*) FROM store_driftevent d WHERE d.image_id = a.image_id AND d.search = s.name)
        OR (a.changes = 0) <> (a.changed_at IS NULL)""",
    "an import that found nothing new appended no run": """
        SELECT r.id FROM (
            SELECT r.*, lag(r.id) OVER (PARTITION BY manifest_id ORDER BY id) AS before FROM store_verificationrun r) r
        JOIN store_verificationrun b ON b.id = r.before
        WHERE r.trigger = 'ingest' AND (b.state, b.reason, b.problems) = (r.state, r.reason, r.problems)
        AND NOT EXISTS (
            SELECT FROM (SELECT * FROM store_verdictrow WHERE run_id = r.id) new
            FULL JOIN (SELECT * FROM store_verdictrow WHERE run_id = b.id) old USING (evidence_id)
            WHERE (new.state, new.policy_id, new.trusted_root_sha256)
                IS DISTINCT FROM (old.state, old.policy_id, old.trusted_root_sha256))""",
    **universe_rules.RULES,
}


class Violation(msgspec.Struct, frozen=True):
    rule: str
    count: int
    examples: tuple[str, ...]


def violations() -> list[Violation]:
    """Rules that some rows break, with a few of their ids. Reads everything but the stored bytes."""
    return [*filter(None, (_broken(rule, statement) for rule, statement in RULES.items())), *_of_indexes()]


def damaged() -> list[Violation]:
    """Stored bytes that are not those of their digest. Reads all of them."""
    bad = [bytes(one.sha256).hex() for one in Payload.objects.iterator(100) if not _is_whole(one)]
    return _violation("payloads hash to their key", bad)


def _broken(rule: str, statement: str) -> Violation | None:
    bad = rows(statement, {"not_asked_for": NOT_ASKED_FOR, "spdx": predicates.SPDX})
    return next(iter(_violation(rule, [str(row[0]) for row in bad])), None)


def _of_indexes() -> list[Violation]:
    """An index's bytes say what it names. Indexes inside it stand for the images in them, so at least one is asked."""
    bad = []
    for index in (
        Manifest.objects.filter(is_index=True, payload__isnull=False, problem="")
        .select_related("payload")
        .iterator(100)
    ):
        assert index.payload is not None  # noqa: S101  (the filter above)
        named = [child["digest"] for child in json.loads(payloads.content(index.payload)).get("manifests", [])]
        stored = list(index.entries.values_list("manifest__digest", flat=True))
        images = set(
            Manifest.objects.filter(image=index.image_id, digest__in=named, is_index=False).values_list("digest")
        )
        if (bool(named) and not stored) or {digest for (digest,) in images} - set(stored):
            bad.append(index.digest)
    return _violation("an index has an entry for each image it names", bad)


def _is_whole(payload: Payload) -> bool:
    try:
        return hashlib.sha256(payloads.content(payload)).digest() == bytes(payload.sha256)
    except payloads.Damaged:
        return False


def _violation(rule: str, bad: list[str]) -> list[Violation]:
    return [Violation(rule, len(bad), tuple(bad[:MAX_EXAMPLES]))] if bad else []
