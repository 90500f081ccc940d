"""Every field of SPDX 2.x can be read on a page: of the document, of packages, files, snippets, licences."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer import ingest
from cgexplorer.store.models import Sbom
from cgexplorer.store.queries import contents, pruned
from tests.ingesting import NOW

pytestmark = pytest.mark.django_db


def annotation(at: str) -> dict[str, str]:
    return {"annotator": f"Person: {at} annotator", "annotationDate": f"{at} date", "annotationType": f"{at} type",
            "comment": f"{at} annotated"}  # fmt: skip


# The fields of the JSON schema of SPDX 2.3, and what 2.0 to 2.2 had besides; every value once.
PACKAGE: dict[str, Any] = {
    "SPDXID": "SPDXRef-Package", "name": "p name", "versionInfo": "p version", "packageFileName": "p file name",
    "supplier": "Organization: p supplier", "originator": "Person: p originator", "downloadLocation": "p download",
    "filesAnalyzed": True, "packageVerificationCode": {
        "packageVerificationCodeValue": "p code", "packageVerificationCodeExcludedFiles": ["p excluded"]},
    "checksums": [{"algorithm": "SHA256", "checksumValue": "ab" * 32}, {"algorithm": "MD5", "checksumValue": "p md5"}],
    "homepage": "p homepage", "sourceInfo": "p source info", "licenseConcluded": "LicenseRef-p-concluded",
    "licenseInfoFromFiles": ["LicenseRef-p-from-files"], "licenseDeclared": "LicenseRef-p-declared",
    "licenseComments": "p licence comments", "copyrightText": "p copyright", "summary": "p summary",
    "description": "p description", "comment": "p comment", "attributionTexts": ["p attribution"],
    "externalRefs": [{"referenceCategory": "SECURITY", "referenceType": "advisory", "referenceLocator": "p advisory",
                      "comment": "p reference comment"}],
    "primaryPackagePurpose": "LIBRARY", "releaseDate": "p released", "builtDate": "p built",
    "validUntilDate": "p valid until", "hasFiles": ["SPDXRef-File"], "annotations": [annotation("p")],
    "licenseInfoInFiles": ["p of version 2.0"],
}  # fmt: skip
FILE: dict[str, Any] = {
    "SPDXID": "SPDXRef-File", "fileName": "f name", "fileTypes": ["f type"],
    "checksums": [{"algorithm": "SHA1", "checksumValue": "f sha1"}, {"algorithm": "MD5", "checksumValue": "f md5"}],
    "licenseConcluded": "f concluded", "licenseInfoInFiles": ["f in file"], "licenseComments": "f licence comments",
    "copyrightText": "f copyright", "comment": "f comment", "noticeText": "f notice",
    "fileContributors": ["f contributor"], "attributionTexts": ["f attribution"], "annotations": [annotation("f")],
    "fileDependencies": ["f dependency"], "artifactOfs": [{"name": "f artifact", "homePage": "f artifact's home"}],
}  # fmt: skip
SNIPPET: dict[str, Any] = {
    "SPDXID": "SPDXRef-Snippet", "name": "s name", "snippetFromFile": "SPDXRef-File", "comment": "s comment",
    "ranges": [{"startPointer": {"offset": 310, "reference": "SPDXRef-File"},
                "endPointer": {"lineNumber": 420, "reference": "SPDXRef-File"}}],
    "licenseConcluded": "s concluded", "licenseInfoInSnippets": ["s in snippet"], "annotations": [annotation("s")],
    "licenseComments": "s licence comments", "copyrightText": "s copyright", "attributionTexts": ["s attribution"],
}  # fmt: skip
LICENSE: dict[str, Any] = {
    "licenseId": "LicenseRef-l", "extractedText": "l text", "name": "l name", "comment": "l comment",
    "seeAlsos": ["https://l.example/see"],
    "crossRefs": [{"url": "https://l.example/cross", "order": 17, "timestamp": "l cross time"}],
}  # fmt: skip
HEADING: dict[str, Any] = {
    "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "d name", "dataLicense": "d licence",
    "documentNamespace": "d namespace", "comment": "d comment",
    "creationInfo": {"created": "2026-07-01T00:00:00Z", "creators": ["Tool: d-tool", "Person: d creator"],
                     "licenseListVersion": "3.19", "comment": "d creation comment"},
    "externalDocumentRefs": [{"externalDocumentId": "DocumentRef-d", "spdxDocument": "d external",
                              "checksum": {"algorithm": "SHA1", "checksumValue": "d external sha1"}}],
    "annotations": [annotation("d")],
    "revieweds": [{"reviewer": "Person: d reviewer", "reviewDate": "d review date", "comment": "d reviewed"}],
}  # fmt: skip
RELATIONSHIP = {"spdxElementId": "SPDXRef-Package", "relationshipType": "PATCH_FOR",
                "relatedSpdxElement": "SPDXRef-File", "comment": "r comment"}  # fmt: skip
WHOLE = HEADING | {
    "packages": [PACKAGE], "files": [FILE], "snippets": [SNIPPET], "hasExtractedLicensingInfos": [LICENSE],
    "relationships": [RELATIONSHIP],
}  # fmt: skip


def values(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict | list):
        for one in tree.values() if isinstance(tree, dict) else tree:
            yield from values(one)
    else:
        yield json.dumps(tree) if not isinstance(tree, str) else tree


def imported(body: object = WHOLE) -> Sbom:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ingest.import_sbom(raw, "mine", now=NOW)


def page(client: Client, sbom: Sbom, name: str, *more: int, **asked: str) -> str:
    address = reverse(name, args=[sbom.image.name, sbom.manifest.digest, *more])
    response = client.get(address, asked)
    assert response.status_code == 200
    return response.content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize(
    ("element", "identifier"),
    [(PACKAGE, "SPDXRef-Package"), (FILE, "SPDXRef-File"), (SNIPPET, "SPDXRef-Snippet"), (LICENSE, "LicenseRef-l")],
)
def test_every_field_of_an_element_is_on_its_page(client: Client, element: dict[str, Any], identifier: str) -> None:
    text = page(client, imported(), "element", id=identifier)
    assert [value for value in values(element) if value not in text] == []


def test_every_field_of_the_document_is_on_its_page(client: Client) -> None:
    text = page(client, imported(), "sbom")
    assert [value for value in values(HEADING) if value not in text] == []


def test_a_relationship_is_told_with_its_comment_at_both_ends(client: Client) -> None:
    sbom = imported()
    for end in ("SPDXRef-Package", "SPDXRef-File"):
        text = page(client, sbom, "element", id=end)
        assert "PATCH_FOR" in text
        assert "r comment" in text


@pytest.mark.parametrize(
    ("name", "more", "identifier"),
    [
        ("package", (0,), "SPDXRef-Package"),
        ("files", (), "SPDXRef-File"),
        ("digest-licenses", (), "LicenseRef-l"),
        ("sbom", (), "SPDXRef-Snippet"),
    ],
)
def test_a_link_leads_to_each_element(client: Client, name: str, more: tuple[int, ...], identifier: str) -> None:
    sbom = imported()
    address = reverse("element", args=[sbom.image.name, sbom.manifest.digest])
    assert f'href="{address}?{urlencode({"id": identifier})}"' in page(client, sbom, name, *more)


def test_a_merged_copy_keeps_its_own_page_and_its_annotations(client: Client) -> None:
    purl = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:apk/wolfi/a@1-r0"}
    first = {"SPDXID": "SPDXRef-a", "name": "a", "versionInfo": "1-r0", "externalRefs": [purl]}
    second = first | {"SPDXID": "SPDXRef-again", "sourceInfo": "found again", "annotations": [annotation("again")]}
    sbom = imported(WHOLE | {"packages": [first, second]})
    text = page(client, sbom, "package", 0)
    assert "again annotated" in text
    assert f"?{urlencode({'id': 'SPDXRef-again'})}" in text
    assert "found again" in page(client, sbom, "element", id="SPDXRef-again")


def test_annotations_of_a_package_are_on_its_own_page(client: Client) -> None:
    text = page(client, imported(), "package", 0)
    assert "p annotated" in text
    assert "f annotated" not in text


def test_all_annotations_can_be_had_as_a_table(client: Client) -> None:
    sbom = imported()
    at = [sbom.image.name, sbom.manifest.digest]
    found = json.loads(client.get(reverse("annotations-json", args=at)).content)["annotations"]
    assert [(one["about"], one["comment"]) for one in found] == [
        ("", "d annotated"), ("", "d reviewed"), ("SPDXRef-Package", "p annotated"), ("SPDXRef-File", "f annotated"),
        ("SPDXRef-Snippet", "s annotated"),
    ]  # fmt: skip
    assert found[1] == {"about": "", "annotator": "Person: d reviewer", "date": "d review date", "type": "REVIEW",
                        "comment": "d reviewed"}  # fmt: skip
    lines = b"".join(client.get(reverse("annotations-csv", args=at)).streaming_content).decode()
    assert [tuple(row) for row in csv.reader(lines.splitlines())][1:] == [tuple(one.values()) for one in found]


def test_a_document_without_annotations_says_so(client: Client) -> None:
    assert "No annotations" in page(client, imported({"spdxVersion": "SPDX-2.2", "packages": []}), "sbom")


def test_the_heading_of_spdx_3_is_shown_though_nothing_is_indexed(client: Client) -> None:
    text = page(client, imported({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": []}), "sbom")
    assert "SPDX 3, not indexed yet." in text
    assert "spdx-context.jsonld" in text


@pytest.mark.parametrize(
    "name", ["digest", "packages", "tree", "digest-licenses", "files", "attestations", "provenance"]
)
@pytest.mark.parametrize("body", [b"{", {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "empty"}])
def test_headings_of_an_empty_page_leave_no_level_out(client: Client, name: str, body: object) -> None:
    text = page(client, imported(body), name)
    levels = [1, *map(int, re.findall(r"<h([1-6])", text[text.index("</h1>") :]))]
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels


def test_a_component_of_cyclonedx_has_its_page_too(client: Client) -> None:
    named = {"bom-ref": "o", "type": "library", "name": "openssl", "copyright": "c copyright"}
    nameless = {"type": "library", "name": "inner", "evidence": {"identity": [{"field": "purl"}]}}
    noted = {"subjects": ["o"], "annotator": {"individual": {"name": "Ann"}}, "timestamp": "2026", "text": "c noted"}
    body = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [named | {"components": [nameless]}],
            "annotations": [noted], "dependencies": [{"ref": "o", "dependsOn": ["gone"]}]}  # fmt: skip
    sbom = imported(body)
    text = page(client, sbom, "element", id="o")
    assert "c copyright" in text
    assert "dependsOn" in text
    assert "evidence.identity[0].field" in page(client, sbom, "element", id="#/components/0/components/0")
    assert "c noted" in page(client, sbom, "package", 0)


def test_a_tag_value_file_is_read_for_its_page_too(client: Client) -> None:
    text = b"SPDXVersion: SPDX-2.2\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: tagged\n"
    text += b"DocumentNamespace: https://example.test/t\nCreator: Tool: x-1\nCreated: 2026-07-01T00:00:00Z\n"
    text += b"Annotator: Person: Ann\nAnnotationDate: 2026-07-02T00:00:00Z\nAnnotationType: OTHER\n"
    text += b"AnnotationComment: <text>noted by hand</text>\nSPDXREF: SPDXRef-DOCUMENT\n"
    assert "noted by hand" in page(client, imported(text), "sbom")


def test_only_ends_that_the_document_has_are_links(client: Client) -> None:
    ends = ("SPDXRef-File", "SPDXRef-DOCUMENT", "NOASSERTION", "DocumentRef-d:SPDXRef-x", "SPDXRef-gone")
    sbom = imported(WHOLE | {"relationships": [RELATIONSHIP | {"relatedSpdxElement": end} for end in ends]})
    text = page(client, sbom, "element", id="SPDXRef-Package")
    assert [end for end in ends if f"?{urlencode({'id': end})}" in text] == ["SPDXRef-File", "SPDXRef-DOCUMENT"]
    assert [end for end in ends if end not in text] == []
    assert "d comment" in page(client, sbom, "element", id="SPDXRef-DOCUMENT")


def test_an_element_of_very_many_values_says_that_some_are_left_out(client: Client) -> None:
    sbom = imported(WHOLE | {"packages": [PACKAGE | {"attributionTexts": [f"a{one}" for one in range(3000)]}]})
    assert "The first 2,000 values" in page(client, sbom, "element", id="SPDXRef-Package")


def test_an_element_that_is_not_there_is_not_found(client: Client) -> None:
    sbom = imported()
    address = reverse("element", args=[sbom.image.name, sbom.manifest.digest])
    assert [client.get(address, {"id": one}).status_code for one in ("", "gone", "#/x/1", "\0")] == [404] * 4


def test_a_document_too_large_for_a_page_says_so_and_is_offered(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sbom = imported()
    monkeypatch.setattr("cgexplorer.store.queries.as_written.MAX_READ_BYTES", 10)
    for text in (page(client, sbom, "sbom"), page(client, sbom, "element", id="SPDXRef-Package")):
        assert "larger than the" in text
        assert "download" in text
    assert contents.elements(sbom)
    assert pruned.MAX_READ_BYTES > 1 << 20
