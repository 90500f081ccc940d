"""The page of an index and its exports: which digest carries which attestation."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client

from cgexplorer import predicates
from cgexplorer.store.models import Manifest
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, allow, attest, fetch, sign, sigstore, spdx
from tests.test_ingest_indexes import entry, of_buildkit, push_index

pytestmark = pytest.mark.django_db


@pytest.fixture
def address() -> str:
    """Signed; an SBOM on one of two platforms, provenance on the index, and BuildKit's own manifest."""
    allow()
    source = MemorySource()
    amd64, arm64 = source.push_image(), source.push_image(platform="linux/arm64")
    top = push_index(
        source, "latest", entry(amd64, "linux/amd64"), entry(arm64, "linux/arm64"), of_buildkit(source, amd64)
    )
    for digest in (amd64, arm64, top):
        sign(source, digest)
    attest(source, amd64, spdx("openssl@3.3.1-r0"))
    one = sigstore()
    source.attach(one.attestation(top, one.leaf(), predicates.SLSA_V1, {}))
    return f"/images/{NAME}@{fetch(source).digest}"


def test_the_page_of_an_index_says_where_each_attestation_lies_and_what_is_missing(
    client: Client, address: str
) -> None:
    page = client.get(address).content.decode()
    assert "the index itself" in page
    assert "SPDX is missing for linux/arm64; the index has none either." in page
    assert page.count("on the index") == 2
    assert "BuildKit put 1 attestation manifest" in page
    assert "2 platforms<" in page


def test_its_exports_have_every_digest_and_type(client: Client, address: str) -> None:
    text = b"".join(client.get(f"{address}/-/platforms.csv").streaming_content).decode()  # type: ignore[attr-defined]
    lines = {(row["platform"], row["predicate_type"]): row for row in csv.DictReader(io.StringIO(text))}
    assert len(lines) == 9
    assert lines["linux/amd64", predicates.SPDX]["state"] == "verified"
    assert lines["linux/arm64", predicates.SPDX]["state"] == "missing"
    assert lines["linux/arm64", predicates.SLSA_V1]["elsewhere"] == "index"
    assert lines["index", "signature"]["state"] == "verified"
    found: dict[str, Any] = client.get(f"{address}/-/platforms.json").json()
    assert [row["platform"] for row in found["platforms"]] == ["", "linux/amd64", "linux/arm64"]
    assert found["missing"] == ["SPDX is missing for linux/arm64; the index has none either."]
    assert [one["state"] for one in found["attestation_manifests"]] == ["unsigned"]


def test_an_image_without_platforms_has_no_such_export(client: Client, address: str) -> None:
    digest = Manifest.objects.get(platform="linux/amd64").digest
    answer = client.get(f"/images/{NAME}@{digest}/-/platforms.json")
    assert (answer.status_code, b"no index" in answer.content) == (404, True)


def test_types_beyond_a_table_are_counted_and_exported(client: Client) -> None:
    allow()
    source, one = MemorySource(), sigstore()
    image = source.push_image()
    top = push_index(source, "latest", entry(image, "linux/amd64"))
    source.attach(*(one.attestation(image, one.leaf(), f"https://types.example/{n}", {}) for n in range(15)))
    fetch(source)
    assert "3 more types of attestation" in client.get(f"/images/{NAME}@{top}").content.decode()
    assert len(client.get(f"/images/{NAME}@{top}/-/platforms.json").json()["platforms"][0]["attestations"]) == 15
