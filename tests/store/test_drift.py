"""Drift events: recorded with the look that shows them, once."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import DatabaseError, connection, transaction

from cgexplorer import ingest
from cgexplorer.store.models import Acknowledgement, DriftEvent, Image, Manifest, TagMove, VerificationRun
from cgexplorer.store.record import drift, tags
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NOW, allow, attest, fetch, sign, signed_image, spdx
from tests.store import factories as make

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
SPDX = "https://spdx.dev/Document"


@pytest.fixture(autouse=True)
def policy() -> None:
    allow()


def kinds() -> list[str]:
    return sorted(DriftEvent.objects.values_list("kind", flat=True))


def event(kind: str) -> DriftEvent:
    return DriftEvent.objects.select_related("run_before", "run", "move__previous").get(kind=kind)


def built(source: MemorySource, *packages: str, signed: bool = True, platform: str = "linux/amd64") -> str:
    """Another build behind the tag."""
    digest = source.push_image("latest", built_with=packages, platform=platform)
    if signed:
        sign(source, digest)
        attest(source, digest, spdx(*packages))
    return digest


def test_a_first_look_shows_no_drift_and_neither_does_the_same_again() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    fetch(source, now=LATER)
    ingest.reverify(Manifest.objects.get(), now=LATER)
    assert kinds() == []


def test_a_new_build_moves_the_tag_and_its_older_packages_are_told_with_both_looks() -> None:
    source = signed_image("openssl@3.3.2-r0", "curl@8.1-r0")
    fetch(source)
    before = Manifest.objects.get()
    built(source, "openssl@3.3.1-r0", "curl@8.2-r0")
    fetch(source, now=LATER)
    assert kinds() == ["package-downgraded", "tag-moved"]
    moved, older = event("tag-moved"), event("package-downgraded")
    assert (moved.before, moved.tags, moved.at) == (before.digest, ["latest"], LATER)
    assert moved.move is not None
    assert moved.move.previous is not None
    assert (older.before, older.after, older.platforms) == ("openssl 3.3.2-r0", "openssl 3.3.1-r0", ["linux/amd64"])
    assert older.changes == [{"name": "openssl", "from": "3.3.2-r0", "to": "3.3.1-r0"}]
    assert (older.run_before, older.run) == tuple(VerificationRun.objects.order_by("pk"))
    assert (older.manifest_before, older.manifest) == (before, older.run.manifest)


def test_a_build_without_signature_and_attestation_is_told() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    built(source, signed=False)
    fetch(source, now=LATER)
    assert kinds() == ["attestation-missing", "signature-missing", "tag-moved", "verdict-changed"]
    assert event("attestation-missing").topics == [SPDX]
    assert (event("verdict-changed").before, event("verdict-changed").after) == ("verified", "unsigned")


def test_a_tag_that_goes_back_is_a_rollback() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    first = source.tagged["latest"]
    built(source, "openssl@3.3.2-r0")
    fetch(source, now=LATER)
    source.tagged["latest"] = first
    fetch(source, now=LATER + HOUR)
    assert kinds() == ["package-downgraded", "tag-moved", "tag-rolled-back"]
    assert event("tag-rolled-back").after == first


def test_a_tag_that_vanished_and_comes_back_elsewhere_is_compared_with_where_it_was() -> None:
    source = signed_image("openssl@3.3.2-r0")
    fetch(source)
    tags.gone(Image.objects.get(), ["latest"], NOW + HOUR / 2)
    built(source, "openssl@3.3.1-r0")
    fetch(source, now=LATER)
    assert kinds() == ["package-downgraded", "tag-back", "tag-gone"]


def test_several_tags_that_take_the_same_step_at_once_are_one_event() -> None:
    image = make.image("registry.example/app")
    old, new = make.manifest(image, "old"), make.manifest(image, "new")
    tags.observe(image, {"1": old, "1.2": old}, NOW)
    tags.observe(image, {"1": new, "1.2": new}, LATER)
    assert event("tag-moved").tags == ["1", "1.2"]


def test_platforms_and_their_attestations_are_compared_one_by_one() -> None:
    source = signed_image("openssl@3.3.1-r0", tag="")
    amd64 = next(digest for digest in source.manifests if digest.replace(":", "-") + ".sig" in source.tagged)
    source.push_index("latest", amd64=amd64, s390x=source.push_image(platform="linux/s390x"))
    fetch(source)
    source.push_index("latest", amd64=source.push_image(other="build"), arm64=source.push_image(platform="linux/arm64"))
    fetch(source, now=LATER)
    assert kinds() == [
        "attestation-missing", "platform-added", "platform-removed", "signature-missing", "tag-moved",
        "verdict-changed",
    ]  # fmt: skip
    assert event("platform-added").platforms == ["linux/arm64"]
    assert event("signature-missing").platforms == ["linux/amd64"]


def test_a_signature_that_was_taken_away_is_told_and_one_that_could_not_be_asked_for_is_not() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    (name,) = (name for name in source.tagged if name.endswith(".sig"))
    source.unreachable.add(name)
    fetch(source, now=LATER)
    assert kinds() == []
    source.unreachable.clear()
    del source.tagged[name]
    fetch(source, now=LATER + HOUR)
    assert kinds() == ["signature-missing", "verdict-changed"]
    assert event("signature-missing").run_before == VerificationRun.objects.earliest("pk")  # the last complete look


def test_what_a_late_look_finds_missing_is_held_against_where_the_tag_came_from() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    built(source, signed=False)
    source.unreachable.add("referrers")
    fetch(source, now=LATER)
    assert kinds() == ["tag-moved"]
    source.unreachable.clear()
    for hour in (1, 2):
        fetch(source, now=LATER + hour * HOUR)
    assert kinds() == ["attestation-missing", "signature-missing", "tag-moved", "verdict-changed"]
    assert event("signature-missing").tags == ["latest"]


def test_another_policy_and_another_attestation_of_the_same_digest_are_told() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    allow("https://github.com/somebody/else/.github/workflows/release.yaml@refs/heads/main")
    ingest.reverify(Manifest.objects.get(), now=LATER)
    changed = event("verdict-changed-by-policy")
    assert (changed.before, changed.after, changed.tags) == ("verified", "signer-not-allowed", ["latest"])
    assert "v1" in changed.note
    assert "v2" in changed.note
    digest = source.tagged["latest"]
    attest(source, digest, spdx("openssl@3.3.1-r0"), spdx("openssl@3.3.1-r0", "curl@8.1-r0"))
    fetch(source, now=LATER + HOUR)
    assert kinds() == ["re-attested", "verdict-changed-by-policy"]


def test_recording_the_same_moves_again_adds_nothing() -> None:
    source = signed_image("openssl@3.3.2-r0")
    fetch(source)
    built(source, "openssl@3.3.1-r0")
    fetch(source, now=LATER)
    assert drift.of_moves(list(TagMove.objects.all())) == []
    assert drift.of_run(VerificationRun.objects.latest("pk")) == []
    assert len(kinds()) == 2


def test_neither_the_move_nor_its_events_are_there_without_the_other() -> None:
    image = make.image("registry.example/app")
    old, new = make.manifest(image, "old"), make.manifest(image, "new")
    tags.observe(image, {"latest": old}, NOW)

    def cut_off() -> None:
        with transaction.atomic():
            tags.observe(image, {"latest": new}, LATER)
            assert DriftEvent.objects.count() == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert (TagMove.objects.count(), DriftEvent.objects.count()) == (1, 0)


@pytest.mark.parametrize("table", ["store_driftevent", "store_acknowledgement"])
def test_events_and_acknowledgements_cannot_be_changed(table: str) -> None:
    image = make.image("registry.example/app")
    for when, seed in ((NOW, "old"), (LATER, "new")):
        tags.observe(image, {"latest": make.manifest(image, seed)}, when)
    drift.acknowledge(event("tag-moved"), "A release.", "Ann")
    for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_an_acknowledgement_needs_a_reason_and_none_replaces_another() -> None:
    image = make.image("registry.example/app")
    for when, seed in ((NOW, "old"), (LATER, "new")):
        tags.observe(image, {"latest": make.manifest(image, seed)}, when)
    with pytest.raises(ValueError, match="Say why"):
        drift.acknowledge(event("tag-moved"), "  \n")
    for reason in ("A release.", "Seen\x00 again."):
        drift.acknowledge(event("tag-moved"), reason)
    assert Acknowledgement.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_look_by_two_processes_at_once_is_one_event() -> None:
    image = make.image("registry.example/app")
    old, new = make.manifest(image, "old"), make.manifest(image, "new")
    tags.observe(image, {"latest": old}, NOW)

    def observe() -> None:
        try:
            tags.observe(image, {"latest": new}, LATER)
        finally:
            connection.close()

    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kinds() == ["tag-moved"]
