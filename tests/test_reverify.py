from __future__ import annotations

import json

import pytest
from django.db import DatabaseError, connection, transaction

from cgexplorer import ingest
from cgexplorer.oci.digest import of as digest_of
from cgexplorer.oci.errors import NotFound, OciError
from cgexplorer.store.models import (
    Evidence,
    Manifest,
    Sbom,
    Tag,
    VerificationRun,
)
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NAME, NOW, allow, fetch, sign, signed_image, spdx

pytestmark = pytest.mark.django_db


def test_a_policy_change_shows_in_the_next_run_and_takes_the_sbom_out_of_search() -> None:
    allow()
    fetch(signed_image())
    allow("https://github.com/somebody/else@refs/heads/main")

    run = ingest.reverify(Manifest.objects.get(), now=LATER)

    assert run.state == "signer-not-allowed"
    assert not Sbom.objects.get().packages.searchable
    assert {row.policy.version for row in run.verdicts.select_related("policy")} == {2}


def test_verifying_again_appends_a_run_each_time() -> None:
    allow()
    fetch(signed_image())
    manifest = Manifest.objects.get()

    states = [ingest.reverify(manifest, now=LATER).state for _ in range(2)]

    assert states == ["verified", "verified"]
    assert VerificationRun.objects.count() == 3
    assert Sbom.objects.count() == 1


def test_contents_that_become_believable_later_are_read_then() -> None:
    source = signed_image()
    fetch(source)
    assert not Sbom.objects.exists()
    allow()

    ingest.reverify(Manifest.objects.get(), now=LATER)

    assert Sbom.objects.get().packages.searchable


def test_verifying_again_does_not_call_unsigned_what_could_not_be_read_before() -> None:
    allow()
    source = signed_image()
    source.unreachable.add(source.tagged["latest"].replace(":", "-") + ".sig")
    assert fetch(source).manifests[0].state == "could-not-check"

    run = ingest.reverify(Manifest.objects.get(), now=LATER)

    assert run.state == "could-not-check"


def test_verifying_a_missing_platform_again_forgets_nothing_about_it() -> None:
    source = MemorySource()
    source.push_index("latest", arm64=digest_of(b"never pushed"))
    fetch(source)
    before = Manifest.objects.values("platform", "media_type", "problem").get(digest=digest_of(b"never pushed"))

    ingest.reverify(Manifest.objects.get(digest=digest_of(b"never pushed")), now=LATER)

    after = Manifest.objects.values("platform", "media_type", "problem").get(digest=digest_of(b"never pushed"))
    assert after == before


def test_verifying_stored_evidence_is_not_seeing_the_source() -> None:
    allow()
    fetch(signed_image())

    ingest.reverify(Manifest.objects.get(), now=LATER)

    assert Manifest.objects.get().observed_at == NOW
    assert set(Evidence.objects.values_list("observed_at", flat=True)) == {NOW}


def test_a_digest_typed_beside_a_tag_does_not_move_the_tag() -> None:
    source = MemorySource()
    old = source.push_image("latest")
    source.push_image("latest", variant="new")
    fetch(source)
    newest = Tag.objects.get().manifest_id

    fetch(source, f"{NAME}:latest@{old}", now=LATER)

    assert Tag.objects.get().manifest_id == newest


def test_verifying_an_unsigned_file_forgets_nothing_about_it() -> None:
    sbom = ingest.import_sbom(json.dumps(spdx("openssl@3.3.1-r0")).encode(), "mine", now=NOW)
    before = Manifest.objects.values("media_type", "size", "platform").get()

    run = ingest.reverify(sbom.manifest, now=LATER)

    assert run.state == "unsigned"
    assert Manifest.objects.values("media_type", "size", "platform").get() == before


def test_a_signature_that_its_source_has_taken_back_is_not_believed_again() -> None:
    allow()
    source = signed_image()
    fetch(source)
    del source.tagged[source.tagged["latest"].replace(":", "-") + ".sig"]
    assert fetch(source, now=LATER).manifests[0].state == "unsigned"

    assert ingest.reverify(Manifest.objects.get(), now=LATER).state == "unsigned"


def test_evidence_that_could_not_be_read_again_still_counts() -> None:
    allow()
    source = signed_image()
    digest = source.push_index("latest", amd64=source.tagged["latest"])
    fetch(source)
    child = Manifest.objects.exclude(digest=digest).get()
    source.unreachable.add(child.digest)
    fetch(source, now=LATER)

    assert ingest.reverify(child, now=LATER).state == "verified"


def test_asking_the_registry_again_finds_what_was_signed_since() -> None:
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    assert fetch(source).manifests[0].state == "unsigned"
    sign(source, digest)
    manifest = Manifest.objects.get()
    assert ingest.reverify(manifest, now=LATER).state == "unsigned"

    run = ingest.reverify(manifest, now=LATER, live=source)

    assert (run.state, run.source, run.trigger) == ("verified", "registry", "re-verify")
    assert Manifest.objects.get().state == "verified"


def test_asking_the_registry_again_appends_a_run_even_when_nothing_is_new() -> None:
    allow()
    source = signed_image()
    fetch(source)

    run = ingest.reverify(Manifest.objects.get(), now=LATER, live=source)

    assert run.state == "verified"
    assert VerificationRun.objects.count() == 2
    assert Manifest.objects.get().observed_at == LATER


def test_a_signature_that_the_registry_lost_is_missed() -> None:
    allow()
    source = signed_image()
    fetch(source)
    manifest = Manifest.objects.get()
    del source.tagged[manifest.digest.replace(":", "-") + ".sig"]

    assert ingest.reverify(manifest, now=LATER, live=source).state == "unsigned"

    assert Manifest.objects.get().state == "unsigned"


def test_what_is_found_live_is_judged_by_the_newest_policy_and_leaves_the_search_at_once() -> None:
    allow()
    source = signed_image()
    fetch(source)
    allow("https://github.com/somebody/else@refs/heads/main")

    assert ingest.reverify(Manifest.objects.get(), now=LATER, live=source).state == "signer-not-allowed"

    assert not Sbom.objects.get().packages.searchable


def test_a_registry_that_does_not_answer_again_overwrites_no_verdict() -> None:
    allow()
    source = signed_image()
    fetch(source)
    manifest = Manifest.objects.get()
    source.unreachable.add(manifest.digest)

    with pytest.raises(OciError):
        ingest.reverify(manifest, now=LATER, live=source)

    assert Manifest.objects.get().state == "verified"
    assert Sbom.objects.get().packages.searchable
    assert VerificationRun.objects.count() == 1


def test_evidence_that_cannot_be_read_again_leaves_the_verdict_and_says_so() -> None:
    allow()
    source = signed_image()
    fetch(source)
    manifest = Manifest.objects.get()
    source.unreachable.add(manifest.digest.replace(":", "-") + ".sig")

    run = ingest.reverify(manifest, now=LATER, live=source)

    assert run.state == "could-not-check"
    assert run.problems
    assert Manifest.objects.get().state == "verified"
    assert Sbom.objects.get().packages.searchable


def test_asking_again_about_a_digest_moves_no_tag() -> None:
    allow()
    source = signed_image()
    fetch(source)
    manifest = Manifest.objects.get()
    source.push_image("latest", variant="new")

    ingest.reverify(manifest, now=LATER, live=source)

    assert Tag.objects.get().manifest == manifest


def test_a_run_and_what_search_may_show_change_together_or_not_at_all() -> None:
    allow()
    fetch(signed_image())
    allow("https://github.com/somebody/else@refs/heads/main")
    with connection.cursor() as cursor:
        cursor.execute(
            """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
            CREATE TRIGGER refuse BEFORE UPDATE ON store_sbompackages EXECUTE FUNCTION refuse()"""
        )

    with pytest.raises(DatabaseError, match="no room"), transaction.atomic():
        ingest.reverify(Manifest.objects.get(), now=LATER)

    assert VerificationRun.objects.count() == 1
    assert Manifest.objects.get().state == "verified"
    assert Sbom.objects.get().packages.searchable


def test_a_digest_that_its_source_no_longer_has_is_marked_until_it_is_seen_again() -> None:
    allow()
    source = signed_image()
    fetch(source)
    manifest = Manifest.objects.get()
    raw = source.manifests.pop(manifest.digest)
    with pytest.raises(NotFound):
        ingest.reverify(manifest, now=LATER, live=source)
    manifest.refresh_from_db()
    assert (manifest.gone_at, manifest.state) == (LATER, "verified")

    source.manifests[manifest.digest] = raw
    ingest.reverify(manifest, now=LATER, live=source)
    manifest.refresh_from_db()
    assert manifest.gone_at is None
