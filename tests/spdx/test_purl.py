from __future__ import annotations

import pytest

from cgexplorer.spdx import purl
from cgexplorer.spdx.parse import parse
from tests.spdx.documents import package, raw


def read(text: str) -> purl.Purl:
    found = purl.parse(text)
    assert found is not None
    return found


def test_syfts_old_type_for_alpine_is_apk() -> None:
    found = read("pkg:alpine/musl@1.2.3-r0?arch=x86_64&upstream=musl&distro=alpine-3.16.2")
    assert (found.type, found.namespace, found.name) == ("apk", "alpine", "musl")
    assert found.text == "pkg:apk/alpine/musl@1.2.3-r0?arch=x86_64&distro=alpine-3.16.2&upstream=musl"


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ("pkg:golang/example.com/m@v1.2.3", "v1.2.3"),
        ("pkg:golang/example.com/m@1.2.3", "v1.2.3"),
        ("pkg:golang/example.com/m@(devel)", "(devel)"),
        ("pkg:rpm/redhat/bash@4.4?epoch=1", "1:4.4"),
        ("pkg:rpm/redhat/bash@4.4?epoch=0", "4.4"),
        ("pkg:deb/debian/zlib1g@1:1.2.11.dfsg-2%2Bdeb11u2", "1:1.2.11.dfsg-2+deb11u2"),
        ("pkg:npm/left-pad@1.0.0", "1.0.0"),
    ],
)
def test_versions_have_their_v_and_their_epoch(written: str, version: str) -> None:
    assert read(written).version == version


def test_an_epoch_that_only_the_purl_states_is_part_of_the_packages_version() -> None:
    assert parse(raw(package("bash", "pkg:rpm/redhat/bash@4.4?epoch=1"))).packages[0].version == "1:4.4"


def test_names_on_pypi_have_one_spelling() -> None:
    assert read("pkg:pypi/Foo_Bar@1").name == "foo-bar"


@pytest.mark.parametrize(
    ("qualifiers", "source"),
    [
        ("origin=openssl", "openssl"),
        ("upstream=openssl%401.1.1n-0%2Bdeb11u3", "openssl"),
        ("upstream=bash-5.1.8-6.el9.src.rpm", "bash"),
        ("distro=wolfi", ""),
    ],
)
def test_the_source_package_is_read_from_the_qualifiers(qualifiers: str, source: str) -> None:
    assert read(f"pkg:apk/wolfi/libssl3@3?{qualifiers}").built_from == source


@pytest.mark.parametrize("text", ["", "openssl", "pkg:", "pkg:generic/foo?a", "http://example.com/a@1"])
def test_text_that_is_no_purl_gives_none(text: str) -> None:
    assert purl.parse(text) is None


def test_of_several_purls_the_package_managers_own_is_best() -> None:
    texts = ("pkg:github/wolfi-dev/os@f18#ca.yaml", "pkg:generic/ca@1", "pkg:apk/wolfi/ca@1-r0")
    found = purl.best([read(text) for text in texts])
    assert found is not None
    assert found.type == "apk"


def test_all_purls_of_a_package_are_kept_as_written() -> None:
    made = package("a", "pkg:alpine/musl@1-r0")
    second = made["externalRefs"][0] | {
        "referenceLocator": "pkg:generic/musl@1",
        "referenceCategory": "PACKAGE_MANAGER",
    }
    made["externalRefs"].append(second)
    assert parse(raw(made)).packages[0].purls == ("pkg:alpine/musl@1-r0", "pkg:generic/musl@1")


def test_a_purl_that_cannot_be_read_is_noted_and_kept() -> None:
    found = parse(raw(package("a", "pkg:generic/foo?a", name="foo")))
    assert [one.what for one in found.findings] == ["package URL that cannot be read"]
    assert (found.packages[0].purl, found.packages[0].purls) == ("", ("pkg:generic/foo?a",))


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("golang", "github.com/spf13", "cobra"), "github.com/spf13/cobra"),
        (("npm", "@angular", "core"), "@angular/core"),
        (("apk", "wolfi", "openssl"), "openssl"),
        (("pypi", "", "requests"), "requests"),
    ],
)
def test_the_full_name_is_what_people_say(parts: tuple[str, str, str], name: str) -> None:
    assert purl.full_name(*parts) == name
