"""/activities/: what failed is listed with its reason, and can be asked for again."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from cgexplorer import jobs, sync_jobs
from cgexplorer.oci import reference as references
from cgexplorer.store.models import Activity, Manifest, Sbom
from cgexplorer.store.record import activities
from tests.ingesting import NAME, allow, fetch, signed_image

pytestmark = pytest.mark.django_db


def failed(kind: str, subject: str) -> Activity:
    activities.failed(kind, subject, f"Why {kind} failed.", attempts=3)
    return Activity.objects.latest("pk")


def test_what_failed_is_listed_with_its_reason_and_a_button(client: Client) -> None:
    one = failed("fetch", "registry.example/app:1")
    jobs.defer_fetch(references.parse("registry.example/other:1"))
    page = client.get("/activities/?state=failed").content.decode()
    assert "Why fetch failed." in page
    assert f"/activities/{one.pk}/again" in page
    assert "registry.example/other:1" not in page
    assert "registry.example/other:1" in client.get("/activities/?state=under-way").content.decode()


def test_trying_again_queues_the_same_and_the_list_leads_there(client: Client) -> None:
    one = failed("fetch", "registry.example/app:1")
    answer = client.post(f"/activities/{one.pk}/again")
    again = Activity.objects.latest("pk")
    assert answer.headers["Location"] == f"/activities/{again.pk}"
    assert (again.kind, again.subject, again.state) == ("fetch", "registry.example/app:1", "queued")
    page = client.get("/activities/").content.decode()
    assert f"/activities/{one.pk}/again" not in page
    assert page.count(f'href="/activities/{again.pk}"') == 2


@pytest.mark.parametrize("kind", ["re-verify", "ask again", "schedule", "re-verify all", "sync", "conformance"])
def test_every_kind_of_work_can_be_tried_again(client: Client, kind: str) -> None:
    allow()
    fetch(signed_image())
    manifest = Manifest.objects.get()
    if kind == "sync":
        one = sync_jobs.defer_sync(NAME, "latest").activity
        activities.end(one.pk, error="no")
    else:
        one = failed(kind, jobs.EVERY_IMAGE if kind == "re-verify all" else f"{NAME}@{manifest.digest}")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    assert client.post(f"/activities/{one.pk}/again").status_code == 302
    task = {"ask again": "reverify", "re-verify": "reverify", "schedule": "reverify", "re-verify all": "reverify_all"}
    queued = ProcrastinateJob.objects.get()
    assert queued.task_name == task.get(kind, kind)
    if kind == "conformance":
        assert queued.args == {"sbom_id": Sbom.objects.get().pk}
    else:
        again = Activity.objects.latest("pk")
        assert (again.kind, again.subject) == (one.kind, one.subject)


def test_what_is_no_longer_stored_is_said_and_what_did_not_fail_is_not_repeated(client: Client) -> None:
    one = failed("re-verify", "registry.example/gone@sha256:1")
    answer = client.post(f"/activities/{one.pk}/again", follow=True)
    assert "registry.example/gone@sha256:1 is no longer stored" in answer.content.decode()
    Activity.objects.update(state="done")
    assert client.post(f"/activities/{one.pk}/again").status_code == 404
