"""What PostgreSQL does well only as long as nobody changes it by the way: each was measured, or went wrong, once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cgexplorer.store.models import Component, License, Package
from cgexplorer.store.queries.held_by import of as held_by_of
from cgexplorer.store.queries.rows import rows
from tests.at_once import together
from tests.store import factories as make
from tests.store.test_record_at_once import document, intern

pytestmark = pytest.mark.django_db
STORE = Path(__file__).resolve().parents[2] / "cgexplorer"
# Rows of the fleet as a whole, each of which every image may use; all others are of one image.
OF_NO_IMAGE = {
    "Acknowledgement", "Activity", "ClockAcceptance", "Component", "ComponentCpe", "Follow", "License",
    "Package", "Payload", "PolicyRow", "Registry", "RegistryCredential", "SavedSearch", "Sync", "SyncItem",
    "TrustRoot", "TrustUpdate", "UniverseChange", "Webhook", "WebhookDelivery",
}  # fmt: skip


def test_the_index_of_current_packages_is_partial_and_has_no_pending_list() -> None:
    """Of all builds one in hundreds is current; a pending list makes 250 ms of an insert now and then."""
    ((method, condition, options),) = rows(
        """SELECT m.amname, pg_get_expr(x.indpred, x.indrelid), c.reloptions FROM pg_index x
        JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am m ON m.oid = c.relam
        WHERE c.relname = 'sbom_packages_current'"""
    )
    assert (method, condition, options) == ("gin", "searchable", ["fastupdate=off"])


def test_a_search_of_current_tags_can_use_that_index() -> None:
    """`int[]` against `int[]`: with another type, or with intarray's operators, it would not match the index."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {held_by_of('current', include_unverified=False).any}", [[1, 2, 3]])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "sbom_packages_current" in plan


def test_what_is_compressed_already_is_stored_as_it_is() -> None:
    found = rows(
        """SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.attstorage = 'e' AND c.relname LIKE 'store_%%' AND c.relkind = 'r' ORDER BY 1, 2"""
    )
    assert {
        ("store_payload", "data"),
        ("store_sbomdetail", "document"),
        ("store_sbomdetail", "files"),
        ("store_sbomdetail", "packages"),
        ("store_sbomgraph", "data"),
        ("store_sbompackages", "package_ids"),
    } <= set(found)


def test_no_page_waits_for_parallel_workers_to_start() -> None:
    assert rows("SHOW max_parallel_workers_per_gather") == [("0",)]


def test_a_page_gives_up_after_five_seconds_and_a_job_after_a_minute() -> None:
    assert rows("SHOW statement_timeout") == [("1min",)]
    asked = "import cgexplorer.wsgi; from django.conf import settings; print(settings.DATABASES['default']['OPTIONS'])"
    told = {name: value for name, value in os.environ.items() if name != "CGEXPLORER_STATEMENT_TIMEOUT_MS"}
    served = subprocess.run([sys.executable, "-c", asked], env=told, capture_output=True, text=True, check=True)
    assert "statement_timeout=5000" in served.stdout


@pytest.mark.django_db(transaction=True)
def test_two_documents_of_the_same_new_packages_in_any_order_never_wait_for_each_other() -> None:
    """Unsorted and row by row, 137 of 160 such transactions were lost to deadlocks."""
    names = [f"name-{number}@{number % 7}" for number in range(3000)]
    listed = [document(*random.Random(seed).sample(names, len(names))) for seed in range(3)]

    failures = together(*(lambda found=found: intern(found) for found in listed))

    assert failures == []
    assert (Package.objects.count(), Component.objects.count(), License.objects.count()) == (3000, 3000, 1)


def test_no_b_tree_holds_what_a_document_may_make_as_long_as_it_wants() -> None:
    """An entry of a B-tree ends at 2,704 bytes, and the document with it could not be stored."""
    found = rows(
        """SELECT c.relname, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_class c ON c.oid = x.indrelid JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(x.indkey)
        WHERE c.relname LIKE 'store_%%' AND a.atttypid IN ('text'::regtype, 'jsonb'::regtype)"""
    )
    assert found == []


def test_a_package_whose_names_have_ten_thousand_characters_is_stored_and_found_again() -> None:
    letters = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=10_000)
    long = "".join(letters)  # that no compression makes short
    found = document(f"{long}@{long}")

    assert intern(found) == intern(found)
    assert Package.objects.get().component.name == long


def test_every_row_of_one_image_says_which() -> None:
    """A fleet that outgrows one machine is spread by image: its rows lie and are joined in one place."""
    without = {
        model.__name__
        for model in apps.get_app_config("store").get_models()
        if not model._meta.proxy
        and model.__name__ != "Image"
        and "image_id" not in {field.column for field in model._meta.concrete_fields}
    }
    assert without == OF_NO_IMAGE


def test_no_hand_written_query_counts_rows_away() -> None:
    """OFFSET reads what it leaves out: 427 ms for the millionth row, where the key of the last one takes 0.12 ms."""
    texts = {path: path.read_text() for path in STORE.rglob("*.py")}
    assert len(texts) > 100
    assert [str(path) for path, text in texts.items() if " OFFSET" in text] == []


def test_later_pages_of_long_lists_are_found_by_the_last_row_of_the_one_before(client: Client) -> None:
    image = make.image()
    for number in range(3):
        child = make.manifest(image, str(number))
        make.sbom(child, make.package("3.3.1-r0"), make.package("3.3.2-r0"))
        make.tag(child, f"tag-{number}")
        make.run(child)
    pages = ("/drift/?before=9", "/activities/?before=9", "/packages/?q=openssl&scope=all", "/images/?q=c&page=2")
    with CaptureQueriesContext(connection) as queries:
        for page in pages:
            assert client.get(page).status_code == 200, page
    assert len(queries) > len(pages)
    assert [query["sql"] for query in queries if "OFFSET" in query["sql"]] == []
