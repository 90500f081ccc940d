from __future__ import annotations

import pytest

from cgexplorer.spdx.query import QueryError, parse
from cgexplorer.spdx.query_filters import Cpe, Filters, cpe_allows, license_matches, parse_cpe, take


def test_filters_stand_anywhere_in_the_text() -> None:
    rest, filters, ecosystem = take('license:GPL-* openssl role:installed <3 supplier:"The Go Authors" type:apk')
    assert rest == "openssl <3"
    assert filters == Filters(license="GPL-*", role="installed", supplier="The Go Authors")
    assert ecosystem == "apk"


def test_a_text_without_filters_stays_as_it_was_typed() -> None:
    assert take("a  b") == ("a  b", Filters(), "")


@pytest.mark.parametrize("text", ["org.apache:log4j", "pkg:npm/%40babel/core", "xlicense:MIT", "vers:apk/<3"])
def test_other_words_with_a_colon_are_no_filters(text: str) -> None:
    assert take(text)[0] == text


def test_keys_of_filters_are_read_in_upper_case_too() -> None:
    sum_ = "ab" * 32
    assert take(f"License:MIT SHA256:{sum_.upper()}") == take(f"license:MIT checksum:{sum_}")


def test_what_filters_say_can_be_typed_again() -> None:
    text = 'license:MIT supplier:"The Go Authors" checksum:' + "ab" * 20 + " role:module cpe:2.3:a:b:c:1:*:*:*:*:*:*:*"
    assert str(take(text)[1]) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("license:", "such as license:GPL-*"),
        ("license:MIT license:ISC", "twice"),
        ("checksum:abc", "64 or 40"),
        ("role:file", "roles installed and module"),
        ("cpe:2.3:a:openssl", "vendor and a product"),
        ("cpe:2.3:a:*:openssl:1", "vendor and a product"),
        ("cpe:2.3:a:openssl:open*", "both in full"),
        ("cpe:/a:openssl::3.0", "both in full"),
        ("license:none", "license:NOASSERTION"),
        ("type:No!", "no package type"),
    ],
)
def test_a_filter_that_asks_for_nothing_says_what_to_write(text: str, sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence.replace("*", r"\*")):
        parse(text)


def test_a_type_beside_another_type_is_refused() -> None:
    with pytest.raises(QueryError, match="type is given twice"):
        parse("openssl type:apk", ecosystem="deb")


def test_filters_alone_are_a_query_and_beside_a_purl_too() -> None:
    assert parse("role:module").name == ""
    query = parse("pkg:apk/wolfi/openssl@1 license:MIT")
    assert (query.name, query.is_purl, query.filters.license) == ("openssl", True, "MIT")


@pytest.mark.parametrize(
    ("expression", "pattern", "matches"),
    [
        ("MIT", "mit", True),
        ("MIT OR Apache-2.0", "Apache-2.0", True),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "*Classpath*", True),
        ("LGPL-2.1-only", "GPL-*", False),
        ("MIT", "*", True),
        ("not ] an [ expression", "not ] an [ expression", True),
        ("GPL-2.0-or-later", "GPL-2.0+", True),
        ("MIT AND GPL-2.0-only", "gpl-2.0", True),
        ("MIT AND ISC", "(ISC and MIT)", True),
        ("MIT AND ISC", "ISC OR MIT", False),
    ],
)
def test_a_licence_is_matched_by_itself_or_a_pattern(expression: str, pattern: str, matches: bool) -> None:
    assert license_matches(expression, pattern) is matches


@pytest.mark.parametrize(
    ("text", "cpe"),
    [
        ("cpe:2.3:a:OpenSSL:openssl:3.3.1:*:*:*:*:*:*:*", ("openssl", "openssl", "3.3.1")),
        (r"cpe:2.3:a:go:compute\/metadata:v0.9.0:*", ("go", "compute/metadata", "v0.9.0")),
        (r"cpe:2.3:a:a\:b:c:-:*", ("a:b", "c", "")),
        ("cpe:/a:vendor:product", ("vendor", "product", "")),
        ("cpe:/a:gnu:libstdc%2b%2b:15", ("gnu", "libstdc++", "15")),
        (r"CPE:2.3:a:what:what\?:1", ("what", "what?", "1")),
    ],
)
def test_cpes_are_read_as_nist_writes_them(text: str, cpe: tuple[str, str, str]) -> None:
    assert parse_cpe(text) == Cpe(*cpe, text=text)


@pytest.mark.parametrize(
    ("ecosystem", "version", "asked", "allowed"),
    [
        ("apk", "3.3.1-r0", "3.3.1", True),
        ("apk", "3.3.1-r0", "3.3", False),
        ("deb", "1:3.3.1-2ubuntu1", "3.3.1", True),
        ("rpm", "3.3.1-2.el9", "3.3.1", True),
        ("golang", "v1.2.3", "1.2.3", True),
        ("npm", "1.2.3", "", True),
    ],
)
def test_a_cpes_version_is_the_projects(ecosystem: str, version: str, asked: str, allowed: bool) -> None:
    assert cpe_allows(Cpe("v", "p", asked), ecosystem, version) is allowed
