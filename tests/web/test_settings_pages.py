"""Who signs, under which rules, from where; and what is licensed how."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cgexplorer.store.models import Activity, PolicyRow, TrustRoot, TrustUpdate
from tests.store import factories as make

pytestmark = pytest.mark.django_db
NAUGHTY = "<script>alert(1)</script>"


@pytest.mark.parametrize("name", ["identities", "licenses", "policies", "registries", "trust-roots"])
def test_an_empty_page_is_a_page(client: Client, name: str) -> None:
    assert client.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", ["identities", "licenses", "policies", "registries", "trust-roots"])
def test_downloads_hold_the_rows_of_the_page(client: Client, name: str) -> None:
    manifest = make.manifest(make.image())
    make.sbom(manifest, make.package("1", license="=cmd()"))
    TrustRoot.objects.create(sha256="cd" * 32, name="=cmd()", payload=make.payload())
    rows = json.loads(client.get(reverse(f"{name}-json")).content)
    text = b"".join(client.get(reverse(f"{name}-csv")).streaming_content).decode()
    assert len(list(csv.DictReader(io.StringIO(text)))) == len(rows) > 0
    assert list(rows[0]) == text.splitlines()[0].split(",")
    assert "\n=cmd" not in text


def test_identities_show_what_each_signer_signed(client: Client) -> None:
    make.evidence(make.manifest(make.image()), identity=NAUGHTY)
    text = client.get(reverse("identities")).content.decode()
    assert NAUGHTY not in text
    assert "&lt;script&gt;" in text


def test_policies_show_every_version(client: Client) -> None:
    for version in (1, 2):
        PolicyRow.objects.create(
            name="acme", version=version, current=version == 2, pattern="ghcr.io/acme/*", identity_regexp="https://.+"
        )
    text = client.get(reverse("policies")).content.decode()
    assert "acme, version 2" in text
    assert "acme, version 1" in text
    assert "(replaced)" in text


def test_a_sample_trust_root_is_labelled(client: Client) -> None:
    TrustRoot.objects.create(sha256="ab" * 32, name="samples", is_sample=True, payload=make.payload())
    assert "sample root" in client.get(reverse("trust-roots")).content.decode()


def test_trust_roots_show_age_end_and_why_the_last_refresh_failed(client: Client) -> None:
    now = timezone.now()
    root = TrustRoot.objects.create(sha256="ab" * 32, name="public", payload=make.payload())
    step = {"name": "public", "source": "refreshed", "mirror": "https://mirror.example"}
    hour = dt.timedelta(hours=1)
    TrustUpdate.objects.create(trust_root=root, at=now - 5 * hour, expires_at=now - 2.5 * hour, root_version=7, **step)
    TrustUpdate.objects.create(at=now - hour, error=f"no answer {NAUGHTY}", **step)
    text = client.get(reverse("trust-roots")).content.decode()
    assert "Current; last refreshed 5 hours ago; its metadata expired 2 hours ago" in text
    assert "Nobody has vouched for public since" in text
    assert "no answer &lt;script&gt;" in text
    assert "TUF root 7" in text
    (row,) = client.get(reverse("trust-roots-json")).json()
    assert (row["source"], row["is_current"], row["problem"]) == ("refreshed", True, f"no answer {NAUGHTY}")


def test_a_replaced_root_says_when(client: Client) -> None:
    for number, days in (("1", 9), ("2", 3), ("3", 1)):
        root = TrustRoot.objects.create(sha256=number * 64, name="acme", payload=make.payload(number.encode()))
        at = timezone.now() - dt.timedelta(days=days, minutes=1)
        TrustUpdate.objects.create(name="acme", source="imported", trust_root=root, at=at)
    text = client.get(reverse("trust-roots")).content.decode()
    found = [words for words in ("Current", "Replaced 1 day ago", "Replaced 3 days ago") if words in text]
    assert len(found) == 3


def test_licences_count_images_and_name_the_blind_ones(client: Client) -> None:
    manifest = make.manifest(make.image())
    make.tag(manifest)
    make.sbom(manifest, make.package("1", license="MIT"))
    make.tag(make.manifest(make.image("docker.io/library/nginx")))
    text = client.get(reverse("licenses")).content.decode()
    assert "1 licence expression in 1 image" in text
    assert "1 of 2 digests" in text


def test_an_activity_that_runs_asks_again_and_offers_a_link(client: Client) -> None:
    activity = Activity.objects.create(kind="re-verify", subject="x", state="running", step="Checking", done=1, total=4)
    text = client.get(reverse("activity", args=[activity.pk])).content.decode()
    assert 'hx-trigger="every 1s"' in text
    assert "reload" in text
    assert "1 of 4" in text


def test_a_finished_re_verification_says_what_changed(client: Client) -> None:
    manifest = make.manifest(make.image())
    make.run(manifest)
    run = make.run(manifest, state="invalid")
    activity = Activity.objects.create(kind="re-verify", subject="x", state="done", run=run, finished_at=make.NOW)
    text = client.get(reverse("activity", args=[activity.pk])).content.decode()
    assert "hx-trigger" not in text.partition('id="progress"')[2].partition("</main>")[0]
    assert "What changed" in text
    assert f"Read the report of run {run.pk}" in text


def test_a_failed_activity_says_why(client: Client) -> None:
    activity = Activity.objects.create(kind="fetch", subject="x", state="failed", error=f"no answer {NAUGHTY}")
    text = client.get(reverse("activity", args=[activity.pk])).content.decode()
    assert "no answer &lt;script&gt;" in text
