"""CycloneDX attestations and files go the way of SPDX: into the same rows, the same search, the same pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer import ingest
from cgexplorer.predicates import CYCLONEDX, SPDX
from cgexplorer.spdx import query
from cgexplorer.store.models import Package, Sbom
from cgexplorer.store.queries import manifests, payloads
from cgexplorer.store.queries.search import search
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, NOW, allow, fetch, sigstore, spdx

pytestmark = pytest.mark.django_db

PURL = "pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64"


def bom(purl: str = PURL) -> dict[str, Any]:
    licenses = [{"license": {"id": "MIT"}}]
    name, _, version = purl.partition("?")[0].rpartition("/")[2].partition("@")
    component = {"type": "library", "name": name, "version": version, "purl": purl, "licenses": licenses}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component]}


def attested(*predicates: tuple[str, Any]) -> str:
    """Digest of an image with these attestations."""
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    one = sigstore()
    source.attach(*(one.attestation(digest, one.leaf(), kind, predicate=body) for kind, body in predicates))
    fetch(source)
    return digest


@pytest.mark.parametrize("kind", [CYCLONEDX, f"{CYCLONEDX}/v1.4"])
def test_packages_of_a_verified_cyclonedx_attestation_are_searched(kind: str) -> None:
    digest = attested((kind, bom()))
    (hit,) = search(query.parse("openssl<3.3.2")).hits
    assert (hit.digest, hit.version, hit.state) == (digest, "3.3.1-r0", "verified")


def test_both_formats_name_the_same_package_by_one_row() -> None:
    document = spdx("openssl@3.3.1-r0")
    document["packages"][0]["supplier"] = "NOASSERTION"
    attested((SPDX, document), (CYCLONEDX, bom()))
    assert Sbom.objects.count() == 2
    assert Package.objects.count() == 1
    assert len(search(query.parse("openssl")).hits) == 1


def test_pages_show_spdx_where_both_are_attested_and_each_can_be_downloaded(client: Client) -> None:
    digest = attested((CYCLONEDX, bom()), (SPDX, spdx("zlib@1.3-r0")))
    manifest = manifests.manifest(NAME, digest)
    assert manifests.sbom(manifest).format == "spdx"
    for url, form in (("sbom-document", "spdx"), ("cyclonedx-document", "cyclonedx")):
        response = client.get(reverse(url, args=[NAME, digest]))
        assert response.content == payloads.content(Sbom.objects.get(format=form).document)


def test_pages_of_a_cyclonedx_document_say_so_and_link_to_it(client: Client) -> None:
    digest = attested((CYCLONEDX, bom()))
    page = client.get(reverse("packages", args=[NAME, digest])).content.decode()
    assert "from the CycloneDX attestation" in page
    assert "</svg>CycloneDX</a>" in page
    assert reverse("cyclonedx-document", args=[NAME, digest]) in page
    response = client.get(reverse("cyclonedx-document", args=[NAME, digest]))
    assert response["Content-Type"] == "application/vnd.cyclonedx+json"
    assert response["Content-Disposition"].endswith('.cdx.json"')
    assert client.get(reverse("sbom-document", args=[NAME, digest])).status_code == 404


@pytest.mark.parametrize(
    ("raw", "media_type", "suffix"),
    [
        (json.dumps(bom()).encode(), "application/vnd.cyclonedx+json", "cdx.json"),
        (json.dumps(spdx("openssl@3.3.1-r0")).encode(), "application/spdx+json", "spdx.json"),
        (
            b"SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: a\n"
            b"DocumentNamespace: https://example.com/a\nCreator: Tool: hand\nCreated: 2026-01-01T00:00:00Z\n"
            b"PackageName: openssl\nSPDXID: SPDXRef-a\nPackageDownloadLocation: NOASSERTION\n"
            b"FilesAnalyzed: false\nRelationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-a\n",
            "text/spdx",
            "spdx",
        ),
    ],
)
def test_an_imported_file_of_any_form_is_handed_out_as_what_it_is(
    client: Client, raw: bytes, media_type: str, suffix: str
) -> None:
    sbom = ingest.import_sbom(raw, "mine", now=NOW)
    assert (sbom.indexed, sbom.installed_count + sbom.module_count) == (True, 1)
    url = "cyclonedx-document" if "cyclonedx" in media_type else "sbom-document"
    response = client.get(reverse(url, args=[sbom.image.name, sbom.manifest.digest]))
    assert (response.content, response["Content-Type"]) == (raw, media_type)
    assert response["Content-Disposition"].endswith(f'.{suffix}"')


def test_a_real_scan_has_equal_rows_from_both_formats(shared: Path) -> None:
    folder = shared / "sboms-of-tools"
    one = ingest.import_sbom((folder / "crane-0.22.1.spdx.json").read_bytes(), "spdx", now=NOW)
    two = ingest.import_sbom((folder / "crane-0.22.1.cdx.json").read_bytes(), "cdx", now=NOW)
    assert one.packages.package_ids == two.packages.package_ids
