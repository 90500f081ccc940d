"""/packages/ and the page of one component."""

from __future__ import annotations

import csv
import json

import pytest
from django.test import Client

from cgexplorer.web.component_path import component_path
from tests.store import factories as make

pytestmark = pytest.mark.django_db
NAUGHTY = "<script>alert(1)</script>\"'`{{ 7|add:7 }}&amp;"


@pytest.fixture
def go() -> str:
    manifest = make.manifest(make.image("cgr.dev/chainguard/go"))
    make.tag(manifest)
    make.sbom(manifest, make.package("3.3.1-r0"), make.package("3.3.5-r0"))
    make.tag(make.manifest(make.image("docker.io/library/nginx"), state="unsigned", state_reason="nothing there"))
    return manifest.digest


def page(client: Client, path: str, **query: str) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_headline_is_the_answer(client: Client, go: str) -> None:
    text = page(client, "/packages/", q="openssl", v="<3.3.2")
    assert "<h1>openssl &lt; 3.3.2 (apk order): 1 of 2 images</h1>" in text
    assert "1 image has no verified SBOM" in text
    assert "docker.io/library/" in text
    assert go in text


def test_an_empty_search_asks(client: Client, db: None) -> None:
    assert "Where is this package?" in page(client, "/packages/")


def test_a_no_says_how_it_was_reached_and_what_else_to_try(client: Client, go: str) -> None:
    text = page(client, "/packages/", q="log4j-core", v="<2.17.1")
    assert "none of 2 images" in text
    assert "How this no was reached" in text
    assert "Unverified SBOMs too" in text


@pytest.mark.parametrize(
    ("q", "v", "says"),
    [("openssl", "<<3", "no version constraint"), ("", "<3", "Type the name"), ("a" * 201, "", "at most 200")],
)
def test_a_bad_query_is_answered_beside_the_box(client: Client, db: None, q: str, v: str, says: str) -> None:
    text = page(client, "/packages/", q=q, v=v)
    assert 'aria-invalid="true"' in text
    assert says in text


def test_downloads_hold_the_rows_of_the_page(client: Client, go: str) -> None:
    answer = json.loads(page(client, "/packages.json", q="openssl"))
    assert [row["version"] for row in answer["results"]] == ["3.3.5-r0", "3.3.1-r0"]
    response = client.get("/packages.csv", {"q": "openssl"})
    rows = list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))
    assert [row["version"] for row in rows] == ["3.3.5-r0", "3.3.1-r0"]


def test_a_download_that_is_cut_says_so_and_where_to_go_on(
    client: Client, go: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgexplorer.web.search.MAX_EXPORT_ROWS", 1)
    first = client.get("/packages.csv", {"q": "openssl"})
    assert 'filename="packages-only-1-rows.csv"' in first["Content-Disposition"]
    following = first["Link"].removeprefix("<").removesuffix('>; rel="next"')
    last = client.get(following)
    assert "Link" not in last
    (row,) = csv.DictReader(b"".join(last.streaming_content).decode().splitlines())
    assert row["version"] == "3.3.1-r0"
    (row,) = json.loads(client.get(following.replace(".csv", ".json")).content)["results"]
    assert row["version"] == "3.3.1-r0"


@pytest.mark.parametrize("path", ["/packages.json", "/packages.csv"])
def test_a_download_of_a_bad_query_is_refused_with_the_sentence(client: Client, db: None, path: str) -> None:
    response = client.get(path, {"q": "a<<1"})
    assert response.status_code == 400
    assert b"no version constraint" in response.content


@pytest.mark.parametrize("after", ["x", "~~", "1~a~", "9" * 30 + "~a~1", "1~\x00~1", "²~a~1", "1~cgr.dev/x~0"])
def test_a_made_up_position_is_no_error(client: Client, go: str, after: str) -> None:
    assert "3.3.1-r0" in page(client, "/packages/", q="openssl", after=after)


def test_the_next_page_is_a_link(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgexplorer.web.search.ROWS_A_PAGE", 1)
    for name in ("a.example/one", "a.example/two"):
        manifest = make.manifest(make.image(name))
        make.tag(manifest)
        make.sbom(manifest, make.package("1"))
    first = client.get("/packages/", {"q": "openssl"})
    link = first.context["next"]
    second = client.get("/packages/" + link)
    assert [hit.image for hit in second.context["answer"].hits] == ["a.example/two"]
    assert second.context["next"] == ""


def test_what_an_sbom_says_is_only_text(client: Client) -> None:
    manifest = make.manifest(make.image())
    make.tag(manifest)
    made = make.component(NAUGHTY, "generic", NAUGHTY)
    make.sbom(manifest, make.package(NAUGHTY, made, license=NAUGHTY, built_from=NAUGHTY))
    for path in ("/packages/?q=script", component_path("generic", NAUGHTY, NAUGHTY)):
        response = client.get(path)
        assert response.status_code == 200
        assert b"<script>alert" not in response.content
        assert b"&lt;script&gt;alert" in response.content


@pytest.mark.parametrize("text", ["'; DROP TABLE store_package; --", "%", "\\", "𝒳", "‮", "a" * 200, "pkg:", "@", "{{"])
def test_any_text_in_any_box_is_answered(client: Client, go: str, text: str) -> None:
    for name in ("q", "v", "type", "scope", "after"):
        page(client, "/packages/", **({"q": "openssl"} | {name: text}))


def test_a_component_shows_its_versions_and_who_holds_them(client: Client, go: str) -> None:
    text = page(client, component_path("apk", "wolfi", "openssl"))
    assert text.index("3.3.5-r0") < text.index("3.3.1-r0")
    assert go in text


def test_the_versions_of_a_component_are_exported(client: Client, go: str) -> None:
    answer = json.loads(page(client, "/packages/versions.json", of="apk/wolfi/openssl"))
    assert [(row["version"], row["current_images"]) for row in answer["versions"]] == [("3.3.5-r0", 1), ("3.3.1-r0", 1)]
    response = client.get("/packages/versions.csv", {"of": "apk/wolfi/openssl"})
    rows = list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))
    assert [row["version"] for row in rows] == ["3.3.5-r0", "3.3.1-r0"]


@pytest.mark.parametrize("of", ["", "apk", "apk/nothing", "-/x", "\0/\0"])
def test_versions_of_an_unknown_component_are_not_found(client: Client, db: None, of: str) -> None:
    assert client.get("/packages/versions.json", {"of": of}).status_code == 404


def test_more_than_a_hundred_versions_are_shown_when_asked_for(client: Client) -> None:
    make.sbom(make.manifest(make.image()), *(make.package(f"1.{number}-r0") for number in range(101)))
    path = component_path("apk", "wolfi", "openssl")
    assert "100 of 101 versions shown" in page(client, path)
    assert "1.0-r0" in page(client, path, versions="all")


def test_a_version_of_a_component_shows_only_its_images(client: Client, go: str) -> None:
    response = client.get(component_path("apk", "wolfi", "openssl", "3.3.1-r0"))
    assert [hit.version for hit in response.context["answer"].hits] == ["3.3.1-r0"]


@pytest.mark.parametrize("path", ["apk/wolfi/nothing", "apk/wolfi/openssl@9", "deb/openssl", "x/@", "-/a@"])
def test_an_unknown_component_is_not_found(client: Client, go: str, path: str) -> None:
    assert client.get(f"/packages/{path}").status_code == 404


@pytest.mark.parametrize(
    ("ecosystem", "namespace", "name"),
    [
        ("npm", "@angular", "core"),
        ("golang", "github.com/spf13", "cobra"),
        ("", "", "a b/c?d#e%2F@f"),
        ("apk", "w", "c++"),
    ],
)
def test_the_path_of_a_component_leads_back_to_it(client: Client, ecosystem: str, namespace: str, name: str) -> None:
    made = make.component(name, ecosystem, namespace)
    make.sbom(make.manifest(make.image()), make.package("1.0", made))
    for version in ("", "1.0"):
        response = client.get(component_path(ecosystem, namespace, name, version))
        assert response.status_code == 200
        assert (response.context["component"], response.context["version"]) == (made, version)


def test_many_rows_take_no_more_queries_than_few(client: Client, django_assert_max_num_queries) -> None:
    for number in range(12):
        manifest = make.manifest(make.image(f"a.example/i{number}"))
        make.tag(manifest)
        make.sbom(manifest, make.package("1"))
    with django_assert_max_num_queries(12):
        page(client, "/packages/", q="openssl")


@pytest.mark.parametrize("state", ["invalid", "signer-not-allowed", "unsigned", "could-not-check"])
def test_an_image_that_is_not_to_be_believed_is_told_beside_its_verified_sbom(client: Client, state: str) -> None:
    manifest = make.manifest(make.image(), state=state)
    make.tag(manifest)
    make.sbom(manifest, make.package("3.3.1-r0"))
    assert f'image: <a class="badge" data-s="{state}"' in page(client, "/packages/", q="openssl")
    hit = json.loads(page(client, "/packages.json", q="openssl"))["results"][0]
    assert (hit["state"], hit["image_state"]) == ("verified", state)


def test_a_platform_whose_index_alone_is_signed_is_as_good_as_its_index(client: Client) -> None:
    manifest = make.manifest(make.image(), state="unsigned")
    make.tag(make.index(manifest.image, manifest))
    make.sbom(manifest, make.package("3.3.1-r0"))
    assert "image: <" not in page(client, "/packages/", q="openssl")
    assert json.loads(page(client, "/packages.json", q="openssl"))["results"][0]["image_state"] == "verified"


def test_a_verified_image_says_nothing_beside_its_sbom(client: Client, go: str) -> None:
    assert "image: <" not in page(client, "/packages/", q="openssl")
