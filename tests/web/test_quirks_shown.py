"""A document with every kind of quirk is stored whole, its oddities are named, and each of its pages opens."""

from __future__ import annotations

import json
import random

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer import ingest
from cgexplorer.spdx.document import CONTENTS
from cgexplorer.store.models import Sbom
from cgexplorer.store.queries import contents, payloads
from tests.ingesting import NOW
from tests.spdx import quirks

pytestmark = pytest.mark.django_db
ONE_A_FIELD = {(one.of, one.field): one for one in quirks.QUIRKS if one.of == "heading" and one.finding}
LISTS = ("packages", "packages-csv", "packages-json", "digest-licenses", "files", "files-csv", "tree", "verification")


def stored(chosen: list[quirks.Quirk]) -> Sbom:
    raw = quirks.raw(chosen)
    sbom = ingest.import_sbom(raw, "odd", now=NOW)
    assert payloads.content(sbom.document) == raw
    assert sbom.indexed, sbom.not_indexed_reason
    listed = [one for one in quirks.made(chosen)["packages"] if isinstance(one, dict)]
    assert sbom.package_count == len(listed)
    rows = [one for one in contents.elements(sbom) if one.role in CONTENTS]
    assert len(sbom.packages.package_ids) == len({(one.purl, one.name, one.license, one.supplier) for one in rows})
    assert {one.finding for one in chosen} - {""} <= {one["what"] for one in sbom.findings}
    return sbom


def assert_pages_open(client: Client, sbom: Sbom, names: tuple[str, ...] = LISTS) -> None:
    at = [sbom.image.name, sbom.manifest.digest]
    for name in names:
        response = client.get(reverse(name, args=at), {"role": "all"})
        assert response.status_code == 200, name
        b"".join(response) if response.streaming else response.content


@pytest.mark.parametrize("seed", range(6))
def test_a_document_of_many_quirks_is_stored_and_shown(client: Client, seed: int) -> None:
    chance = random.Random(seed)
    elements = [one for one in quirks.QUIRKS if one.of != "heading"]
    heading = [one for one in ONE_A_FIELD.values() if one.field != "creationInfo"]
    assert_pages_open(client, stored(chance.sample(elements, 40) + chance.sample(heading, 3)))


def test_every_package_has_its_page_however_odd(client: Client) -> None:
    sbom = stored([one for one in quirks.PACKAGE if one.field != "SPDXID"])
    for element in range(0, len(contents.elements(sbom)), 3):
        response = client.get(reverse("package", args=[sbom.image.name, sbom.manifest.digest, element]))
        assert response.status_code == 200, quirks.PACKAGE[element - 1]


def test_a_document_of_nothing_but_quirks_names_them_on_its_page(client: Client) -> None:
    chosen = [one for one in quirks.QUIRKS if one.of != "heading"]
    sbom = stored(chosen)
    page = client.get(reverse("packages", args=[sbom.image.name, sbom.manifest.digest])).content.decode()
    assert [one["what"] for one in sbom.findings if one["what"] not in page.replace("&#x27;", "'")] == []
    assert len(json.dumps(sbom.findings)) < 40_000
