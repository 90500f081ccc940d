"""Every URL there is: it answers, with few queries, and without anything inline that its own CSP would refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

import msgspec
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver, reverse

from cgexplorer.store.models import Attestation, Manifest, Tag, TrustRoot
from cgexplorer.store.record import activities
from tests.web.happened import NGINX, drifted, followed, saved

PYTHON = "samples.example/python"
HTML, CSV, JSON, MARKDOWN = "text/html", "text/csv", "application/json", "text/markdown"


class Page(msgspec.Struct, frozen=True):
    """How to ask for one URL, and what may come back."""

    queries: int  # at most, with the session's and the page's own together
    args: tuple[str, ...] = ()  # names of World's fields
    ask: str = ""  # the query string
    kind: str = HTML
    status: int = 200


pytestmark = pytest.mark.django_db

DIGEST = ("name", "digest")
PAGES = {
    "livez": Page(0, kind="text/plain"),
    "readyz": Page(2, kind="text/plain"),
    "home": Page(6),
    "jump": Page(3, ask="q=registry.example/not-here:1", status=404),
    "states": Page(0),
    "images": Page(1),
    "images-csv": Page(1, kind=CSV),
    "images-json": Page(1, kind=JSON),
    "image": Page(6, ("name",)),
    "image-csv": Page(5, ("name",), kind=CSV),
    "image-json": Page(5, ("name",), kind=JSON),
    "tag": Page(3, ("name", "tag")),
    "tag-csv": Page(3, ("name", "tag"), kind=CSV),
    "tag-json": Page(3, ("name", "tag"), kind=JSON),
    "digest-tags": Page(6, DIGEST),
    "digest-tags-csv": Page(2, DIGEST, kind=CSV),
    "digest-tags-json": Page(2, DIGEST, kind=JSON),
    "digest": Page(23, DIGEST),
    "platforms-csv": Page(16, ("name", "index"), kind=CSV),
    "platforms-json": Page(16, ("name", "index"), kind=JSON),
    "packages": Page(7, DIGEST),
    "packages-csv": Page(3, DIGEST, kind=CSV),
    "packages-json": Page(3, DIGEST, kind=JSON),
    "package": Page(9, (*DIGEST, "element")),
    "tree": Page(7, DIGEST),
    "branch": Page(7, (*DIGEST, "element")),
    "digest-licenses": Page(12, DIGEST),
    "digest-licenses-csv": Page(3, DIGEST, kind=CSV),
    "digest-licenses-json": Page(3, DIGEST, kind=JSON),
    "files": Page(7, DIGEST),
    "files-csv": Page(3, DIGEST, kind=CSV),
    "files-json": Page(3, DIGEST, kind=JSON),
    "sbom": Page(8, DIGEST),
    "element": Page(7, DIGEST, "id=SPDXRef-Nothing", status=404),
    "annotations-csv": Page(4, DIGEST, kind=CSV),
    "annotations-json": Page(4, DIGEST, kind=JSON),
    "sbom-document": Page(4, DIGEST, kind="application/spdx+json"),
    "cyclonedx-document": Page(2, DIGEST, status=404),
    "attestations": Page(6, DIGEST),
    "attestation": Page(6, (*DIGEST, "attestation")),
    "attestation-bytes": Page(3, (*DIGEST, "attestation", "part"), kind="application/octet-stream"),
    "provenance": Page(6, DIGEST),
    "config": Page(6, DIGEST),
    "verification": Page(13, DIGEST),
    "evidence-zip": Page(60, DIGEST, kind="application/zip"),
    "verification-json": Page(8, DIGEST, kind=JSON),
    "verification-text": Page(8, DIGEST, kind="text/plain"),
    "verification-run": Page(13, (*DIGEST, "run")),
    "verification-run-json": Page(8, (*DIGEST, "run"), kind=JSON),
    "verification-run-text": Page(8, (*DIGEST, "run"), kind="text/plain"),
    "verification-schema": Page(0, kind="application/schema+json"),
    "package-search": Page(8, ask="q=openssl"),
    "package-search-csv": Page(8, ask="q=openssl", kind=CSV),
    "package-search-json": Page(8, ask="q=openssl", kind=JSON),
    "package-search-evidence": Page(150, ask="q=nginx", kind="application/zip"),
    "component": Page(15, ("ecosystem", "path")),
    "versions-csv": Page(3, ask="of=apk/wolfi/libssl3", kind=CSV),
    "versions-json": Page(3, ask="of=apk/wolfi/libssl3", kind=JSON),
    "api-docs": Page(0),
    "api-openapi": Page(0, kind=JSON),
    "api-search": Page(8, ask="q=openssl", kind=JSON),
    "api-package": Page(3, ("ecosystem", "path"), kind=JSON),
    "api-images": Page(3, kind=JSON),
    "api-tags": Page(5, ("name",), kind=JSON),
    "api-tag": Page(3, ("name", "tag"), kind=JSON),
    "api-digest": Page(6, DIGEST, kind=JSON),
    "api-digest-packages": Page(3, DIGEST, kind=JSON),
    "api-verification": Page(8, DIGEST, kind=JSON),
    "api-diff": Page(19, ask=f"from={NGINX}:1.29.8&to={NGINX}:latest&platform=linux/amd64", kind=JSON),
    "api-drift": Page(3, kind=JSON),
    "compare": Page(14, ask=f"from={NGINX}:1.29.8&to={NGINX}:latest&platform=linux/amd64"),
    "compare-csv": Page(14, ask=f"from={NGINX}:1.29.8&to={NGINX}:latest&platform=linux/amd64", kind=CSV),
    "compare-json": Page(14, ask=f"from={NGINX}:1.29.8&to={NGINX}:latest&platform=linux/amd64", kind=JSON),
    "compare-markdown": Page(14, ask=f"from={NGINX}:1.29.8&to={NGINX}:latest&platform=linux/amd64", kind=MARKDOWN),
    "builds": Page(20, ask=f"of={NGINX}:latest"),
    "builds-csv": Page(20, ask=f"of={NGINX}:latest", kind=CSV),
    "builds-json": Page(20, ask=f"of={NGINX}:latest", kind=JSON),
    "identities": Page(1),
    "identities-csv": Page(1, kind=CSV),
    "identities-json": Page(1, kind=JSON),
    "licenses": Page(5),
    "licenses-csv": Page(1, kind=CSV),
    "licenses-json": Page(1, kind=JSON),
    "policy-new": Page(4, ask="name=a&match=x/*&issuer=https://x.example&identity=y"),
    "policies": Page(1),
    "policies-csv": Page(1, kind=CSV),
    "policies-json": Page(1, kind=JSON),
    "registries": Page(1),
    "registries-csv": Page(1, kind=CSV),
    "registries-json": Page(1, kind=JSON),
    "trust-roots": Page(2),
    "trust-roots-csv": Page(1, kind=CSV),
    "trust-roots-json": Page(1, kind=JSON),
    "trusted-root": Page(1, ("root",), kind=JSON),
    "run": Page(1, ("run",), status=302),
    "activities": Page(2),
    "activities-csv": Page(1, kind=CSV),
    "activities-json": Page(1, kind=JSON),
    "activity": Page(1, ("activity",)),
    "drift": Page(3),
    "drift-csv": Page(3, kind=CSV),
    "drift-json": Page(3, kind=JSON),
    "drift-feed": Page(3, kind="application/atom+xml"),
    "searches": Page(3),
    "searches-csv": Page(3, kind=CSV),
    "searches-json": Page(3, kind=JSON),
    "follows": Page(7),
    "follows-csv": Page(5, kind=CSV),
    "follows-json": Page(5, kind=JSON),
    "sync-csv": Page(2, ("sync",), kind=CSV),
    "sync-json": Page(2, ("sync",), kind=JSON),
}
# Answered to POST only: see the tests of their effects.
ACTIONS = {
    "fetch": (),
    "follow": (),
    "unfollow": ("name",),
    "sync-now": ("name",),
    "activity-again": ("activity",),
    "reverify": DIGEST,
    "reverify-image": ("name",),
    "reverify-all": (),
    "drift-acknowledge": ("event",),
    "search-save": (),
    "search-remove": ("search",),
}


class World(msgspec.Struct, frozen=True):
    """Arguments of URLs that lead somewhere."""

    name: str
    tag: str
    digest: str
    index: str
    element: int
    attestation: int
    part: str
    run: int
    root: str
    activity: int
    sync: int
    event: int
    search: int
    ecosystem: str = "apk"
    path: str = "wolfi/libssl3"

    def address(self, name: str) -> str:
        page = PAGES[name]
        path = reverse(name, args=[getattr(self, field) for field in page.args])
        return f"{path}?{page.ask}" if page.ask else path


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker) -> Iterator[World]:
    """The sample images, imported once for all tests of this file, which only read them."""
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("load_samples", verbosity=0)
        tag = Tag.objects.get(image__name=NGINX, name="latest")
        manifest = tag.manifest.entries.select_related("manifest").order_by("position")[0].manifest
        yield World(
            name=NGINX,
            tag="latest",
            digest=manifest.digest,
            index=tag.manifest.digest,
            element=1,
            attestation=Attestation.objects.filter(manifest=manifest).order_by("pk")[0].pk,
            part="envelope",
            run=manifest.runs.order_by("pk")[0].pk,
            root=TrustRoot.objects.get(is_sample=True).sha256,
            activity=activities.queue("fetch", "registry.example/a:1")[0].pk,
            sync=followed(),
            event=drifted(),
            search=saved(),
        )
        transaction.set_rollback(True)


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=True)


def names_in(patterns: list) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            if pattern.name:
                yield pattern.name
        else:
            yield from names_in(pattern.url_patterns)


def body(response) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def test_every_url_is_listed_here() -> None:
    assert {*names_in(get_resolver().url_patterns)} == {*PAGES, *ACTIONS}


@pytest.mark.parametrize("name", PAGES)
def test_it_answers_with_few_queries(world: World, client: Client, name: str) -> None:
    page = PAGES[name]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = client.get(world.address(name))
        content = body(response)
    assert response.status_code == page.status
    assert response.headers["Content-Type"].startswith(page.kind)
    assert content or page.status == 302
    assert len(queries) <= page.queries, [query["sql"][:100] for query in queries]


@pytest.mark.parametrize("name", PAGES)
def test_a_head_request_is_answered_without_contents(world: World, client: Client, name: str) -> None:
    response = client.head(world.address(name))
    assert response.status_code == PAGES[name].status
    assert body(response) == b""


class Inline(HTMLParser):
    """What a strict CSP refuses, and addresses that a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if (tag == "script" and "src" not in given) or tag in ("style", "iframe", "object", "embed", "base"):
            self.found.append(tag)
        self.found += [f"{tag} {key}" for key in given if key == "style" or key.startswith(("on", "hx-on", "hx-vars"))]
        for key in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
            if re.match(r"\s*(javascript|data|vbscript):", given.get(key) or "", re.IGNORECASE):
                self.found.append(f"{tag} {key}={given[key]}")
        if given.get("id"):
            self.ids.append(str(given["id"]))


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.kind == HTML and page.status != 302])
def test_a_page_holds_nothing_inline_and_no_id_twice(world: World, client: Client, name: str) -> None:
    response = client.get(world.address(name))
    parser = Inline()
    parser.feed(response.content.decode())
    assert parser.found == []
    assert sorted(parser.ids) == sorted(set(parser.ids))
    assert "'unsafe" not in response.headers["Content-Security-Policy"]
    assert response.content.count(b"<h1") == 1


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.kind == JSON])
def test_json_is_json(world: World, client: Client, name: str) -> None:
    assert json.loads(body(client.get(world.address(name)))) is not None


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.kind == CSV])
def test_csv_has_a_header_and_as_many_cells_in_each_row(world: World, client: Client, name: str) -> None:
    import csv

    header, *rows = csv.reader(body(client.get(world.address(name))).decode().splitlines())
    assert rows or name in ("files-csv", "annotations-csv")
    assert {len(row) for row in rows} <= {len(header)}


@pytest.mark.parametrize("name", ["digest", "packages", "tree", "digest-licenses", "files", "attestations",
                                  "provenance", "config", "verification"])  # fmt: skip
@pytest.mark.parametrize("tag", ["3.14-fork", "3.14-local"])
def test_a_digest_that_is_not_verified_has_all_its_pages(world: World, client: Client, name: str, tag: str) -> None:
    manifest = Manifest.objects.filter(image__name=PYTHON, parents__index__tags__name=tag).order_by("platform")[0]
    for digest in (manifest.digest, Tag.objects.get(image__name=PYTHON, name=tag).manifest.digest):
        assert client.get(reverse(name, args=[PYTHON, digest])).status_code == 200


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/images/samples.example/nothing", "No image samples.example/nothing is stored"),
        ("/images/samples.example/nginx:nothing", "nginx"),
        (f"/images/samples.example/nginx@sha256:{'0' * 64}", "digest"),
        (f"/images/samples.example/nginx@sha256:{'0' * 64}/-/packages", "digest"),
        ("/images/samples.example/nginx@sha256:123", "Nothing stored has this address."),
        ("/nothing/", "no page"),
        ("/activities/999999999", "Nothing stored has this address."),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(world: World, client: Client, path: str, sentence: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    (said,) = re.findall(r'<p class="lede">(.*?)</p>', response.content.decode())
    assert said.endswith(".")
    assert sentence in said


def test_reverify_shows_its_progress(world: World, client: Client) -> None:
    response = client.post(reverse("reverify", args=[world.name, world.digest]))
    assert response["Location"].startswith("/activities/")
    assert client.get(response["Location"]).status_code == 200


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_needs_post_and_its_token(world: World, name: str) -> None:
    address = reverse(name, args=[getattr(world, field) for field in ACTIONS[name]])
    assert Client().get(address).status_code == 405
    assert Client(enforce_csrf_checks=True).post(address, {"reference": "registry.example/b:1"}).status_code == 403


def test_every_link_of_a_digests_pages_leads_somewhere(world: World, client: Client) -> None:
    pages = [
        reverse(name, args=[world.name, world.digest]) for name in ("digest", "packages", "tree", "digest-licenses")
    ]
    pages.append(reverse("packages", args=[world.name, world.digest]) + "?role=all")
    links = {link for page in pages for link in links_of(client, page)}
    links |= {link for page in sorted(links) if "/-/packages/" in page for link in links_of(client, page)}
    assert len(links) > 50
    assert [link for link in sorted(links) if client.head(link).status_code >= 400] == []


def links_of(client: Client, page: str) -> set[str]:
    hrefs = re.findall(r'<a [^>]*?href="(/[^"#]*)', client.get(page).content.decode())
    return {unescape(href) for href in hrefs}


def test_the_signed_sbom_is_downloaded_byte_for_byte(world: World, client: Client) -> None:
    import hashlib

    from cgexplorer.store.models import Sbom

    content = client.get(reverse("sbom-document", args=[world.name, world.digest])).content
    documents = Sbom.objects.filter(manifest__digest=world.digest).values_list("document_id", flat=True)
    assert [hashlib.sha256(content).digest()] == [bytes(sha256) for sha256 in documents]
