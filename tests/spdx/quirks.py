"""What generators really write that the specification does not allow, or that spdx-tools refuses: one quirk each.

A quirk brings its own element, so that any number of them make one document and none hides another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.spdx.documents import document, package, related

PURL = "pkg:apk/wolfi/good@1.0-r0?arch=x86_64"
ZEROS = {"algorithm": "SHA1", "checksumValue": "0" * 40}
SHA256 = {"algorithm": "SHA256", "checksumValue": "ab" * 32}
MISSING: Any = object()  # the field is left out


class Quirk(msgspec.Struct, frozen=True):
    """A field with an odd value: of a package, a file, a relationship, an extracted licence, or the heading."""

    of: str
    field: str
    value: Any
    finding: str = ""  # our class of it; "" for what only spdx-tools minds, or nobody

    def __repr__(self) -> str:
        shown = "missing" if self.value is MISSING else ascii(self.value)[:60]
        return f"{self.of}.{self.field}={shown}"


def _all(of: str, field: str, *values: Any, finding: str = "") -> list[Quirk]:
    return [Quirk(of, field, value, finding) for value in values]


def _wrong(of: str, field: str, *values: Any) -> list[Quirk]:
    return _all(of, field, *values, finding=f"{of}: {field} has a wrong type")


_NO_ACTOR = "that is no person, organisation or tool"
_NO_EXPRESSION = "licence that is not an SPDX expression"
_NOWHERE = "relationship to an element that the document does not have"
_NO_DATE = "created is not a date as SPDX writes it"
_EXTERNAL = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}

PACKAGE = [
    *_all("package", "name", MISSING, None, "", finding="package without a name"),
    *_all("package", "name", "a\0b", "\ud800", "\x08\x0c", "é👩‍👧", "x" * 5000),
    *_all("package", "SPDXID", MISSING, None, "", finding="element without an SPDXID"),
    *_all("package", "SPDXID", "SPDXRef-a/b c", "a", "SPDXRef-\0"),
    *_all("package", "downloadLocation", MISSING, None, "", "not a url", "NONE"),
    *_all("package", "versionInfo", MISSING, None, "", " 1 ", "1.0\n", "999" * 400),
    *_wrong("package", "versionInfo", ["1"], {}, True, 7),
    *_all("package", "supplier", MISSING, None, "", "NOASSERTION", "Organization: Wolfi ()"),
    *_all("package", "supplier", "ACME", "Organization:", "Person", " ", finding=f"supplier {_NO_ACTOR}"),
    *_all("package", "originator", "a@b.example", "Company: X", finding=f"originator {_NO_ACTOR}"),
    *_wrong("package", "originator", {}, ["Person: a"]),
    *_all("package", "licenseDeclared", MISSING, None, "", "NONE", "NOASSERTION", "LicenseRef-gone", "gpl-2.0+"),
    *_all("package", "licenseDeclared", "MIT, BSD", "(MIT", "BSD and", "MIT OR",
          finding=_NO_EXPRESSION),
    *_all("package", "licenseConcluded", "GPL v2 or later, see file", finding=_NO_EXPRESSION),
    *_wrong("package", "licenseConcluded", ["MIT"], 2),
    *_all("package", "checksums", MISSING, None, [], [ZEROS], [SHA256 | {"checksumValue": ""}], [SHA256, SHA256]),
    *_all("package", "checksums", [{"algorithm": "SHA-0", "checksumValue": "ab"}], [{"checksumValue": "ab"}],
          finding="checksum of an unknown algorithm"),
    *_wrong("package", "checksums", "abc", {}, [None], [SHA256, 7]),
    *_all("package", "externalRefs", None, [], [{}], [_EXTERNAL], [{"referenceLocator": "x"}],
          [{"referenceCategory": "PACKAGE_MANAGER", "referenceType": "purl", "referenceLocator": "pkg:alpine/a@1"}],
          [{"referenceCategory": "ODD", "referenceType": "x", "referenceLocator": "y"}]),
    *_all("package", "externalRefs", [_EXTERNAL | {"referenceLocator": "pkg:"}],
          [_EXTERNAL | {"referenceLocator": "nonsense"}], finding="package URL that cannot be read"),
    *_wrong("package", "externalRefs", {}, "pkg:a/b@1", [None], [_EXTERNAL | {"referenceLocator": 1}]),
    *_all("package", "hasFiles", None, [], ["SPDXRef-file"]),
    *_all("package", "hasFiles", ["SPDXRef-gone"], finding="hasFiles names an element that the document does not have"),
    *_wrong("package", "hasFiles", "SPDXRef-file", [None], {}),
    *_all("package", "primaryPackagePurpose", "ODD", "", None, "container"),
    *_wrong("package", "primaryPackagePurpose", [], 1),
    *_all("package", "filesAnalyzed", "false", None, 1),
    *_all("package", "packageVerificationCode", {}, None, {"packageVerificationCodeValue": "x"}),
    *_all("package", "attributionTexts", "one", None, ["a", "b"]),
    *_all("package", "annotations", None, [], [{"annotator": "ACME", "annotationDate": "never"}]),
    *_all("package", "copyrightText", MISSING, None, "", "NOASSERTION"),
    *_all("package", "builtDate", "2026-07-16", "", None),
    *_all("package", "homepage", "", "not a url", None),
    *_all("package", "comment", "\0", "\udfff", "two\r\nlines"),
    *_all("package", "fieldOfTheFuture", {"a": [1, None]}),
]  # fmt: skip
FILE = [
    *_all("file", "checksums", MISSING, None, [], [ZEROS]),  # syft writes files that it did not read
    *_wrong("file", "checksums", {}, "ab"),
    *_all("file", "fileName", MISSING, None, "", "/a\0", "\ud800"),
    *_wrong("file", "fileName", [], {}),
    *_all("file", "SPDXID", MISSING, "", finding="element without an SPDXID"),
    *_all("file", "licenseConcluded", MISSING, None, "", "MIT, BSD"),
    *_all("file", "licenseInfoInFiles", None, ["MIT, BSD"], "MIT"),
    *_all("file", "copyrightText", MISSING, None),
]
RELATIONSHIP = [
    *_all("relationship", "relationshipType", "FRIEND_OF", "", "IMPLIED_CONTAINS",
          finding="relationship of an unknown type, kept as OTHER"),
    *_all("relationship", "relationshipType", "DESCRIBE", finding="relationship type spelt wrongly"),  # trivy
    *_all("relationship", "relationshipType", "contains", "DEPENDS-ON", "OTHER", "DEPENDENCY_OF"),
    *_all("relationship", "relationshipType", MISSING, None, finding="relationship without a type"),
    *_wrong("relationship", "relationshipType", [], {}),
    *_all("relationship", "relatedSpdxElement", "SPDXRef-gone", "", MISSING, None, finding=_NOWHERE),
    *_all("relationship", "spdxElementId", "SPDXRef-gone", finding=_NOWHERE),
    *_all("relationship", "relatedSpdxElement", "NOASSERTION", "NONE", finding="relationship to NOASSERTION or NONE"),
    *_all("relationship", "relatedSpdxElement", "DocumentRef-other:SPDXRef-x",
          finding="relationship to an element of another document"),
    *_all("relationship", "relatedSpdxElement", "SPDXRef-DOCUMENT", "SPDXRef-good", "SPDXRef-file"),
    *_all("relationship", "comment", "", None, "ownership-by-file-overlap"),
]  # fmt: skip
LICENSE = [
    *_all("extracted licence", "extractedText", MISSING, None, "", "\0", "x" * 3000),
    *_wrong("extracted licence", "extractedText", [], {}),
    *_all("extracted licence", "licenseId", MISSING, None, "MIT", "LicenseRef a"),
    *_all("extracted licence", "name", MISSING, "NOASSERTION", "\ud800"),
    *_all("extracted licence", "seeAlsos", None, "https://a.example", ["x"]),
]
HEADING = [
    *_all("heading", "created", "2026-07-16T08:08:01.123456Z", "2026-07-16", "", MISSING, None, finding=_NO_DATE),
    *_all("heading", "created", 7, [], finding="creationInfo: created has a wrong type"),
    *_all("heading", "creators", ["apko"], ["Tool:"], ["Person: a", "Robot: b"], finding=f"creator {_NO_ACTOR}"),
    *_all("heading", "creators", MISSING, None, [], ["Tool: syft-[not provided]"]),
    *_all("heading", "creators", {}, [7], finding="creationInfo: creators has a wrong type"),
    *_all("heading", "creationInfo", MISSING, None, finding=_NO_DATE),
    *_all("heading", "creationInfo", [], "me", finding="document: creationInfo has a wrong type"),
    *_all("heading", "spdxVersion", "2.3", "", "SPDX-9", finding="spdxVersion is not SPDX-2.x"),
    *_all("heading", "spdxVersion", "SPDX-2.0", "SPDX-2.1", "SPDX-2.2", "SPDX-2.99"),
    *_all("heading", "spdxVersion", 2.3, finding="document: spdxVersion has a wrong type"),
    *_all("heading", "SPDXID", MISSING, None, ""),
    *_all("heading", "name", MISSING, None, "", "a\0", "\ud800"),
    *_all("heading", "documentNamespace", MISSING, None, "", "no uri", "https://a.example/#b"),
    *_all("heading", "dataLicense", MISSING, None, "MIT"),
    *_all("heading", "documentDescribes", None, [], ["SPDXRef-good"]),
    *_all("heading", "documentDescribes", ["SPDXRef-gone"],
          finding="documentDescribes an element that the document does not have"),
    *_all("heading", "documentDescribes", "SPDXRef-good", finding="document: documentDescribes has a wrong type"),
    *_all("heading", "annotations", None, [], "x", [{"annotationType": "ODD"}]),
    *_all("heading", "externalDocumentRefs", None, [], [{}], "x"),
    *_all("heading", "snippets", None, [], [{}]),
    *_all("heading", "revieweds", [], None),
    *_all("heading", "files", None, MISSING),
    *_all("heading", "relationships", None, MISSING),
]  # fmt: skip
LISTED = [
    Quirk("packages", "", 7, "package that is not an object"),
    Quirk("packages", "", "SPDXRef-x", "package that is not an object"),
    Quirk("files", "", None, "file that is not an object"),
    Quirk("relationships", "", [], "relationship that is not an object"),
    Quirk("packages", "", {"SPDXID": "SPDXRef-good", "name": "twin"}, "SPDXID used twice"),
    Quirk("files", "", {"SPDXID": "SPDXRef-good", "fileName": "/twin"}, "SPDXID used twice"),
    Quirk("relationships", "", related("DOCUMENT", "DESCRIBES", "good")),  # a second time
]
QUIRKS = [*PACKAGE, *FILE, *RELATIONSHIP, *LICENSE, *HEADING, *LISTED]

_LISTS = {
    "package": "packages", "file": "files", "relationship": "relationships",
    "extracted licence": "hasExtractedLicensingInfos",
}  # fmt: skip


def made(quirks: Sequence[Quirk]) -> dict[str, Any]:
    """A valid document with one package, one file and one relationship, and an element for each quirk."""
    file = {"SPDXID": "SPDXRef-file", "fileName": "./file", "checksums": [ZEROS | {"checksumValue": "cd" * 20}]}
    tree = document(
        package("good", PURL),
        files=[file],
        relationships=[related("DOCUMENT", "DESCRIBES", "good")],
        hasExtractedLicensingInfos=[],
    )
    for number, quirk in enumerate(quirks):
        if quirk.of in _LISTS:
            tree[_LISTS[quirk.of]].append(_with(_element(quirk.of, number), quirk))
        elif quirk.of != "heading":
            tree[quirk.of].append(quirk.value)
    for quirk in sorted((one for one in quirks if one.of == "heading"), key=lambda one: one.field == "creationInfo"):
        _with(tree["creationInfo"] if quirk.field in ("created", "creators") else tree, quirk)
    return tree


def _element(of: str, number: int) -> dict[str, Any]:
    if of == "package":
        return package(f"quirk-{number}", f"pkg:apk/wolfi/quirk-{number}@1.0-r0")
    if of == "file":
        sums = [{"algorithm": "SHA1", "checksumValue": "ef" * 20}]
        return {"SPDXID": f"SPDXRef-file-{number}", "fileName": f"./{number}", "checksums": sums}
    if of == "relationship":
        return related("good", "DEPENDS_ON", "good")
    return {"licenseId": f"LicenseRef-{number}", "name": "Acme", "extractedText": "Do as you like."}


def _with(element: dict[str, Any], quirk: Quirk) -> dict[str, Any]:
    element.pop(quirk.field, None)
    if quirk.value is not MISSING:
        element[quirk.field] = quirk.value
    return element


def _one_a_place(quirks: list[Quirk]) -> list[Quirk]:
    """Fields of the heading are there once; nothing can be odd inside of what is odd itself."""
    whole = {one.field for one in quirks if one.of == "heading"}
    hidden = {"files": "file", "relationships": "relationship"}
    out = {kind for field, kind in hidden.items() if field in whole} | {field for field in hidden if field in whole}
    seen: set[str] = set()
    kept = []
    for one in quirks:
        if one.of in out or (one.of == "heading" and one.field in seen):
            continue
        if one.of == "heading":
            if one.field in ("created", "creators") and "creationInfo" in whole:
                continue
            seen.add(one.field)
        kept.append(one)
    return kept


documents = st.lists(st.sampled_from(QUIRKS), min_size=1, max_size=8).map(_one_a_place)


def raw(quirks: Sequence[Quirk]) -> bytes:
    return json.dumps(made(quirks)).encode()
