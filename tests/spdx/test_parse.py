from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgexplorer.spdx import parse as parser
from cgexplorer.spdx.document import DEPENDS_ON, Checksum, Document, NotIndexable, Role
from cgexplorer.spdx.parse import parse
from tests.spdx.documents import document, edges, findings, package, raw, related


def refusal(bytes_: bytes) -> str:
    with pytest.raises(NotIndexable) as caught:
        parse(bytes_)
    return str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": []},
        {"@context": ["https://spdx.org/rdf/3.0.0/spdx-context.jsonld"], "@graph": [], "packages": []},
        {"@graph": [{"type": "SpdxDocument"}]},
        {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "type": "software_Package", "name": "one alone"},
    ],
)
def test_spdx_3_says_that_it_is_not_indexed_yet(body: dict[str, Any]) -> None:
    assert refusal(json.dumps(body).encode()) == "SPDX 3, not indexed yet."


def test_other_json_says_what_is_missing() -> None:
    assert "neither SPDX nor CycloneDX" in refusal(b'{"hello": "world"}')


def test_a_wrapper_without_a_document_has_no_packages_and_is_refused() -> None:
    assert "Data" in refusal(b'{"Data": "text", "Timestamp": ""}')


def test_a_document_inside_cosigns_generic_predicate_is_found() -> None:
    wrapped = json.dumps({"Data": document(package("a")), "Timestamp": "2022-01-01"}).encode()
    assert [one.name for one in parse(wrapped).packages] == ["a"]


def test_a_byte_order_mark_does_not_matter() -> None:
    assert parse(b"\xef\xbb\xbf" + raw(package("a"))).packages[0].name == "a"


def test_one_package_of_a_wrong_type_does_not_cost_the_others() -> None:
    body = document(package("a"), package("b"))
    body["packages"].insert(1, "not an object")
    body["packages"].append(package("c", versionInfo=["no", "text"]))
    found = parse(json.dumps(body).encode())
    assert [one.name for one in found.packages] == ["a", "b", "c"]
    assert findings(found) == {"package that is not an object": 1, "package: versionInfo has a wrong type": 1}


def test_a_number_where_text_belongs_is_kept_as_text() -> None:
    assert parse(raw(package("a", versionInfo=7))).packages[0].version == "7"


def test_the_good_items_of_a_list_are_kept() -> None:
    checksum = {"algorithm": "SHA256", "checksumValue": "ab"}
    found = parse(raw(package("a", checksums=[checksum, 1, {"algorithm": []}])))
    assert found.packages[0].checksums == (Checksum("SHA256", "ab"),)


def test_packages_that_are_no_list_are_a_finding() -> None:
    found = parse(json.dumps(document() | {"packages": {"a": 1}}).encode())
    assert found.packages == ()
    assert findings(found) == {"packages is not a list": 1}


def test_nul_and_lone_surrogates_are_shown_escaped() -> None:
    body = document(package("a")) | {"name": "x\0y"}
    text = json.dumps(body).replace('"a"', r'"\ud800z"')
    found = parse(text.encode())
    assert found.name == r"x\u0000y"
    assert found.packages[0].name == r"\ud800z"


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse(json.dumps(document(package("a")) | {"name": "😀"}).encode()).name == "😀"


def test_a_sha1_of_forty_zeros_is_no_checksum() -> None:
    zeros = {"algorithm": "SHA1", "checksumValue": "0" * 40}
    file = {"SPDXID": "SPDXRef-f", "fileName": "/f", "checksums": [zeros]}
    found = parse(raw(package("a", checksums=[zeros]), files=[file]))
    assert found.packages[0].checksums == ()
    assert found.files[0].checksums == ()


def test_a_checksum_is_lower_case_hex_with_the_specifications_name() -> None:
    found = parse(raw(package("a", checksums=[{"algorithm": "SHA3-256", "checksumValue": "AB"}])))
    assert found.packages[0].checksums == (Checksum("SHA3_256", "ab"),)


@pytest.mark.parametrize(
    ("declared", "concluded", "meant"),
    [
        ("MIT", "NOASSERTION", "MIT"),
        ("NOASSERTION", "Apache-2.0", "Apache-2.0"),
        ("NONE", "NOASSERTION", ""),
        ("(gpl-2.0+ or mit)", "", "GPL-2.0-or-later OR MIT"),
        ("MIT, BSD", "", "MIT, BSD"),
    ],
)
def test_the_licence_is_the_declared_one_else_the_concluded(declared: str, concluded: str, meant: str) -> None:
    one = parse(raw(package("a", licenseDeclared=declared, licenseConcluded=concluded))).packages[0]
    assert (one.license, one.license_declared, one.license_concluded) == (meant, declared, concluded)


def test_text_that_is_no_licence_expression_is_kept_and_noted() -> None:
    found = parse(raw(package("a", licenseDeclared="MIT, BSD")))
    assert findings(found) == {"licence that is not an SPDX expression": 1}


def test_dependency_of_is_depends_on_the_other_way_round() -> None:
    found = parse(raw(package("a"), package("b"), relationships=[related("a", "DEPENDENCY_OF", "b")]))
    assert ("b", "DEPENDS_ON", "a") in edges(found)


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        (("a", "CONTAINED_BY", "b"), ("b", "CONTAINS", "a")),
        (("a", "GENERATES", "b"), ("b", "GENERATED_FROM", "a")),
        (("a", "PREREQUISITE_FOR", "b"), ("b", "HAS_PREREQUISITE", "a")),
        (("a", "DESCRIBED_BY", "DOCUMENT"), ("DOCUMENT", "DESCRIBES", "a")),
        (("a", "DESCRIBED_BY", "b"), ("a", "DESCRIBED_BY", "b")),
        (("DOCUMENT", "DESCRIBE", "a"), ("DOCUMENT", "DESCRIBES", "a")),
        (("a", "OTHER", "b"), ("a", "OTHER", "b")),
        (("a", "INVENTED_BY", "b"), ("a", "OTHER", "b")),
    ],
)
def test_inverse_and_misspelt_types_become_one(stated: tuple[str, str, str], kept: tuple[str, str, str]) -> None:
    assert kept in edges(parse(raw(package("a"), package("b"), relationships=[related(*stated)])))


def test_document_describes_and_has_files_are_relationships_once() -> None:
    found = parse(
        raw(
            package("a", hasFiles=["SPDXRef-f", "SPDXRef-f"]),
            files=[{"SPDXID": "SPDXRef-f", "fileName": "/f"}],
            documentDescribes=["SPDXRef-a", "SPDXRef-a"],
            relationships=[related("f", "CONTAINED_BY", "a"), related("DOCUMENT", "DESCRIBES", "a")],
        )
    )
    assert edges(found) == {("DOCUMENT", "DESCRIBES", "a"), ("a", "CONTAINS", "f")}
    assert len(found.graph.source) == 2
    assert found.described == (0,)


@pytest.mark.parametrize("packages", [[], [package("a")]])
def test_a_document_that_describes_itself_describes_nothing(packages: list[dict[str, Any]]) -> None:
    found = parse(raw(*packages, relationships=[related("DOCUMENT", "DESCRIBES", "DOCUMENT")]))
    assert found.described == ()


def test_ends_that_the_document_does_not_have_are_noted() -> None:
    ends = [
        related("a", "CONTAINS", "gone"),
        related("a", "CONTAINS", "a") | {"relatedSpdxElement": "NOASSERTION"},
        related("a", "CONTAINS", "a") | {"relatedSpdxElement": "DocumentRef-x:SPDXRef-y"},
    ]
    found = parse(raw(package("a"), relationships=ends, documentDescribes=["SPDXRef-nobody"]))
    assert findings(found) == {
        "relationship to an element that the document does not have": 1,
        "relationship to NOASSERTION or NONE": 1,
        "relationship to an element of another document": 1,
        "documentDescribes an element that the document does not have": 1,
    }


def test_of_two_elements_with_one_spdxid_both_are_kept_and_relationships_mean_the_first() -> None:
    first, second = package("a", versionInfo="1"), package("a", versionInfo="2")
    found = parse(raw(first, second, package("b"), relationships=[related("b", "DEPENDS_ON", "a")]))
    assert [one.version for one in found.packages] == ["1", "2", ""]
    assert findings(found) == {"SPDXID used twice": 1}
    depends_on = DEPENDS_ON
    assert [
        target for kind, target in zip(found.graph.type, found.graph.target, strict=True) if kind == depends_on
    ] == [0]


def test_beyond_the_limits_the_rest_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_PACKAGES", 2)
    found = parse(raw(*(package(name) for name in "abc")))
    assert [one.name for one in found.packages] == ["a", "b"]
    assert found.truncated == "This document is larger than what is indexed: 1 of 3 packages are left out."


def test_within_the_limits_nothing_is_said_to_be_left_out() -> None:
    assert parse(raw(package("a"))).truncated == ""


@pytest.mark.parametrize(
    ("creator", "name"),
    [
        ("Tool: apko (v1.2.14)", "apko 1.2.14"),
        ("Tool: apko (v0.27.9+dirty)", "apko 0.27.9+dirty"),
        ("Tool: apko (devel)", "apko devel"),
        ("Tool: syft-1.57.0", "syft 1.57.0"),
        ("Tool: syft-[not provided]", "syft"),
        ("Tool: trivy", "trivy"),
        ("Organization: Somebody", ""),
    ],
)
def test_the_generator_is_the_first_tool_with_its_version(creator: str, name: str) -> None:
    creation = {"created": "2026-07-16T08:08:01Z", "creators": ["Organization: Chainguard, Inc", creator]}
    assert parse(raw(creationInfo=creation)).generator == name


_INNER_KEYS = (
    *("SPDXID", "name", "versionInfo", "externalRefs", "referenceType", "referenceLocator", "checksums", "algorithm"),
    *("checksumValue", "hasFiles", "licenseDeclared", "spdxElementId", "relationshipType", "relatedSpdxElement"),
    *("created", "creators"),
)
_OUTER_KEYS = (
    *("packages", "files", "relationships", "documentDescribes", "creationInfo", "hasExtractedLicensingInfos"),
    *("name", "SPDXID"),
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=6) | st.just("SPDXRef-a"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_INNER_KEYS), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(_OUTER_KEYS), _json))
def test_whatever_stands_where_packages_belong_gives_storable_rows(body: dict[str, Any]) -> None:
    found = parse(json.dumps({"spdxVersion": "SPDX-2.3", **body}).encode())
    assert isinstance(found, Document)
    for one in found.packages:
        assert all("\0" not in text for text in (one.name, one.version, one.purl))
        (one.name + one.version + one.supplier).encode()
        assert isinstance(one.role, Role)
    elements = len(found.packages) + len(found.files)
    assert all(-1 <= end < elements for end in (*found.graph.source, *found.graph.target))
