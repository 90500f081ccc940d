"""What is verified again by itself, and what a registry is asked again."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django import app

from cgexplorer import ingest, jobs
from cgexplorer.store.models import Activity, Manifest, VerificationRun
from cgexplorer.store.queries.manifests import tagged
from tests.fakes.registry import FakeRegistry
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NOW, allow, attest, fetch, sign, signed_image, spdx
from tests.test_jobs import state_of, until, worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_queue")]


def platforms() -> MemorySource:
    """A tag at an index of two signed platforms; an older digest that no tag points to."""
    source = MemorySource()
    old = source.push_image("latest", variant="old")
    sign(source, old)
    fetch(source)
    images = {name: source.push_image(variant=name) for name in ("amd64", "arm64")}
    index = source.push_index("latest", **images)
    for digest in (index, *images.values()):
        sign(source, digest)
    attest(source, images["amd64"], spdx("openssl@3.3.1-r0"))
    fetch(source, now=LATER)
    return source


def queued(task: str) -> list[dict[str, object]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT args FROM procrastinate_jobs WHERE task_name = %s ORDER BY id", [task])
        return [json.loads(args) for (args,) in cursor.fetchall()]


def test_every_night_what_a_tag_points_to_gets_a_job_of_its_own() -> None:
    allow()
    platforms()
    assert Manifest.objects.count() == 4

    jobs.reverify_tagged(0)

    wanted = set(tagged().values_list("pk", flat=True))
    assert len(wanted) == 3
    assert {args["manifest_id"] for args in queued("reverify")} == wanted
    assert {(args["trigger"], args["live"]) for args in queued("reverify")} == {("schedule", False)}


def test_a_night_that_is_begun_again_queues_nothing_twice() -> None:
    allow()
    platforms()
    jobs.reverify_tagged(0)
    before = queued("reverify")
    # As after a kill in the middle: one of the jobs had not been queued yet.
    Activity.objects.filter(pk=before[-1]["activity_id"]).delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE id = (SELECT max(id) FROM procrastinate_jobs)")

    jobs.reverify_tagged(0)

    assert [args["manifest_id"] for args in queued("reverify")] == [args["manifest_id"] for args in before]


def test_the_worker_verifies_what_the_night_queued() -> None:
    allow()
    platforms()
    before = VerificationRun.objects.count()
    jobs.reverify_tagged(0)
    with worker():
        until(lambda: not Activity.objects.exclude(state="done").exists(), "the night")
    runs = VerificationRun.objects.filter(trigger="schedule")
    assert sorted(runs.values_list("manifest", flat=True)) == sorted(tagged().values_list("pk", flat=True))
    assert VerificationRun.objects.count() == before + runs.count()
    assert {run.source for run in runs} == {"stored"}


def test_the_night_is_at_seventeen_past_three() -> None:
    (periodic,) = [one for one in app.periodic_registry.periodic_tasks.values() if one.task.name == "reverify_tagged"]
    assert periodic.cron == "17 3 * * *"


@pytest.mark.parametrize(
    ("when", "said"), [("nonsense", "which cron does not read"), ("", "none"), ("5 4 * * 0", "5 4")]
)
@pytest.mark.parametrize(
    ("variable", "task"), [("CGEXPLORER_NIGHTLY", "reverify_tagged"), ("CGEXPLORER_TRUST_REFRESH", "refresh_trust")]
)
def test_another_time_is_a_setting_and_a_wrong_one_is_a_sentence(
    variable: str, task: str, when: str, said: str
) -> None:
    program = (
        "import django; django.setup(); from procrastinate.contrib.django import app; from cgexplorer import jobs;"
        "print(*[one.cron for one in app.periodic_registry.periodic_tasks.values()"
        f" if one.task.name == '{task}'] or ['none'])"
    )
    environment = {**os.environ, variable: when, "DJANGO_SETTINGS_MODULE": "cgexplorer.settings"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert said in done.stdout + done.stderr


def test_a_manifest_without_evidence_has_nothing_to_judge_anew() -> None:
    source = MemorySource()
    source.push_image("latest")
    fetch(source)
    assert not tagged().exists()


def test_nights_long_ago_are_forgotten_but_not_their_runs() -> None:
    allow()
    fetch(signed_image())
    jobs.reverify_tagged(0)
    (args,) = queued("reverify")
    jobs.reverify(**args)
    long_ago = timezone.now() - jobs.KEEP_NIGHTLY - dt.timedelta(hours=1)
    Activity.objects.update(finished_at=long_ago)
    by_hand = Activity.objects.create(kind="re-verify", subject="x", state="done", finished_at=long_ago)

    jobs.reverify_tagged(0)

    assert not Activity.objects.filter(pk=args["activity_id"]).exists()
    assert Activity.objects.filter(pk=by_hand.pk).exists()
    assert VerificationRun.objects.filter(trigger="schedule").exists()


def test_a_job_from_before_this_version_is_still_understood() -> None:
    allow()
    fetch(signed_image())
    activity = jobs.defer_reverify(Manifest.objects.get())
    jobs.reverify(activity_id=activity.pk, manifest_id=Manifest.objects.get().pk)
    assert state_of(activity) == "done"


def test_the_button_asks_the_registry_and_appends_a_run(registry: FakeRegistry, client: Client) -> None:
    with worker(registry):
        reference = f"{registry.host}/team/python:3.14.7"
        client.post(reverse("fetch"), {"reference": reference})
        until(lambda: Activity.objects.filter(state="done").count() == 1, "the fetch")
        manifest = Manifest.objects.get(is_index=True)
        where = [manifest.image.name, manifest.digest]
        assert "Ask the registry again" in client.get(reverse("verification", args=where)).content.decode()
        before = manifest.runs.count()
        response = client.post(reverse("reverify", args=where), {"live": "1"})
        until(lambda: Activity.objects.filter(state="done").count() == 2, "asking again")
    assert manifest.runs.count() == before + 1
    assert manifest.runs.latest("pk").source == "registry"
    assert "Asking the registry again" in client.get(response["Location"]).content.decode()


def test_a_registry_that_is_gone_overwrites_no_verdict_and_says_why() -> None:
    allow()
    fetch(signed_image())
    manifest = Manifest.objects.get()
    activity = jobs.defer_reverify(manifest, live=True)
    Activity.objects.filter(pk=activity.pk).update(attempts=jobs.MAX_ATTEMPTS - 1)
    with pytest.raises(jobs.TryAgain):
        jobs.reverify(activity_id=activity.pk, manifest_id=manifest.pk, live=True)
    failed = Activity.objects.get(pk=activity.pk)
    assert (failed.state, failed.run) == ("failed", None)
    assert "registry.example" in failed.error
    assert Manifest.objects.get().state == "verified"
    assert VerificationRun.objects.count() == 1


def test_an_imported_file_has_no_registry_to_ask(client: Client) -> None:
    sbom = ingest.import_sbom(b'{"spdxVersion": "SPDX-2.3"}', "mine", now=NOW)
    page = client.get(reverse("verification", args=[sbom.manifest.image.name, sbom.manifest.digest]))
    assert "Ask the registry again" not in page.content.decode()
