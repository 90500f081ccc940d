"""Saved searches: what they found when saved, and an event when an image answers otherwise."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cgexplorer import ingest
from cgexplorer.spdx.query import QueryError
from cgexplorer.store.models import ComponentCpe, DriftEvent, Manifest, SavedAnswer, SavedSearch, Sbom, WebhookDelivery
from cgexplorer.store.queries import saved_searches as queries
from cgexplorer.store.queries.saved_searches import SavedRow
from cgexplorer.store.record import saved_searches as record
from cgexplorer.store.record import tags
from cgexplorer.store.record.saved_searches import CannotSave, Wish
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NAME, NOW, allow, attest, fetch, sign, signed_image, spdx
from tests.store import factories as make

pytestmark = pytest.mark.django_db
OLD = Wish("openssl<3.3.2")


@pytest.fixture(autouse=True)
def policy() -> None:
    allow()


def events() -> list[DriftEvent]:
    return list(DriftEvent.objects.filter(kind="search-changed").order_by("pk"))


def row(name: str = "old openssl") -> SavedRow:
    return next(one for one in queries.searches() if one.search.name == name)


def built(source: MemorySource, *packages: str, tag: str = "latest") -> str:
    digest = source.push_image(tag, built_with=packages)
    sign(source, digest)
    attest(source, digest, spdx(*packages))
    return digest


def test_what_it_finds_when_saved_is_kept_and_is_no_event() -> None:
    fetch(signed_image("openssl@3.3.1-r0"))
    record.save("old openssl", OLD, NOW)
    found = row()
    assert (found.images, found.digests, found.changed_at, events()) == (1, 1, None, [])


def test_a_new_build_that_no_longer_holds_it_is_an_event_with_both_values() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    record.save("old openssl", OLD, NOW)
    built(source, "openssl@3.3.2-r0")
    fetch(source, now=LATER)
    (event,) = events()
    assert (event.search, event.image.name, event.tags, event.at) == ("old openssl", NAME, ["latest"], LATER)
    assert (event.before, event.after) == ("apk openssl 3.3.1-r0 (latest; linux/amd64)", "none")
    assert event.changes == [{"name": "latest linux/amd64", "from": "apk openssl 3.3.1-r0", "to": "none"}]
    assert event.move.name == "latest"
    assert (event.manifest_before_id, event.manifest_id) == tuple(
        Manifest.objects.order_by("pk").values_list("pk", flat=True)
    )
    assert (row().images, row().digests, row().changed_at) == (0, 0, LATER)


def test_an_image_that_begins_to_match_is_an_event() -> None:
    record.save("old openssl", OLD, NOW)
    fetch(signed_image("openssl@3.3.1-r0"), now=LATER)
    (event,) = events()
    assert (event.before, event.after) == ("none", "apk openssl 3.3.1-r0 (latest; linux/amd64)")


def test_a_new_build_that_holds_the_same_is_no_event() -> None:
    source = signed_image("openssl@3.3.1-r0", "curl@1-r0")
    fetch(source)
    record.save("old openssl", OLD, NOW)
    built(source, "openssl@3.3.1-r0", "curl@2-r0")
    fetch(source, now=LATER)
    assert events() == []


def test_with_history_each_digest_is_a_place_of_its_own() -> None:
    source = signed_image("openssl@3.3.1-r0", "curl@1-r0")
    fetch(source)
    record.save("ever", Wish("openssl<3.3.2", scope="all"), NOW)
    digest = built(source, "openssl@3.3.1-r0", "curl@2-r0")
    fetch(source, now=LATER)
    (event,) = events()
    assert [change["name"] for change in event.changes] == [f"{digest} linux/amd64"]
    assert row("ever").digests == 2


def test_an_attestation_that_is_no_longer_believed_is_an_event_of_the_run_that_says_so() -> None:
    fetch(signed_image("openssl@3.3.1-r0"))
    record.save("old openssl", OLD, NOW)
    allow("https://github.com/else/where/.github/workflows/release.yaml@refs/heads/main")
    run = ingest.reverify(Manifest.objects.get(), now=LATER)
    (event,) = events()
    assert (event.run, event.after, event.tags) == (run, "none", ["latest"])


def test_one_that_includes_unverified_stays_as_it_is_then() -> None:
    fetch(signed_image("openssl@3.3.1-r0"))
    record.save("any", Wish("openssl", include_unverified=True), NOW)
    allow("https://github.com/else/where/.github/workflows/release.yaml@refs/heads/main")
    ingest.reverify(Manifest.objects.get(), now=LATER)
    assert events() == []
    assert row("any").digests == 1


def test_a_tag_that_is_gone_takes_its_matches_along() -> None:
    fetch(signed_image("openssl@3.3.1-r0"))
    record.save("old openssl", OLD, NOW)
    manifest = Manifest.objects.get()
    tags.gone(manifest.image, ["latest"], LATER)
    (event,) = events()
    assert (event.after, event.tags) == ("none", ["latest"])


def test_neither_the_change_nor_its_event_is_there_when_the_writer_is_killed() -> None:
    fetch(signed_image("openssl@3.3.1-r0"))
    record.save("old openssl", OLD, NOW)
    image = Manifest.objects.get().image

    def killed() -> None:
        with transaction.atomic():
            tags.gone(image, ["latest"], LATER)
            assert len(events()) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert (events(), image.tags.count(), row().digests) == ([], 1, 1)
    tags.gone(image, ["latest"], LATER)
    assert len(events()) == 1


def test_the_same_look_again_and_a_nightly_verification_ask_no_search() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    record.save("old openssl", OLD, NOW)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        fetch(source, now=LATER)
        ingest.reverify(Manifest.objects.get(), now=LATER)
    assert not [query for query in asked if "unnest(s.names)" in query["sql"] or "store_savedanswer" in query["sql"]]


def test_of_many_searches_only_those_that_could_mean_a_changed_package_are_asked() -> None:
    source = signed_image("openssl@3.3.1-r0", "curl@1-r0")
    fetch(source)
    for number in range(30):
        record.save(f"other {number}", Wish(f"other{number}"), NOW)
    record.save("part", Wish("penss", by_part=True), NOW)
    record.save("licence", Wish("license:MIT"), NOW)
    record.save("upper", Wish("OpenSSL"), NOW)
    record.save("path", Wish("golang.org/x/curl"), NOW)
    found = queries.touched(Sbom.objects.values_list("pk", flat=True))
    assert [one.name for one in found] == ["part", "licence", "upper", "path"]


def test_a_source_package_is_touched_by_what_is_built_from_it() -> None:
    manifest = make.manifest(make.image())
    make.tag(manifest)
    made = make.sbom(manifest, make.package("3.3.1-r0", make.component("libssl3"), built_from="openssl"))
    record.save("old openssl", OLD, NOW)
    assert [one.name for one in queries.touched([made.pk])] == ["old openssl"]
    assert row().digests == 1


def test_a_name_that_stands_for_its_parts_is_saved_as_that() -> None:
    fetch(signed_image("openssl-dev@3.3.1-r0"))
    assert record.save("ssl", Wish("ssl-d"), NOW).by_part
    assert row("ssl").digests == 1


def test_a_version_without_an_order_is_told_and_not_counted() -> None:
    record.save("old openssl", OLD, NOW)
    fetch(signed_image("openssl@not.a~version"), now=LATER)
    (event,) = events()
    assert event.after == "apk openssl not.a~version (order unknown) (latest; linux/amd64)"
    assert row().digests == 0


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x00b"])
def test_a_search_needs_a_name_that_can_be_shown(name: str) -> None:
    if "\x00" in name:
        assert record.save(name, OLD, NOW).name.isprintable()
        return
    with pytest.raises(CannotSave, match="name of 1 to 100"):
        record.save(name, OLD, NOW)


def test_a_name_is_given_once() -> None:
    record.save("old openssl", OLD, NOW)
    with pytest.raises(CannotSave, match="remove it first"):
        record.save(" old  openssl", Wish("curl"), NOW)


def test_what_cannot_be_read_is_not_saved() -> None:
    with pytest.raises(QueryError):
        record.save("nothing", Wish("license:"), NOW)
    assert not SavedSearch.objects.exists()


def test_one_that_can_no_longer_be_read_says_so_and_keeps_its_answer() -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    record.save("old openssl", OLD, NOW)
    SavedSearch.objects.update(q="openssl role:nothing")
    built(source, "openssl@3.3.2-r0")
    fetch(source, now=LATER)
    assert (row().digests, events()) == (1, [])
    assert "'nothing' is none of them" in row().problem


def test_one_that_takes_too_long_says_so_and_is_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    record.save("old openssl", OLD, NOW)
    built(source, "openssl@3.3.2-r0")

    def too_long(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(1)")

    with monkeypatch.context() as patched:
        patched.setattr(queries, "answers", too_long)
        fetch(source, now=LATER)
    assert Manifest.objects.filter(tags__name="latest").get().state == "verified"
    assert (row().digests, events()) == (1, [])
    assert "gave it up after 5 seconds" in row().problem
    record.look_everywhere(SavedSearch.objects.get(), LATER)
    assert (row().digests, row().problem, len(events())) == (0, "", 1)


def test_when_all_of_them_take_too_long_the_others_are_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    record.save("old openssl", OLD, NOW)
    with monkeypatch.context() as patched:
        patched.setattr(record, "MAX_LOOK_S", -1)
        fetch(signed_image("openssl@3.3.1-r0"), now=LATER)
    assert (row().digests, row().problem, events()) == (0, record.PUT_OFF, [])
    record.look_everywhere(SavedSearch.objects.get(), LATER)
    assert (row().digests, row().problem, len(events())) == (1, "", 1)


def test_what_no_change_of_the_image_shows_is_found_by_the_look_at_all() -> None:
    record.save("by cpe", Wish("cpe:2.3:a:openssl:openssl:*"), NOW)
    fetch(signed_image("openssl@3.3.1-r0"))
    component = Manifest.objects.get().sboms.get().packages.package_ids[0]
    assert events() == []
    ComponentCpe.objects.create(
        vendor="openssl", product="openssl", component_id=make.Package.objects.get(pk=component).component_id
    )
    record.look_everywhere(SavedSearch.objects.get(), LATER)
    record.look_everywhere(SavedSearch.objects.get(), LATER)
    assert [event.search for event in events()] == ["by cpe"]


def test_a_removed_search_leaves_its_events() -> None:
    record.save("old openssl", OLD, NOW)
    fetch(signed_image("openssl@3.3.1-r0"), now=LATER)
    assert record.remove(name="old openssl")
    assert not record.remove(name="old openssl")
    assert (len(events()), SavedAnswer.objects.count()) == (1, 0)


def test_a_search_saved_again_under_a_name_has_events_of_its_own() -> None:
    for when in (NOW, LATER):
        record.save("old openssl", OLD, NOW)
        fetch(signed_image("openssl@3.3.1-r0"), now=when)
        tags.gone(Manifest.objects.first().image, ["latest"], when)
        record.remove(name="old openssl")
    assert len({event.key for event in events()}) == 4


def test_webhooks_are_told() -> None:
    make_webhook()
    record.save("old openssl", OLD, NOW)
    fetch(signed_image("openssl@3.3.1-r0"), now=LATER)
    assert WebhookDelivery.objects.get().event.search == "old openssl"


def make_webhook() -> None:
    from cgexplorer.store.models import Webhook

    Webhook.objects.create(name="team", host="hooks.example", sealed=b"x")


def test_a_package_whose_name_is_spelled_otherwise_is_asked_about() -> None:
    record.save("python", Wish("typing_extensions"), NOW)
    image = make.image("cgr.dev/a/python")
    sbom = make.sbom(make.manifest(image), make.package("1", make.component("typing-extensions", "pypi", "")))
    assert [search.name for search in queries.touched([sbom.pk])] == ["python"]
