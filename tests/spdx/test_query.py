"""What people type to find a package."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgexplorer.spdx.query import MAX_CHARACTERS, Query, QueryError, parse


@pytest.mark.parametrize(
    ("text", "name", "versions"),
    [
        ("openssl", "openssl", ""),
        ("  openssl  ", "openssl", ""),
        ("openssl<3.3.2", "openssl", "<3.3.2"),
        ("openssl < 3.3.2", "openssl", "<3.3.2"),
        ("openssl <=3.3.2-r0", "openssl", "<=3.3.2-r0"),
        ("openssl >=1.0,<2", "openssl", ">=1.0, <2"),
        ("openssl != 3.3.2", "openssl", "!=3.3.2"),
        ("openssl == 3.3.2", "openssl", "=3.3.2"),
        ("openssl=3.3.2", "openssl", "=3.3.2"),
        ("openssl@3.3.2-r0", "openssl", "=3.3.2-r0"),
        ("openssl 3.3.2-r0", "openssl", "=3.3.2-r0"),
        ("openssl vers:apk/<3.3.2-r0", "openssl", "<3.3.2-r0"),
        ("libstdc++", "libstdc++", ""),
        ("glibc-2.43", "glibc-2.43", ""),
        ("@babel/core", "@babel/core", ""),
        ("@babel/core@7.1.0", "@babel/core", "=7.1.0"),
        ("golang.org/x/net<0.38.0", "golang.org/x/net", "<0.38.0"),
        ("Red Hat Thing", "Red Hat Thing", ""),
    ],
)
def test_a_name_and_its_versions_are_told_apart(text: str, name: str, versions: str) -> None:
    found = parse(text)
    assert (found.name, str(found.versions or "")) == (name, versions)


def test_the_version_box_says_the_same_as_the_query() -> None:
    assert parse("openssl", "<3.3.2") == parse("openssl<3.3.2")


def test_a_vers_range_names_the_ecosystem() -> None:
    assert parse("openssl", "vers:apk/<3.3.2-r0").ecosystem == "apk"
    assert str(parse("openssl VERS:APK/>=1|!=2|<3")) == "openssl >=1, !=2, < 3"


def test_a_purl_names_one_component() -> None:
    found = parse("pkg:apk/wolfi/openssl")
    assert (found.ecosystem, found.namespace, found.name, found.versions) == ("apk", "wolfi", "openssl", None)
    assert found.is_purl
    assert not found.can_match_part


def test_a_purl_with_a_version_asks_for_exactly_that_version() -> None:
    found = parse("pkg:apk/wolfi/openssl@3.3.2-r0?arch=x86_64")
    assert (str(found.versions), found.arch) == ("=3.3.2-r0", "x86_64")


def test_a_purl_can_be_followed_by_a_range() -> None:
    assert str(parse("pkg:apk/wolfi/openssl <3.3.2").versions) == "<3.3.2"


def test_a_path_is_also_read_as_namespace_and_name() -> None:
    assert parse("golang.org/x/net").alternatives == (("golang.org/x", "net"),)
    assert parse("org.apache.logging.log4j:log4j-core").alternatives == (("org.apache.logging.log4j", "log4j-core"),)


def test_a_name_of_two_letters_is_matched_whole() -> None:
    assert not parse("go").can_match_part
    assert parse("git").can_match_part


@pytest.mark.parametrize(
    "text", ["PKG:apk/wolfi/openssl<3", "Pkg:APK/wolfi/openssl <3", "pkg:apk/wolfi/openssl?arch=x86_64<3"]
)
def test_a_purl_is_one_however_its_beginning_is_spelled(text: str) -> None:
    query = parse(text)
    assert (query.name, query.namespace, query.ecosystem, str(query.versions)) == ("openssl", "wolfi", "apk", "<3")


def test_an_equals_sign_behind_a_purls_name_begins_a_version() -> None:
    assert str(parse("pkg:apk/wolfi/openssl=3.6.1-r0").versions) == "=3.6.1-r0"
    assert parse("pkg:apk/wolfi/openssl?arch=aarch64").versions is None


def test_a_purl_of_a_distribution_that_names_none_is_of_any() -> None:
    assert parse("pkg:deb/openssl").namespace is None
    assert parse("pkg:npm/lodash").namespace == ""


def test_alpine_is_another_word_for_apk() -> None:
    assert parse("openssl type:alpine").ecosystem == parse("openssl", ecosystem="alpine").ecosystem == "apk"


@pytest.mark.parametrize(
    ("text", "versions", "ecosystem", "says"),
    [
        ("openssl vers:apk/>=1|<2|>=3|<4", "", "", "several intervals"),
        ("openssl vers:apk/<1|>=3", "", "", "several intervals"),
        ("openssl vers:apk/1|>=3", "", "", "several intervals"),
        ("openssl vers:openssl/<3", "", "", "order of openssl versions is not known"),
        ("", "", "", "Type the name"),
        ("<3.3.2", "", "", "before the version"),
        ("openssl", "<<3", "", "no version constraint"),
        ("openssl<", "", "", "no version constraint"),
        ("openssl<3", "<2", "", "twice"),
        ("pkg:", "", "", "no package URL"),
        ("pkg:apk/wolfi/openssl@3.3.2", "<2", "", "twice"),
        ("pkg:apk/wolfi/openssl", "", "deb", "of type apk"),
        ("openssl", "vers:apk/<2", "deb", "apk versions"),
        ("openssl", "", "a'; DROP TABLE", "no package type"),
        ("open\x00ssl", "", "", "control character"),
        ("open\udcffssl", "", "", "cannot be shown"),
        ("x" * (MAX_CHARACTERS + 1), "", "", "at most"),
    ],
)
def test_a_bad_query_is_answered_by_a_sentence(text: str, versions: str, ecosystem: str, says: str) -> None:
    with pytest.raises(QueryError, match=says) as error:
        parse(text, versions, ecosystem)
    assert str(error.value).endswith(".")


@given(st.text(max_size=80), st.text(max_size=30), st.sampled_from(["", "apk", "deb", "no such"]))
def test_any_text_gives_a_query_or_a_sentence(text: str, versions: str, ecosystem: str) -> None:
    try:
        name = parse(text, versions, ecosystem).name
    except QueryError as error:
        name = str(error)
    assert name


NAMES = st.from_regex(r"[a-z][a-z0-9+._-]{0,20}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(-r[0-9])?", fullmatch=True)


@given(NAMES, st.lists(st.tuples(st.sampled_from(["<", "<=", ">", ">=", "!="]), VERSIONS), max_size=4))
def test_what_a_query_prints_is_the_same_query_again(name: str, constraints: list[tuple[str, str]]) -> None:
    text = name + ", ".join(operator + version for operator, version in constraints)
    found: Query = parse(text)
    assert parse(str(found)) == found
