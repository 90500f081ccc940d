"""What is noticed about the way a document is written, and what spdx-tools says of it, on its pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from cgexplorer import jobs
from cgexplorer.store.models import Sbom
from tests.ingesting import NAME, allow, fetch, signed_image, spdx

pytestmark = pytest.mark.django_db
FINDINGS = [{"what": "license id … is unknown", "count": 12, "examples": ["LicenseRef-<b>x</b>"]}]


@pytest.fixture
def sbom() -> Sbom:
    allow()
    fetch(signed_image())
    return Sbom.objects.get()


def shown(client: Client, sbom: Sbom, **conformance: object) -> str:
    Sbom.objects.filter(pk=sbom.pk).update(conformance=conformance)
    return client.get(reverse("packages", args=[NAME, sbom.manifest.digest])).content.decode()


def test_faults_that_spdx_tools_finds_are_counted_and_shown_as_text(client: Client, sbom: Sbom) -> None:
    page = shown(client, sbom, opinion="findings", count=12, findings=FINDINGS)
    assert "spdx-tools finds 12 faults" in page
    assert "license id … is unknown" in page
    assert "<b>x</b>" not in page


@pytest.mark.parametrize(
    ("conformance", "said"),
    [
        ({}, "spdx-tools has not been asked yet"),
        ({"opinion": "clean"}, "spdx-tools finds no fault"),
        ({"opinion": "rejected", "reason": "No creators."}, "spdx-tools: No creators."),
        ({"opinion": "not-run", "reason": "It took over 60 s."}, "spdx-tools gave no answer"),
    ],
)
def test_every_opinion_has_its_words(client: Client, sbom: Sbom, conformance: dict[str, object], said: str) -> None:
    assert said in shown(client, sbom, **conformance)


def test_the_page_of_the_attestation_shows_it_too(client: Client, sbom: Sbom) -> None:
    Sbom.objects.update(conformance={"opinion": "findings", "count": 12, "findings": FINDINGS})
    page = client.get(reverse("attestation", args=[NAME, sbom.manifest.digest, sbom.evidence_id])).content.decode()
    assert "spdx-tools finds 12 faults" in page


def test_an_opinion_on_an_imported_file_is_asked_for(tmp_path: Path, client: Client) -> None:
    file = tmp_path / "mine.spdx.json"
    file.write_text(json.dumps(spdx("openssl@3.3.1-r0")))
    call_command("import_sbom", file)
    (waiting,) = ProcrastinateJob.objects.filter(task_name="conformance")
    jobs.check_conformance(**waiting.args)
    sbom = Sbom.objects.get()
    assert sbom.conformance["opinion"] in ("clean", "findings", "rejected")
    page = client.get(reverse("packages", args=[sbom.image.name, sbom.manifest.digest])).content.decode()
    assert "has not been asked yet" not in page
