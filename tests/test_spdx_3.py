"""SPDX 3 is recognised, kept and named; it is not indexed yet, so an image that has nothing else is not searched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.predicates import SPDX
from cgexplorer.spdx import query
from cgexplorer.store.models import Sbom
from cgexplorer.store.queries import payloads
from cgexplorer.store.queries.search import search
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, allow, attest, fetch, sigstore, spdx

pytestmark = pytest.mark.django_db

REASON = "SPDX 3, not indexed yet."


def spdx_3(version: str = "3.0.1") -> dict[str, Any]:
    """The shape of the specification's own example: elements in a graph, creation info as a blank node."""
    here = "https://example.test/document"
    info = {"type": "CreationInfo", "@id": "_:creationinfo", "specVersion": version, "created": "2026-07-01T00:00:00Z"}
    shared = {"creationInfo": "_:creationinfo"}
    package = {
        "type": "software_Package", "spdxId": f"{here}#openssl", "name": "openssl",
        "software_packageVersion": "3.3.1-r0", "software_packageUrl": "pkg:apk/wolfi/openssl@3.3.1-r0",
    }  # fmt: skip
    sbom = {
        "type": "software_Sbom", "spdxId": f"{here}#sbom", "rootElement": [f"{here}#openssl"],
        "software_sbomType": ["build"], "element": [f"{here}#openssl"],
    }  # fmt: skip
    document = {
        "type": "SpdxDocument", "spdxId": here, "rootElement": [f"{here}#sbom"],
        "profileConformance": ["core", "software"],
    }  # fmt: skip
    creator = {"type": "Person", "spdxId": f"{here}#ann", "name": "Ann"}
    return {
        "@context": f"https://spdx.org/rdf/{version}/spdx-context.jsonld",
        "@graph": [
            info | {"createdBy": [f"{here}#ann"]},
            *(one | shared for one in (creator, document, sbom, package)),
        ],
    }


@pytest.fixture
def digest() -> str:
    """An image whose only SBOM is SPDX 3, verified."""
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    one = sigstore()
    source.attach(one.attestation(digest, one.leaf(), f"{SPDX}/v3", predicate=spdx_3()))
    fetch(source)
    return digest


def test_it_is_kept_byte_for_byte_with_the_reason(digest: str) -> None:
    sbom = Sbom.objects.get()
    assert (sbom.indexed, sbom.not_indexed_reason, sbom.conformance) == (False, REASON, {})
    assert json.loads(payloads.content(sbom.document)) == spdx_3()
    assert sbom.evidence is not None
    assert sbom.evidence.state == "verified"


@pytest.mark.parametrize("page", ["digest", "packages", "digest-licenses", "files", "tree", "attestations"])
def test_every_page_opens_and_those_of_contents_say_why_there_are_none(client: Client, digest: str, page: str) -> None:
    response = client.get(reverse(page, args=[NAME, digest]))
    assert response.status_code == 200
    assert (REASON in response.content.decode()) == (page != "attestations")


def test_it_can_be_downloaded_as_it_is(client: Client, digest: str) -> None:
    response = client.get(reverse("sbom-document", args=[NAME, digest]))
    assert json.loads(response.content) == spdx_3()


def test_the_image_is_named_as_not_searched(client: Client, digest: str) -> None:
    answer = search(query.parse("openssl"))
    assert answer.hits == ()
    assert answer.universe.blind_images == (NAME,)
    (blind,) = answer.universe.blind
    assert (blind.state, blind.reason) == ("verified", f"its SBOM is kept but not indexed: {REASON}")
    assert REASON in client.get(reverse("package-search"), {"q": "openssl"}).content.decode()


def test_beside_spdx_2_it_hides_nothing(client: Client) -> None:
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    attest(source, digest, spdx("openssl@3.3.1-r0"), spdx_3())
    fetch(source)
    assert len(search(query.parse("openssl")).hits) == 1
    page = client.get(reverse("packages", args=[NAME, digest])).content.decode()
    assert "openssl" in page
    assert REASON not in page


@pytest.mark.parametrize("version", ["3.0.0", "3.0.1", "3.1.0"])
def test_a_file_of_any_version_3_is_kept(tmp_path: Path, version: str) -> None:
    file = tmp_path / "mine.spdx3.json"
    file.write_text(json.dumps(spdx_3(version)))
    call_command("import_sbom", file)
    assert Sbom.objects.get().not_indexed_reason == REASON
