"""Names, licences and addresses out of documents are text. A browser that shows them runs nothing."""

from __future__ import annotations

import csv
import json
import re
from html import escape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer.store.models import Component, Manifest
from cgexplorer.web.component_path import component_path
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, allow, attest, fetch, package, sign, spdx
from tests.web.test_pages import Inline

pytestmark = pytest.mark.django_db

NAUGHTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "{{ 7|add:7 }}{% url 'home' %}",
    "</textarea></title></style><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "../../../../etc/passwd",
    "%3Cscript%3E%0d%0aSet-Cookie: a=b",
    "\u202eevil\u202c \ufeff\u0000\u2028",
    "=HYPERLINK(1)",
    "ﾊﾟｯｹｰｼﾞ 👩‍👩‍👧 " + "x" * 600,
)
ADDRESSES = ("javascript:alert(1)", " JaVaScRiPt:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x",
             "//evil.example/x", "https://good.example/src.tar.gz")  # fmt: skip
PAGES = ("digest", "packages", "tree", "digest-licenses", "files", "sbom", "attestations", "verification")


def hostile_package(text: str, number: int) -> dict[str, Any]:
    address = ADDRESSES[number % len(ADDRESSES)]
    return {
        **package(f"p{number}@1", number),
        "name": text,
        "versionInfo": text,
        "licenseDeclared": text,
        "licenseConcluded": text,
        "supplier": f"Organization: {text}",
        "originator": f"Person: {text}",
        "downloadLocation": address,
        "homepage": address,
        "summary": text,
        "description": text,
        "comment": text,
        "sourceInfo": text,
        "copyrightText": text,
    }


def document() -> dict[str, Any]:
    packages = [hostile_package(text, number) for number, text in enumerate(NAUGHTY)]
    files = [
        {"SPDXID": f"SPDXRef-File-{number}", "fileName": text, "licenseConcluded": text,
         "checksums": [{"algorithm": "SHA256", "checksumValue": "a" * 64}]}
        for number, text in enumerate(NAUGHTY)
    ]  # fmt: skip
    licenses = [
        {"licenseId": f"LicenseRef-{number}", "name": text, "extractedText": text}
        for number, text in enumerate(NAUGHTY)
    ]
    relationships = [
        {"spdxElementId": "SPDXRef-Package-0", "relationshipType": kind, "relatedSpdxElement": f"SPDXRef-Package-{to}"}
        for to in range(1, len(NAUGHTY))
        for kind in ("CONTAINS", "DEPENDS_ON", "GENERATED_FROM")
    ]
    return spdx() | {
        "name": NAUGHTY[0],
        "packages": packages,
        "files": files,
        "hasExtractedLicensingInfos": licenses,
        "relationships": relationships,
        "creationInfo": {"created": "2026-07-01T00:00:00Z", "creators": [f"Tool: {NAUGHTY[1]}"]},
    }


@pytest.fixture
def hostile() -> Manifest:
    """A signed, allowed image whose SBOM says all of it."""
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    sign(source, digest)
    attest(source, digest, document())
    fetch(source)
    return Manifest.objects.get(image__name=NAME, tags__name="latest")


class Seen(Inline):
    """Also every tag and attribute that a hostile string would have to bring."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag in ("img", "svg") and not {"src", "onerror", "onload"}.isdisjoint(dict(attrs)):
            self.found.append(tag)
        for key, value in attrs:
            if key == "href" and value and value.startswith("//"):
                self.found.append(value)


def assert_harmless(text: str) -> None:
    parser = Seen()
    parser.feed(text)
    assert parser.found == []
    assert "alert(1)</script>" not in text


@pytest.mark.parametrize("page", ["<p>{}</p>", '<a title="{}">a</a>', "<a title='{}'>a</a>", '<a href="{}">a</a>'])
def test_these_strings_would_do_harm_unescaped(page: str) -> None:
    """Otherwise the tests below would prove nothing."""
    unescaped = [text for text in NAUGHTY if not _is_harmless(page.format(text))]
    assert unescaped
    assert all(_is_harmless(page.format(escape(text))) for text in NAUGHTY if not text.startswith("javascript:"))


def _is_harmless(text: str) -> bool:
    try:
        assert_harmless(text)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_hostile_text_as_text(hostile: Manifest, client: Client, name: str) -> None:
    response = client.get(reverse(name, args=[NAME, hostile.digest]), {"role": "all"} if name == "packages" else {})
    assert response.status_code == 200
    assert_harmless(response.content.decode())


def test_it_is_all_there_and_escaped(hostile: Manifest, client: Client) -> None:
    text = client.get(reverse("packages", args=[NAME, hostile.digest])).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7|add:7 }}" in text


def test_the_pages_of_the_packages_are_harmless(hostile: Manifest, client: Client) -> None:
    for number in range(len(NAUGHTY)):
        text = client.get(reverse("package", args=[NAME, hostile.digest, number])).content.decode()
        assert_harmless(text)
        for by in ("contents", "depends", "used"):
            response = client.get(reverse("branch", args=[NAME, hostile.digest, number]), {"by": by})
            assert_harmless(response.content.decode())


def test_only_the_web_becomes_a_link(hostile: Manifest, client: Client) -> None:
    linked = set()
    for number in range(len(ADDRESSES)):
        text = client.get(reverse("package", args=[NAME, hostile.digest, number])).content.decode()
        linked |= {address for address in re.findall(r'href="([^"]*)"', text) if "example" in address}
    assert {address for address in linked if not address.startswith("/images/")} == {ADDRESSES[-1]}


def test_the_pages_across_images_are_harmless(hostile: Manifest, client: Client) -> None:
    addresses = [reverse("licenses"), reverse("home"), reverse("images"), *(
        component_path(one.ecosystem, one.namespace, one.name) for one in Component.objects.all()
    )]  # fmt: skip
    assert len(addresses) > len(NAUGHTY) / 2
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        assert_harmless(response.content.decode())


@pytest.mark.parametrize(
    ("name", "field"),
    [("jump", "q"), ("package-search", "q"), ("package-search", "v"), ("images", "q"), ("images", "state"),
     ("compare", "from"), ("home", "q")],
)  # fmt: skip
def test_what_a_person_typed_comes_back_as_text(hostile: Manifest, client: Client, name: str, field: str) -> None:
    for text in NAUGHTY:
        response = client.get(reverse(name), {"q": "x", field: text}, follow=True)
        assert response.status_code in (200, 400, 404), text
        assert_harmless(response.content.decode())


@pytest.mark.parametrize("field", ["q", "type", "license", "role", "sort", "start"])
def test_a_filter_takes_any_text(hostile: Manifest, client: Client, field: str) -> None:
    for text in NAUGHTY:
        response = client.get(reverse("packages", args=[NAME, hostile.digest]), {field: text})
        assert response.status_code == 200, text
        assert_harmless(response.content.decode())


def test_a_spreadsheet_runs_nothing(hostile: Manifest, client: Client) -> None:
    for name in ("packages-csv", "files-csv", "digest-licenses-csv"):
        response = client.get(reverse(name, args=[NAME, hostile.digest]))
        text = b"".join(response.streaming_content).decode()
        cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
        assert any("HYPERLINK" in cell for cell in cells), name
        assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "\t"))]


def test_json_says_the_names_unchanged(hostile: Manifest, client: Client) -> None:
    response = client.get(reverse("packages-json", args=[NAME, hostile.digest]))
    assert response["Content-Type"] == "application/json"
    names = {row["name"] for row in json.loads(response.content)["packages"]}
    assert {text for text in NAUGHTY if text.isprintable()} <= names


@pytest.mark.parametrize("path", ["apk/wolfi/open%00ssl", "apk/%00", "%00x/y", "apk/wolfi/a@%00"])
def test_a_component_with_nul_in_its_name_is_not_found(client: Client, path: str) -> None:
    assert client.get(f"/packages/{path}").status_code == 404
