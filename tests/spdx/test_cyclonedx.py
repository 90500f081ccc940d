"""CycloneDX documents become the same rows as SPDX documents of the same thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cgexplorer.spdx.convert import media_type, parse_any
from cgexplorer.spdx.document import (
    CONTAINS,
    DEPENDS_ON,
    DESCRIBES,
    IMPLIED_CONTAINS,
    THE_DOCUMENT,
    Checksum,
    Document,
    NotIndexable,
    Package,
    Role,
)
from cgexplorer.spdx.parse import parse

OPENSSL = {"bom-ref": "o", "type": "library", "name": "openssl", "version": "3.3.1-r0"}
OPENSSL |= {"purl": "pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64"}


def bom(*components: Any, **more: Any) -> Document:
    body = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(components), **more}
    return parse(json.dumps(body).encode())


def only(component: dict[str, Any]) -> Package:
    (package,) = bom({"name": "thing", "type": "library", **component}).packages
    return package


def edges(document: Document, kind: int) -> set[tuple[int, int]]:
    graph = document.graph
    return {(s, t) for s, k, t in zip(graph.source, graph.type, graph.target, strict=True) if k == kind}


def classes(document: Document) -> list[str]:
    return [finding.what for finding in document.findings]


def test_a_component_is_a_package_by_its_purl() -> None:
    package = only(OPENSSL)
    assert (package.role, package.ecosystem, package.namespace, package.version, package.arch) == (
        Role.INSTALLED,
        "apk",
        "wolfi",
        "3.3.1-r0",
        "x86_64",
    )


def test_the_document_says_what_it_is_and_who_wrote_it() -> None:
    metadata = {
        "timestamp": "2026-01-01T00:00:00+01:00",
        "tools": {"components": [{"name": "syft", "version": "1.57.0", "type": "application"}]},
        "authors": [{"name": "Ann", "email": "ann@example.com"}],
        "component": {"type": "container", "name": "acme/app", "version": "sha256:abc"},
    }
    document = bom(OPENSSL, metadata=metadata, serialNumber="urn:uuid:1")
    assert (document.format, document.spec_version, document.name) == ("cyclonedx", "CycloneDX-1.6", "acme/app")
    assert (document.namespace, document.created) == ("urn:uuid:1", "2026-01-01T00:00:00+01:00")
    assert document.creators == ("Tool: syft-1.57.0", "Person: Ann (ann@example.com)")
    assert document.generator == "syft 1.57.0"


def test_tools_may_be_a_list_as_before_version_1_5() -> None:
    assert bom(metadata={"tools": [{"vendor": "x", "name": "trivy", "version": "0.40.0"}]}).generator == "trivy 0.40.0"


def test_the_described_container_is_the_image_and_holds_what_nothing_else_holds() -> None:
    document = bom(OPENSSL, metadata={"component": {"bom-ref": "i", "type": "container", "name": "app"}})
    assert document.packages[0].role is Role.IMAGE
    assert edges(document, DESCRIBES) == {(THE_DOCUMENT, 0)}
    assert edges(document, IMPLIED_CONTAINS) == {(0, 1)}


def test_dependencies_are_edges() -> None:
    other = {"bom-ref": "m", "type": "library", "name": "musl", "purl": "pkg:apk/wolfi/musl@1"}
    document = bom(OPENSSL, other, dependencies=[{"ref": "o", "dependsOn": ["m"]}, {"ref": "m"}])
    assert edges(document, DEPENDS_ON) == {(0, 1)}


def test_a_dependency_on_nothing_known_is_noted_and_costs_nothing_else() -> None:
    document = bom(OPENSSL, dependencies=[{"ref": "o", "dependsOn": ["gone"]}])
    assert classes(document) == ["relationship to an element that the document does not have"]


def test_components_within_components_are_contained() -> None:
    document = bom({"type": "application", "name": "jar", "version": "1", "components": [OPENSSL]})
    assert [package.name for package in document.packages] == ["jar", "openssl"]
    assert edges(document, CONTAINS) == {(0, 1)}


def test_a_component_without_a_bom_ref_is_known_by_its_place() -> None:
    inner = {"type": "library", "name": "inner"}
    document = bom({"type": "library", "name": "outer", "components": [inner]})
    assert [package.spdx_id for package in document.packages] == ["#/components/0", "#/components/0/components/0"]
    assert document.findings == ()


def test_a_bom_ref_used_twice_is_noted() -> None:
    assert classes(bom(OPENSSL, {**OPENSSL, "version": "9", "purl": None})) == ["bom-ref used twice"]


def test_a_file_is_a_file() -> None:
    document = bom({"type": "file", "name": "/bin/x", "hashes": [{"alg": "SHA-256", "content": "AB"}]})
    assert document.packages == ()
    assert [(file.name, file.checksums) for file in document.files] == [("/bin/x", (Checksum("SHA256", "ab"),))]


@pytest.mark.parametrize(
    ("alg", "algorithm"), [("SHA-1", "SHA1"), ("SHA3-256", "SHA3_256"), ("BLAKE2b-256", "BLAKE2B_256"), ("MD5", "MD5")]
)
def test_hashes_have_the_names_that_spdx_gives_them(alg: str, algorithm: str) -> None:
    assert only({"hashes": [{"alg": alg, "content": "ab"}]}).checksums == (Checksum(algorithm, "ab"),)


@pytest.mark.parametrize(
    ("licenses", "declared", "concluded"),
    [
        ([{"license": {"id": "MIT"}}], "MIT", ""),
        ([{"expression": "MIT OR Apache-2.0"}], "MIT OR Apache-2.0", ""),
        ([{"license": {"id": "MIT"}}, {"license": {"id": "BSD-3-Clause"}}], "MIT AND BSD-3-Clause", ""),
        ([{"expression": "MIT OR ISC"}, {"license": {"id": "Zlib"}}], "(MIT OR ISC) AND Zlib", ""),
        ([{"license": {"id": "MIT", "acknowledgement": "concluded"}}], "", "MIT"),
        ([{"license": {"name": "Apache-2.0"}}], "Apache-2.0", ""),
        ([{"license": {"name": "Acme's own, v2"}}], "LicenseRef-Acme-s-own-v2", ""),
        ([{"license": {"name": "???"}}], "LicenseRef-unnamed", ""),
        ([{}], "", ""),
    ],
)
def test_licences_become_expressions(licenses: list[Any], declared: str, concluded: str) -> None:
    package = only({"licenses": licenses})
    assert (package.license_declared, package.license_concluded) == (declared, concluded)


def test_the_text_of_a_licence_that_spdx_does_not_know_is_kept() -> None:
    licence = {"license": {"name": "Acme", "text": {"content": "Do as you like."}}}
    (text,) = bom({"name": "a", "type": "library", "licenses": [licence]}).extracted_licenses
    assert (text.license_id, text.name, text.text) == ("LicenseRef-Acme", "Acme", "Do as you like.")


def test_all_that_identifies_a_package_is_kept() -> None:
    package = only(
        {
            "group": "org.acme",
            "supplier": {"name": "Acme"},
            "author": "Ann <ann@example.com>",
            "cpe": "cpe:2.3:a:acme:thing:1:*:*:*:*:*:*:*",
            "description": "A thing.",
            "scope": "optional",
            "externalReferences": [
                {"type": "website", "url": "https://acme.example"},
                {"type": "distribution", "url": "https://acme.example/thing.tgz"},
            ],
            "properties": [{"name": "syft:cpe23", "value": "cpe:2.3:a:thing:thing:1:*:*:*:*:*:*:*"}],
        }
    )
    assert package.name == "org.acme/thing"
    assert (package.supplier, package.originator) == ("Organization: Acme", "Person: Ann (ann@example.com)")
    assert len(package.cpes) == 2
    assert (package.homepage, package.download_location) == ("https://acme.example", "https://acme.example/thing.tgz")
    assert (package.summary, package.comment) == ("A thing.", "scope: optional")


def test_trivys_source_package_is_what_it_was_built_from() -> None:
    properties = [
        {"name": "aquasecurity:trivy:SrcName", "value": "openssl"},
        {"name": "aquasecurity:trivy:SrcVersion", "value": "1.1.1n"},
    ]
    assert only({"purl": "pkg:deb/debian/libssl1.1@1.1.1n", "properties": properties}).built_from == "openssl"


def test_a_lock_file_is_no_software() -> None:
    assert only({"type": "application", "name": "go.mod"}).role is Role.FILE


def test_one_bad_field_does_not_cost_the_component_nor_its_children() -> None:
    document = bom({"name": "outer", "type": "library", "version": ["no"], "components": [7, OPENSSL]}, "junk")
    assert [package.name for package in document.packages] == ["outer", "openssl"]
    assert classes(document) == ["component that is not an object", "component: version has a wrong type"]


def test_bad_metadata_do_not_cost_the_components() -> None:
    assert [package.name for package in bom(OPENSSL, metadata=["no"]).packages] == ["openssl"]


def test_nul_and_half_characters_can_be_stored() -> None:
    body = rb'{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"a\u0000\ud800"}]}'
    assert parse(body).packages[0].name == "a\\u0000\\ud800"


def test_services_are_noted_because_they_are_no_packages() -> None:
    assert "service, which is no package" in classes(bom(services=[{"name": "api"}]))


def test_a_document_that_calls_itself_both_is_read_as_spdx() -> None:
    body = b'{"bomFormat": "CycloneDX", "spdxVersion": "SPDX-2.3", "packages": [{"SPDXID": "SPDXRef-a", "name": "a"}]}'
    assert parse(body).format == "spdx"


def test_xml_gives_the_same_packages_as_json() -> None:
    xml = (
        b'<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1"><components>'
        b'<component type="library" bom-ref="o"><name>openssl</name><version>3.3.1-r0</version>'
        b"<licenses><license><id>Apache-2.0</id></license></licenses>"
        b"<purl>pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64</purl></component></components></bom>"
    )
    json_package = only({**OPENSSL, "licenses": [{"license": {"id": "Apache-2.0"}}]})
    assert parse_any(xml).packages == (json_package,)
    assert media_type(xml) == "application/vnd.cyclonedx+xml"


def test_xml_that_declares_entities_is_refused() -> None:
    xml = b'<!DOCTYPE bom [<!ENTITY a "b">]><bom xmlns="http://cyclonedx.org/schema/bom/1.6"/>'
    with pytest.raises(NotIndexable, match="entities"):
        parse_any(xml)


def test_xml_that_cannot_be_read_says_why() -> None:
    with pytest.raises(NotIndexable, match="cyclonedx-xml document cannot be read"):
        parse_any(b'<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components>')


SCANS = Path(__file__).parents[3] / "shared" / "data" / "sboms-of-tools"


@pytest.mark.skipif(not SCANS.is_dir(), reason="the real documents are not beside this checkout")
@pytest.mark.parametrize("scan", ["cosign-2.6.5", "cosign-3.1.3", "crane-0.22.1", "syft-1.57.0"])
def test_both_formats_of_a_real_scan_give_equal_rows(scan: str) -> None:
    spdx = parse((SCANS / f"{scan}.spdx.json").read_bytes())
    cyclonedx = parse((SCANS / f"{scan}.cdx.json").read_bytes())
    assert _rows(spdx) == _rows(cyclonedx)
    assert _dependencies(spdx) == _dependencies(cyclonedx)
    assert spdx.findings == cyclonedx.findings == ()


def _rows(document: Document) -> dict[tuple[str, str], Package]:
    """Without what syft 1.57 writes into one format only; the test below says that it does."""
    rows = {}
    for package in document.packages:
        silent = {field: "" for field in MAY_BE_SILENT if getattr(package, field) == "NOASSERTION"}
        root = {"checksums": ()} if package.role is Role.FILE else {}
        rows[package.purl, package.name] = msgspec.structs.replace(package, spdx_id="", **silent, **root)
    return rows


MAY_BE_SILENT = ("license_declared", "license_concluded", "supplier", "originator", "download_location")


@pytest.mark.skipif(not SCANS.is_dir(), reason="the real documents are not beside this checkout")
def test_the_formats_of_a_real_scan_differ_in_three_things() -> None:
    spdx, cyclonedx = (parse((SCANS / f"crane-0.22.1.{form}.json").read_bytes()) for form in ("spdx", "cdx"))
    # Each has identifiers of its own.
    assert {one.spdx_id for one in spdx.packages}.isdisjoint(one.spdx_id for one in cyclonedx.packages)
    # NOASSERTION is how SPDX says nothing; CycloneDX says nothing by saying nothing.
    silent = {field for field in MAY_BE_SILENT for one in spdx.packages if getattr(one, field) == "NOASSERTION"}
    assert silent
    said = [getattr(one, field) for field in MAY_BE_SILENT for one in cyclonedx.packages]
    assert "NOASSERTION" not in said
    # SPDX repeats the checksum of the scanned file at the package that stands for it.
    (theirs,), (ours,) = ([one for one in document.packages if one.role is Role.FILE] for document in (cyclonedx, spdx))
    assert ours.checksums
    assert theirs.checksums == ()


def _dependencies(document: Document) -> set[tuple[str, str]]:
    return {(document.packages[s].purl, document.packages[t].purl) for s, t in edges(document, DEPENDS_ON)}
