"""What a person types, and what it means: other spellings that are found, and a "no" that says what made it."""

from __future__ import annotations

import pytest

from cgexplorer.spdx.query import parse
from cgexplorer.store.queries.search import search
from cgexplorer.web import search_report
from tests.store import factories as make

pytestmark = pytest.mark.django_db


def image_with(name: str, *packages) -> None:
    manifest = make.manifest(make.image(name))
    make.tag(manifest)
    make.sbom(manifest, *packages)


def test_a_source_is_found_however_its_name_is_spelled() -> None:
    manager = make.component("NetworkManager", "rpm", "redhat")
    library = make.component("nm-library", "rpm", "redhat")
    image_with("quay.io/a/a", make.package("1.52-1", manager))
    image_with("quay.io/a/b", make.package("1.52-1", library, built_from="NetworkManager"))
    assert {hit.image for hit in search(parse("networkmanager")).hits} == {"quay.io/a/a", "quay.io/a/b"}


def test_the_last_part_of_a_path_is_no_sources_name() -> None:
    image_with("cgr.dev/a/go", make.package("1", make.component("net", "golang", "golang.org/x")))
    image_with("cgr.dev/a/c", make.package("1", make.component("libnet1", "deb", "debian"), built_from="net"))
    assert [hit.name for hit in search(parse("golang.org/x/net")).hits] == ["net"]


@pytest.mark.parametrize(
    ("ecosystem", "stored", "typed"),
    [
        ("pypi", "typing-extensions", "typing_extensions"),
        ("pypi", "zope.interface", "Zope-Interface"),
        ("pypi", "zope.interface", "pkg:pypi/zope_interface"),
        ("cargo", "serde_json", "serde-json"),
    ],
)
def test_a_name_is_found_as_its_index_compares_names(ecosystem: str, stored: str, typed: str) -> None:
    image_with("cgr.dev/a/python", make.package("1.0.0", make.component(stored, ecosystem, "")))
    image_with("cgr.dev/a/other", make.package("1.0.0", make.component(stored, "npm", "")))
    assert [(hit.name, hit.ecosystem) for hit in search(parse(typed)).hits] == [(stored, ecosystem)]


def test_a_purls_namespace_is_read_in_any_case() -> None:
    image_with("cgr.dev/a/java", make.package("1", make.component("log4j", "maven", "org.apache")))
    assert search(parse("pkg:maven/Org.Apache/Log4j")).images == 1


def test_a_purl_without_the_distribution_finds_all_of_them() -> None:
    for namespace in ("debian", "ubuntu"):
        image_with(f"cgr.dev/a/{namespace}", make.package("3", make.component("openssl", "deb", namespace)))
    assert search(parse("pkg:deb/openssl")).images == 2


@pytest.mark.parametrize(
    ("ecosystem", "stored", "asked", "sentence"),
    [
        ("apk", "3.6.2-r1", "=3.6.2", "Write >=3.6.2,<=3.6.2-r999 for all builds."),
        ("apk", "3.6.2-r1", "<=3.6.2", "Write <=3.6.2-r999 to have them."),
        ("deb", "3.0.19-1~deb12u2", "=3.0.19", "Write >=3.0.19,<=3.0.19-999 for all builds."),
        ("rpm", "3.0.7-18.el9", "<=3.0.7", "Write <=3.0.7-999 to have them."),
        ("rpm", "1:3.0.7-18.el9", "<3.3.2", "leaves out 1:3.0.7-18.el9. Write the epoch too: 1:"),
        ("rpm", "1:3.4.0-1.el9", "<3.3.2", ""),
        ("rpm", "1:3.0.7-18.el9", "<1:3.3.2", ""),
        ("golang", "v3.6.2", "=3.6.3", ""),
    ],
)
def test_a_no_says_when_the_order_of_an_ecosystem_made_it(
    ecosystem: str, stored: str, asked: str, sentence: str
) -> None:
    image_with("quay.io/a/a", make.package(stored, make.component("openssl", ecosystem, "a")))
    answer = search(parse(f"openssl{asked}"))
    said = search_report.hint(answer)
    assert said.endswith(sentence) if sentence.endswith(".") else sentence in said
    assert bool(said) is bool(sentence)
    if "999" in said:
        assert search(parse(f"openssl {said.partition('Write ')[2].split()[0]}")).images == 1


def test_a_no_to_a_sha1_says_what_it_cannot_find() -> None:
    assert "SHA-256 too" in search_report.hint(search(parse("sha1:" + "ab" * 20)))
    assert search_report.hint(search(parse("sha256:" + "ab" * 32))) == ""


def test_a_no_to_a_licence_says_which_licence_was_asked_about() -> None:
    image_with("quay.io/a/a", make.package("1", license="MIT"))
    assert "declares" in search_report.hint(search(parse("license:GPL-2.0-only")))
    assert search_report.hint(search(parse("license:MIT"))) == ""
