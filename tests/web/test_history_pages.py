"""Pages of where tags pointed."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from cgexplorer.store.models import Manifest
from cgexplorer.store.record import tags
from tests.store import factories as make

pytestmark = pytest.mark.django_db
NAME = "registry.example/app"


def at(hours: int) -> dt.datetime:
    return make.NOW + dt.timedelta(hours=hours)


@pytest.fixture
def old() -> Manifest:
    return make.manifest(make.image(NAME), "old")


@pytest.fixture
def new() -> Manifest:
    return make.manifest(make.image(NAME), "new")


@pytest.fixture(autouse=True)
def moved_back(old: Manifest, new: Manifest) -> None:
    for hour, manifest in enumerate((old, new, old)):
        tags.observe(old.image, {"latest": manifest}, at(hour))


def test_a_timeline_says_what_happened_and_links_to_the_comparison(
    client: Client, old: Manifest, new: Manifest
) -> None:
    page = client.get(f"/images/{NAME}:latest").content.decode()
    assert "Rolled back" in page
    assert "to a digest that it had before" in page
    assert f"from={NAME}@{new.digest}&amp;to={NAME}@{old.digest}" in page


def test_a_timeline_as_json_holds_both_digests_of_each_change(client: Client, old: Manifest, new: Manifest) -> None:
    rows = client.get(f"/images/{NAME}:latest.json").json()["digests"]
    assert [(row["kind"], row["digest"], row["previous_digest"]) for row in rows] == [
        ("rolled back", old.digest, new.digest),
        ("moved", new.digest, old.digest),
        ("first", old.digest, ""),
    ]


def test_a_tag_that_is_gone_is_still_found_and_says_when_it_was_missed(client: Client, old: Manifest) -> None:
    tags.gone(old.image, ["latest"], at(3))
    image = client.get(f"/images/{NAME}").content.decode()
    assert "No longer at the source" in image
    assert f"/images/{NAME}:latest" in image
    timeline = client.get(f"/images/{NAME}:latest").content.decode()
    assert "no longer has this tag" in timeline
    assert "Open what it points to now" not in timeline


def test_a_digest_names_the_tags_that_pointed_to_it_and_when(client: Client, new: Manifest) -> None:
    page = client.get(f"/images/{NAME}@{new.digest}/-/tags").content.decode()
    assert f"/images/{NAME}:latest" in page
    rows = client.get(f"/images/{NAME}@{new.digest}/-/tags.json").json()["tags"]
    assert [(row["tag"], row["first_seen_at"]) for row in rows] == [
        ("latest", at(1).isoformat().replace("+00:00", "Z"))
    ]


def test_a_digest_that_its_source_no_longer_has_says_so_on_its_page(client: Client, new: Manifest) -> None:
    Manifest.objects.filter(pk=new.pk).update(gone_at=at(4))
    assert "no longer has this digest" in client.get(f"/images/{NAME}@{new.digest}").content.decode()
