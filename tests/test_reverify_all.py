"""Verifying again all that tags point to: of one image, or of every one."""

from __future__ import annotations

import socket

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cgexplorer import ingest, jobs
from cgexplorer.store.models import Activity, Evidence, Image, Manifest, VerificationRun
from cgexplorer.store.queries import reverified
from tests.fakes.sigstore import WORKFLOW
from tests.ingesting import allow, fetch, signed_image

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def images() -> None:
    """Two images; one has two tags."""
    allow()
    fetch(signed_image())
    fetch(signed_image("curl@8.0-r0", tag="old", variant="old"), "registry.example/app:old")
    fetch(signed_image("zlib@1-r0", variant="other"), "registry.example/other:latest")


def again() -> list[str]:
    """Images whose digests were verified again, one name a digest."""
    runs = VerificationRun.objects.filter(trigger=reverified.TRIGGER)
    return sorted(runs.values_list("image__name", flat=True))


def done(activity: Activity) -> Activity:
    image = Image.objects.filter(name=activity.subject).first()
    jobs.reverify_all(activity_id=activity.pk, image_id=image.pk if image else None)
    activity.refresh_from_db()
    return activity


def test_everything_is_verified_again() -> None:
    activity = done(jobs.defer_reverify_all())
    assert (activity.state, activity.done, activity.total) == ("done", 3, 3)
    assert again() == ["registry.example/app", "registry.example/app", "registry.example/other"]


def test_one_image_is_verified_again() -> None:
    done(jobs.defer_reverify_all(Image.objects.get(name="registry.example/app")))
    assert again() == ["registry.example/app", "registry.example/app"]


def test_what_is_queued_is_not_queued_twice() -> None:
    assert jobs.defer_reverify_all() == jobs.defer_reverify_all()


def test_an_attempt_that_was_cut_off_is_taken_up_where_it_ended() -> None:
    activity = jobs.defer_reverify_all()
    first = Manifest.objects.order_by("pk").first()
    ingest.reverify(first, now=timezone.now(), trigger=reverified.TRIGGER)
    done(activity)
    assert len(again()) == 3


def test_evidence_whose_bytes_are_damaged_is_named_and_the_rest_is_verified() -> None:
    damaged = Evidence.objects.filter(image__name="registry.example/other").first()
    damaged.content.data = b"no zstd"
    damaged.content.save()
    activity = done(jobs.defer_reverify_all())
    assert activity.state == "failed"
    assert activity.error.startswith("registry.example/other@sha256:")
    assert again() == ["registry.example/app", "registry.example/app"]


def test_no_network_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("stored evidence needs no network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert done(jobs.defer_reverify_all()).state == "done"


def test_the_page_of_the_work_says_what_came_of_it(client: Client) -> None:
    activity = jobs.defer_reverify_all()
    allow(f"{WORKFLOW}-other")
    done(activity)
    page = client.get(reverse("activity", args=[activity.pk])).content.decode()
    assert "3 digests checked again: 3 signer not allowed" in page
    assert page.count('class="dg"') == 3


def test_work_that_changed_nothing_says_so(client: Client) -> None:
    activity = done(jobs.defer_reverify_all())
    assert "Every verdict is as it was" in client.get(reverse("activity", args=[activity.pk])).content.decode()


@pytest.mark.parametrize(
    ("name", "arguments", "subject"),
    [("reverify-all", [], "every image"), ("reverify-image", ["registry.example/app"], "registry.example/app")],
)
def test_a_button_queues_it_and_shows_how_far_it_is(
    client: Client, name: str, arguments: list[str], subject: str
) -> None:
    activity = Activity.objects.get(pk=client.post(reverse(name, args=arguments))["Location"].rpartition("/")[2])
    assert (activity.kind, activity.subject) == (reverified.TRIGGER, subject)


def test_an_image_that_is_not_stored_cannot_be_verified(client: Client) -> None:
    assert client.post(reverse("reverify-image", args=["registry.example/none"])).status_code == 404


def test_the_command_verifies_all_tags_of_one_image(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify", "registry.example/app", "--all")
    said = capsys.readouterr().out
    assert [line.partition(": ")[0] for line in said.splitlines() if not line.startswith(" ")] == [
        "registry.example/app:latest",
        "registry.example/app:old",
    ]


def test_the_command_says_when_no_tag_of_that_image_is_stored() -> None:
    with pytest.raises(CommandError, match=r"No tag of registry\.example/none is stored\."):
        call_command("verify", "registry.example/none", "--all")
