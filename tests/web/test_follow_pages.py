"""Pages of what is followed."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from cgexplorer.store.models import Activity, Follow, Sync
from cgexplorer.store.record import follows, syncs

pytestmark = pytest.mark.django_db
NAME = "registry.example/team/app"
DIGEST = "sha256:" + "ab" * 32


def test_a_repository_is_followed_by_the_form_and_its_first_round_is_shown(client: Client) -> None:
    asked = {"repository": NAME, "tags": "latest 1.*", "newest": "3", "platforms": "linux/amd64", "every": "6h"}
    answer = client.post("/follows/new", asked)
    made = Follow.objects.get()
    assert (made.name, made.tags, made.newest, made.every_s) == (NAME, ["latest", "1.*"], 3, 21600)
    assert answer["Location"] == f"/activities/{Sync.objects.get().activity_id}"
    assert NAME in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"repository": f"{NAME}:latest"}, "without a tag or a digest"),
        ({"tags": "a/b"}, "neither a tag nor a glob"),
        ({"newest": "many"}, "how many of the newest"),
        ({"every": "1s"}, "1s is not one of the available choices"),
    ],
)
def test_a_wish_that_makes_no_sense_is_explained_and_what_was_typed_stays(
    client: Client, wrong: dict[str, str], sentence: str
) -> None:
    answer = client.post("/follows/new", {"repository": NAME, "tags": "kept", "every": "1h", **wrong})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert sentence in page
    assert f'value="{wrong.get("tags", "kept")}"' in page
    assert not Follow.objects.exists()


def test_what_is_followed_can_be_unfollowed(client: Client) -> None:
    follows.follow(follows.read(NAME), timezone.now())
    page = client.post(f"/follows/{NAME}/-/unfollow", follow=True).content.decode()
    assert "no longer followed" in page
    assert not Follow.objects.exists()


def test_syncing_now_twice_is_one_round(client: Client) -> None:
    follows.follow(follows.read(NAME), timezone.now())
    answers = [client.post(f"/follows/{NAME}/-/sync") for _ in range(2)]
    assert len({answer["Location"] for answer in answers}) == Sync.objects.count() == 1


def test_a_round_shows_its_figures_and_what_failed_with_its_reason(client: Client) -> None:
    found, _ = syncs.queue(NAME)
    syncs.count(found, syncs.Counts(found=1200, unchanged=1100, gone=2))
    syncs.add(found, DIGEST, ["1.0", "latest"], timezone.now())
    syncs.add_failed(found, "2.0", "The registry answered <b>500</b>.", timezone.now())
    page = client.get(f"/activities/{found.activity_id}").content.decode()
    for figure in ("1,200 <small>found", "1,100 unchanged", "2 no longer there", "1 failed", "&lt;b&gt;500&lt;/b&gt;"):
        assert figure in page
    rows = client.get(f"/syncs/{found.pk}.json").json()["items"]
    assert [(row["tags"], row["state"]) for row in rows] == [(["2.0"], "failed"), (["1.0", "latest"], "todo")]


def test_a_round_that_could_not_ask_says_why(client: Client) -> None:
    follows.follow(follows.read(NAME), timezone.now())
    found, _ = syncs.queue(NAME)
    syncs.end(found, "No connection to registry.example.")
    assert Activity.objects.get().state == "failed"
    for address in ("/follows/", f"/activities/{found.activity_id}"):
        assert "No connection to registry.example." in client.get(address).content.decode()


def test_the_list_asks_again_only_while_something_is_under_way(client: Client) -> None:
    follows.follow(follows.read(NAME), timezone.now())
    assert "every 2s" not in client.get("/follows/").content.decode()
    found, _ = syncs.queue(NAME)
    assert "every 2s" in client.get("/follows/").content.decode()
    syncs.end(found, "")
    assert "every 2s" not in client.get("/follows/").content.decode()
