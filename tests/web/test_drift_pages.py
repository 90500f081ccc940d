"""Pages, feed and command of what drifted."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import uuid
import xml.etree.ElementTree as ET

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.store.models import Acknowledgement, DriftEvent
from cgexplorer.store.queries import drift as queries
from cgexplorer.store.record import drift, tags
from cgexplorer.web import drift as page
from tests.store import factories as make

pytestmark = pytest.mark.django_db
NAME, OTHER = "registry.example/app", "registry.example/other"
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "</summary><script>alert(1)</script>&\x0b\x1b]0;x\x07=1+1"


def moved(name: str = NAME, times: int = 1) -> list[DriftEvent]:
    image = make.image(name)
    for number in range(times + 1):
        builds = make.manifest(image, str(number))
        tags.observe(image, {"latest": builds}, make.NOW + dt.timedelta(hours=number))
    return list(DriftEvent.objects.filter(image=image).order_by("pk"))


def shown(client: Client, ask: str = "") -> str:
    return client.get(f"{reverse('drift')}{ask}").content.decode()


def by_policy(name: str, *platforms: str, hours: int = 0) -> list[DriftEvent]:
    """Another policy, under which an image's digests are verified one after the other."""
    image = make.image(name)
    made = []
    for number, platform in enumerate(platforms):
        known = image.manifests.filter(platform=platform).first()
        event = DriftEvent(key=uuid.uuid4(), kind="verdict-changed-by-policy", image=image, topics=["signature"])
        event.tags, event.platforms, event.note = ["latest"], [platform], "Policy: acme v1, then acme v2."
        event.before, event.after = "verified", "signer-not-allowed"
        event.manifest = known or make.manifest(image, name, platform=platform)
        event.at = make.NOW + dt.timedelta(hours=hours, minutes=number)
        event.save()
        made.append(event)
    return made


def test_another_policy_is_told_once_an_image_with_its_platforms_and_no_event_is_lost(client: Client) -> None:
    first, *others = by_policy(NAME, "index", "linux/amd64", "linux/arm64")
    (elsewhere,) = by_policy(OTHER, "index")
    page = shown(client)
    assert [event.pk for event in DriftEvent.objects.all() if f'id="event-{event.pk}"' in page] == [
        first.pk, elsewhere.pk,
    ]  # fmt: skip
    assert "index, linux/amd64, linux/arm64" in page
    assert "Each of 3 digests" in page
    assert all(f"?event={one.pk}" in page for one in others)
    assert len(client.get(reverse("drift-json")).json()["events"]) == 4
    feed = ET.fromstring(client.get(reverse("drift-feed")).content)
    assert [entry.findtext(f"{ATOM}id") for entry in feed.iter(f"{ATOM}entry")] == [
        f"urn:uuid:{elsewhere.key}", f"urn:uuid:{first.key}",
    ]  # fmt: skip
    assert [told.event.pk for told in queries.unknown(5)[0]] == [elsewhere.pk, first.pk]


def test_what_is_shown_as_one_is_acknowledged_as_one(client: Client) -> None:
    first, *others = by_policy(NAME, "index", "linux/amd64")
    (elsewhere,) = by_policy(OTHER, "index")
    asked = {"reason": "New policy.", "with": [*(one.pk for one in others), elsewhere.pk, "x", "9" * 30]}
    client.post(reverse("drift-acknowledge", args=[first.pk]), asked)
    known = set(Acknowledgement.objects.values_list("event_id", flat=True))
    assert known == {first.pk, *(one.pk for one in others)}


def test_the_same_digest_judged_anew_or_another_day_is_another_event(client: Client) -> None:
    by_policy(NAME, "index", "linux/amd64")
    by_policy(NAME, "index", hours=1)
    by_policy(NAME, "linux/arm64", hours=40)
    assert shown(client).count('id="event-') == 3


def test_the_filters_leave_what_they_ask_for(client: Client) -> None:
    known, _ = moved(times=2)
    moved(OTHER)
    drift.acknowledge(known, "A release.")

    def ids(ask: str) -> list[int]:
        return [event["id"] for event in client.get(f"{reverse('drift-json')}{ask}").json()["events"]]

    assert len(ids("")) == 3
    assert ids("?acknowledged=yes") == [known.pk]
    assert len(ids("?acknowledged=no")) == 2
    assert len(ids(f"?image={OTHER}")) == 1
    assert ids("?kind=tag-gone") == ids("?event=9999999999999999999") == []
    assert len(ids("?kind=%00&image=%00&event=x")) == 3
    assert f"event-{known.pk}" not in shown(client, "?acknowledged=no")


def test_every_event_is_on_one_page_of_the_list_and_on_no_other(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "ROWS_A_PAGE", 2)
    events = moved(times=5)
    found: list[int] = []
    ask = ""
    for _ in range(3):
        response = client.get(f"{reverse('drift')}{ask}")
        found += [told.event.pk for told in response.context["rows"]]
        ask = response.context["next"]
    assert found == [event.pk for event in reversed(events)]
    assert ask == ""


def test_an_acknowledgement_is_shown_with_its_reason_and_needs_one(client: Client) -> None:
    (event,) = moved()
    address = reverse("drift-acknowledge", args=[event.pk])
    client.post(address, {"reason": "  "})
    assert not Acknowledgement.objects.exists()
    response = client.post(address, {"reason": "A <release>", "who": "Ann", "next": "/drift/?kind=tag-moved"})
    assert response["Location"] == "/drift/?kind=tag-moved"
    assert "A &lt;release&gt;" in shown(client)
    assert client.post(reverse("drift-acknowledge", args=[10**9]), {"reason": "x"}).status_code == 404


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_an_acknowledgement_leads_to_no_other_site(client: Client, target: str) -> None:
    (event,) = moved()
    response = client.post(reverse("drift-acknowledge", args=[event.pk]), {"reason": "x", "next": target})
    assert response["Location"] == f"/drift/?event={event.pk}"


def hostile() -> DriftEvent:
    image = make.image(NAME)
    before, after = make.manifest(image, "before"), make.manifest(image, "after")
    return DriftEvent.objects.create(
        key="00000000-0000-0000-0000-000000000001", kind="identity-changed", image=image, topics=[HOSTILE],
        platforms=[HOSTILE], before=HOSTILE, after=HOSTILE, note=HOSTILE, at=make.NOW,
        changes=[{"name": HOSTILE, "from": HOSTILE, "to": HOSTILE}] * 13, manifest_before=before, manifest=after,
    )  # fmt: skip


def test_other_peoples_text_stays_text(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    hostile()
    assert "<script>alert" not in shown(client)
    (row,) = csv.DictReader(io.StringIO(client.get(reverse("drift-csv")).getvalue().decode(), newline=""))
    assert row["kind"] == "identity-changed"
    with pytest.raises(SystemExit):
        call_command("drift")
    assert "\x1b" not in capsys.readouterr().out


def test_the_feed_is_atom_whatever_the_text(client: Client) -> None:
    hostile()
    moved(OTHER)
    response = client.get(reverse("drift-feed"))
    assert response["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(response.content)
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 2
    for entry in entries:
        for name in ("title", "id", "updated", "summary"):
            assert entry.findtext(f"{ATOM}{name}")
        assert [element.tag for element in entry.iter(f"{ATOM}script")] == []
    assert "</summary><script>" in (entries[1].findtext(f"{ATOM}summary") or "")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert ids[1] == "urn:uuid:00000000-0000-0000-0000-000000000001"
    link = entries[0].find(f"{ATOM}link")
    assert link is not None
    assert client.get(link.attrib["href"].removeprefix("http://testserver")).status_code == 200
    dt.datetime.fromisoformat(feed.findtext(f"{ATOM}updated") or "")
    moved("registry.example/third")
    again = ET.fromstring(client.get(reverse("drift-feed")).content)
    assert [entry.findtext(f"{ATOM}id") for entry in again.findall(f"{ATOM}entry")][1:] == ids


def test_a_feed_of_one_image_has_only_its_events_and_one_of_nothing_is_a_feed(client: Client) -> None:
    moved()
    of_other = ET.fromstring(client.get(reverse("drift-feed"), {"image": OTHER}).content)
    assert of_other.findall(f"{ATOM}entry") == []
    assert of_other.findtext(f"{ATOM}title") == f"Drift of {OTHER}"


def test_the_first_page_lists_what_nobody_acknowledged(client: Client) -> None:
    (event,) = moved()
    assert f"/drift/?event={event.pk}" in client.get("/").content.decode()
    drift.acknowledge(event, "A release.")
    assert f"/drift/?event={event.pk}" not in client.get("/").content.decode()


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        call_command("drift", *arguments)
    except SystemExit as ended:
        return int(str(ended.code)), capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_the_command_ends_with_2_until_everything_is_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys) == (0, "0 events, 0 not acknowledged.\n")
    (event,) = moved()
    code, said = told(capsys, "--since", "1h")
    assert code == 2
    assert f"open  Tag moved: {NAME}:latest" in said
    drift.acknowledge(event, "A release.")
    assert told(capsys)[0] == 0


def test_the_command_leaves_out_what_was_recorded_before(capsys: pytest.CaptureFixture[str]) -> None:
    moved()
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).date().isoformat()
    code, said = told(capsys, "--since", tomorrow, "--format", "json")
    assert (code, json.loads(said)) == (0, {"schema": "cgexplorer.drift/1", "events": []})
    assert len(json.loads(told(capsys, "--since", "2026-01-01T00:00:00Z", "--format", "json")[1])["events"]) == 1


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01", "7", "99999d9", "2026-02-30T00:00:00Z"])
def test_what_is_no_time_is_said(when: str) -> None:
    with pytest.raises(CommandError, match="is not a time"):
        call_command("drift", "--since", when)
