"""/searches/ and the commands: keep a search, see what it finds, forget it."""

from __future__ import annotations

import csv
import io
from html import unescape
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.store.models import DriftEvent, SavedSearch
from cgexplorer.store.record import saved_searches as record
from cgexplorer.store.record import tags
from cgexplorer.store.record.saved_searches import Wish
from tests.store import factories as make

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def held() -> None:
    manifest = make.manifest(make.image())
    make.tag(manifest)
    make.sbom(manifest, make.package("3.3.1-r0"))


def changed(name: str = "old openssl") -> DriftEvent:
    """A search whose only match is gone."""
    held()
    record.save(name, Wish("openssl<3.3.2"), make.NOW)
    image = make.image()
    tags.gone(image, ["latest"], make.NOW + make.dt.timedelta(hours=1))
    return DriftEvent.objects.get(kind="search-changed")


def shown(client: Client, name: str = "searches", query: str = "") -> str:
    return unescape(client.get(reverse(name) + query).content.decode())


def test_the_search_page_saves_all_that_it_was_asked(client: Client) -> None:
    held()
    asked = {"q": "openssl", "v": "<3.3.2", "type": "apk", "scope": "all", "unverified": "1"}
    page = client.get(reverse("package-search"), asked).content.decode()
    for name, value in asked.items():
        assert f'<input type="hidden" name="{name}" value="{value.replace("<", "&lt;")}">' in page
    assert "manage.py save_search NAME" in page
    assert client.post(reverse("search-save"), {**asked, "name": "old openssl"})["Location"] == "/searches/"
    search = SavedSearch.objects.get()
    assert (search.q, search.v, search.type, search.scope) == ("openssl", "<3.3.2", "apk", "all")
    assert (search.include_unverified, search.by_part) == (True, False)
    assert "1 image, 1 digest" in shown(client)
    assert "/packages/?q=openssl&v=%3C3.3.2&type=apk&scope=all&unverified=1" in shown(client)


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"q": "openssl", "name": ""}, "name of 1 to 100"), ({"q": "license:", "name": "x"}, "Write what is wanted")],
)
def test_what_cannot_be_saved_is_said_where_it_was_asked(client: Client, asked: dict[str, str], why: str) -> None:
    response = client.post(reverse("search-save"), asked, follow=True)
    assert response.redirect_chain[0][0].startswith("/packages/?q=")
    assert "Not saved. " in unescape(response.content.decode())
    assert why in unescape(response.content.decode())


def test_the_form_needs_its_token() -> None:
    assert Client(enforce_csrf_checks=True).post(reverse("search-save"), {"q": "x", "name": "x"}).status_code == 403


def test_a_change_is_shown_with_the_search_everywhere_where_drift_is_told(client: Client) -> None:
    event = changed()
    page = shown(client, "drift", "?search=old+openssl")
    assert "apk openssl 3.3.1-r0 (latest; linux/amd64)" in page
    assert "Search: openssl<3.3.2" in page
    feed = ElementTree.fromstring(client.get(reverse("drift-feed")).content)
    titles = [entry.findtext("{*}title") for entry in feed.iterfind("{*}entry")]
    assert "Answer of “old openssl” changed: cgr.dev/chainguard/go:latest (linux/amd64)" in titles
    (row,) = [one for one in client.get(reverse("drift-json")).json()["events"] if one["search"]]
    assert (row["search"], row["before"], row["after"]) == ("old openssl", event.before, "none")
    assert "/drift/?search=old%20openssl" in shown(client)


def test_the_filter_by_search_shows_no_other_event(client: Client) -> None:
    changed()
    page = client.get(reverse("drift-json"), {"search": "old openssl"}).json()["events"]
    assert [event["kind"] for event in page] == ["search-changed"]
    assert client.get(reverse("drift-json"), {"search": "another"}).json()["events"] == []


def test_a_change_is_acknowledged_as_all_drift_is(client: Client) -> None:
    event = changed()
    client.post(reverse("drift-acknowledge", args=[event.pk]), {"reason": "Retired."})
    assert event.acknowledgements.get().reason == "Retired."


def test_what_a_person_typed_stays_text(client: Client) -> None:
    changed(HOSTILE)
    for page in ("searches", "drift", "home"):
        assert HOSTILE not in client.get(reverse(page)).content.decode()


def test_the_list_downloads(client: Client) -> None:
    changed("=1+1")
    (row,) = csv.DictReader(io.StringIO(client.get(reverse("searches-csv")).getvalue().decode(), newline=""))
    assert row["name"] != "=1+1"
    assert (row["q"], row["images"], row["digests"]) == ("openssl<3.3.2", "0", "0")
    said = client.get(reverse("searches-json")).json()
    assert (said["schema"], said["searches"][0]["name"]) == ("cgexplorer.searches/1", "=1+1")


def test_removing_it_keeps_its_events(client: Client) -> None:
    changed()
    search = SavedSearch.objects.get()
    assert client.post(reverse("search-remove", args=[search.pk])).status_code == 302
    assert client.post(reverse("search-remove", args=[search.pk])).status_code == 302
    assert (SavedSearch.objects.exists(), DriftEvent.objects.filter(search="old openssl").count()) == (False, 1)


def test_the_commands_save_list_and_forget(capsys: pytest.CaptureFixture[str]) -> None:
    held()
    call_command("save_search", "old openssl", "openssl<3.3.2", "--type", "apk", "--scope", "all")
    assert "Saved as “old openssl”: openssl<3.3.2 (apk, all digests): 1 image, 1 digest." in capsys.readouterr().out
    call_command("saved_searches")
    assert "1 image, 1 digest, not changed since it was saved" in capsys.readouterr().out
    call_command("saved_searches", "--remove", "old openssl")
    assert capsys.readouterr().out == ""
    with pytest.raises(CommandError, match="No search is saved as"):
        call_command("saved_searches", "--remove", "old openssl")


def test_the_commands_say_what_is_wrong() -> None:
    with pytest.raises(CommandError, match="name of a package"):
        call_command("save_search", "x", "<1")
    with pytest.raises(CommandError, match="name of 1 to 100"):
        call_command("save_search", "", "openssl")


def test_drift_of_one_search_is_told_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    changed()
    with pytest.raises(SystemExit):
        call_command("drift", "--search", "old openssl")
    assert "1 events, 1 not acknowledged." in capsys.readouterr().out
