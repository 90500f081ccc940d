"""The rules that every row keeps, and that breaking any of them is noticed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from cgexplorer.store.queries import consistency
from cgexplorer.store.record import saved_searches
from cgexplorer.store.record.saved_searches import Wish
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NOW, allow, attest, fetch, sign, spdx

pytestmark = pytest.mark.django_db
UNGUARDED = "SET LOCAL session_replication_role = replica"  # neither triggers nor foreign keys, as in a damaged store

DAMAGE = {
    "a manifest that was looked at has a run and a state": "UPDATE store_manifest SET state = '' WHERE NOT is_index",
    "a manifest's state is that of the run it names": "UPDATE store_manifest SET state = 'invalid'",
    "a manifest names its newest run that could check": (
        "UPDATE store_manifest m SET run_id = (SELECT min(id) FROM store_verificationrun WHERE manifest_id = m.id)"
    ),
    "evidence has a verdict": "UPDATE store_evidence SET verdict_id = NULL",
    "evidence has the state of its verdict": "UPDATE store_evidence SET state = 'invalid'",
    "evidence names its newest verdict that could check": (
        "UPDATE store_evidence e SET verdict_id = (SELECT min(id) FROM store_verdictrow WHERE evidence_id = e.id)"
    ),
    "a verdict's evidence is of its run's manifest": (
        "UPDATE store_evidence e SET manifest_id = (SELECT max(id) FROM store_manifest WHERE is_index)"
        " WHERE kind = 'attestation'"
    ),
    "an SPDX attestation that holds has its document": "UPDATE store_evidence SET sbom_id = NULL",
    "an SBOM is of the manifest of its evidence": (
        "UPDATE store_sbom SET manifest_id = (SELECT max(id) FROM store_manifest WHERE is_index)"
    ),
    "an SBOM names the best evidence that carries it": "UPDATE store_sbom SET evidence_id = NULL",
    "an SBOM that is indexed has packages, graph and details": "DELETE FROM store_sbomgraph",
    "an SBOM that is not indexed has none of them": "UPDATE store_sbom SET indexed = false",
    "an SBOM whose rows were pruned is not indexed": "UPDATE store_sbom SET pruned_at = now()",
    "an SBOM's packages are stored, each once, in order": (
        "UPDATE store_sbompackages SET package_ids = package_ids || package_ids[1]"
    ),
    "an SBOM holds as many packages as it says": "UPDATE store_sbom SET installed_count = 0, module_count = 0",
    "every package of an SBOM is in the rollup of its image": "DELETE FROM store_packageimage",
    "the rollup holds only what an SBOM of the image holds": "UPDATE store_sbompackages SET package_ids = '{}'",
    "what is searched is tagged and verified, and all of that is searched": (
        "UPDATE store_sbompackages SET searchable = NOT searchable"
    ),
    "a tag points where its last move says": "DELETE FROM store_tagmove",
    "a move follows the one before it, and leads elsewhere": (
        "INSERT INTO store_tagmove (image_id, name, manifest_id, moved_at)"
        " SELECT image_id, name, manifest_id, moved_at FROM store_tagmove"
    ),
    "what belongs to one image says which": "UPDATE store_sbomdetail SET image_id = image_id + 1",
    "intarray, whose operators hide the indexes of packages, is not installed": "CREATE EXTENSION intarray",
    "a tag, its moves and an index's entries stay within their image": "UPDATE store_tag SET image_id = image_id + 1",
    "each change of a saved search's answer has its event": "UPDATE store_savedanswer SET changes = changes + 1",
    "an import that found nothing new appended no run": "UPDATE store_verificationrun SET trigger = 'ingest'",
    "a digest is in a search's universe as its tags and SBOMs say": "DELETE FROM store_tag",
    "an image counts its digests as they are": "UPDATE store_universeimage SET ever_held = ever_held + 1",
    "a search's universe is the sum of its images": "DELETE FROM store_universechange",
    "an index has an entry for each image it names": "DELETE FROM store_indexentry",
}


@pytest.fixture
def source() -> MemorySource:
    """An index with a signed platform and its SBOM, looked at twice, which a saved search finds."""
    allow()
    saved_searches.save("openssl", Wish("openssl"), NOW)
    found = MemorySource()
    child = found.push_image()
    attest(found, child, spdx("openssl@3.3.1-r0", "busybox@1.37.0-r9"))
    sign(found, child)
    sign(found, found.push_index("latest", amd64=child))
    fetch(found)
    fetch(found, now=LATER, trigger="re-verify")
    return found


def test_rows_that_were_stored_twice_keep_every_rule(source: MemorySource) -> None:
    assert consistency.violations() == []
    assert consistency.damaged() == []


def test_rows_that_break_a_rule_are_found(source: MemorySource) -> None:
    assert set(consistency.RULES) < set(DAMAGE)
    missed = []
    for rule, damage in DAMAGE.items():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(UNGUARDED)
            cursor.execute(damage)
            if rule not in [one.rule for one in consistency.violations()]:
                missed.append(rule)
            transaction.set_rollback(True)
    assert missed == []


def test_bytes_that_are_not_what_they_were_are_found(source: MemorySource) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE store_payload SET data = set_byte(data, 6, get_byte(data, 6) # 1) WHERE size < 100")
        cursor.execute("SELECT count(*) FROM store_payload WHERE size < 100")
        (changed,) = cursor.fetchone()
    assert [one.count for one in consistency.damaged()] == [changed] != [0]


def test_the_command_says_which_rule_is_broken_by_which_rows(source: MemorySource) -> None:
    said = io.StringIO()
    call_command("check_store", "--bytes", stdout=said)
    assert said.getvalue() == "Everything agrees.\n"
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM store_indexentry")
    with pytest.raises(CommandError, match="rules are broken"):
        call_command("check_store", stderr=said)
    assert "an index has an entry for each image it names" in said.getvalue()


def test_the_samples_and_a_layout_with_missing_platforms_keep_every_rule(shared: Path) -> None:
    call_command("load_samples", verbosity=0)
    layout = shared / "chainguard-postgres" / "oci-layout"
    call_command("import_layout", layout, "--as", "cgr.dev/chainguard/postgres:18.4", stdout=io.StringIO())
    assert consistency.violations() == []
