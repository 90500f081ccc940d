from __future__ import annotations

import json

import pytest

from cgexplorer.spdx.convert import Format, parse_any, sniff
from cgexplorer.spdx.document import NotIndexable, Role
from tests.spdx.documents import document, edges, package, related

TAG_VALUE = b"""SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: example
DocumentNamespace: https://example.test/document
Creator: Tool: example-1.0
Created: 2026-07-16T08:08:01Z

PackageName: openssl
SPDXID: SPDXRef-a
PackageVersion: 3.3.1-r0
PackageDownloadLocation: NOASSERTION
FilesAnalyzed: false
ExternalRef: PACKAGE-MANAGER purl pkg:apk/wolfi/openssl@3.3.1-r0
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-a
"""

YAML = b"""spdxVersion: "SPDX-2.3"
SPDXID: "SPDXRef-DOCUMENT"
name: example
dataLicense: CC0-1.0
documentNamespace: https://example.test/document
creationInfo: {created: "2026-07-16T08:08:01Z", creators: ["Tool: example-1.0"]}
packages:
- {SPDXID: SPDXRef-a, name: openssl, versionInfo: 3.3.1-r0, downloadLocation: NOASSERTION, filesAnalyzed: false,
   externalRefs: [{referenceCategory: PACKAGE-MANAGER, referenceType: purl,
                   referenceLocator: "pkg:apk/wolfi/openssl@3.3.1-r0"}]}
relationships:
- {spdxElementId: SPDXRef-DOCUMENT, relationshipType: DESCRIBES, relatedSpdxElement: SPDXRef-a}
"""

XML = b"""<?xml version="1.0"?><Document><spdxVersion>SPDX-2.3</spdxVersion><SPDXID>SPDXRef-DOCUMENT</SPDXID>
<name>example</name><dataLicense>CC0-1.0</dataLicense>
<documentNamespace>https://example.test/document</documentNamespace>
<creationInfo><created>2026-07-16T08:08:01Z</created><creators>Tool: example-1.0</creators></creationInfo>
<packages><SPDXID>SPDXRef-a</SPDXID><name>openssl</name><versionInfo>3.3.1-r0</versionInfo>
<downloadLocation>NOASSERTION</downloadLocation><filesAnalyzed>false</filesAnalyzed>
<externalRefs><referenceCategory>PACKAGE-MANAGER</referenceCategory><referenceType>purl</referenceType>
<referenceLocator>pkg:apk/wolfi/openssl@3.3.1-r0</referenceLocator></externalRefs></packages>
<relationships><spdxElementId>SPDXRef-DOCUMENT</spdxElementId><relationshipType>DESCRIBES</relationshipType>
<relatedSpdxElement>SPDXRef-a</relatedSpdxElement></relationships></Document>
"""

RDF = b"""<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:spdx="http://spdx.org/rdf/terms#">
 <spdx:SpdxDocument rdf:about="https://example.test/document#SPDXRef-DOCUMENT">
  <spdx:specVersion>SPDX-2.3</spdx:specVersion><spdx:name>example</spdx:name>
  <spdx:dataLicense rdf:resource="http://spdx.org/licenses/CC0-1.0"/>
  <spdx:creationInfo><spdx:CreationInfo><spdx:created>2026-07-16T08:08:01Z</spdx:created>
   <spdx:creator>Tool: example-1.0</spdx:creator></spdx:CreationInfo></spdx:creationInfo>
  <spdx:relationship><spdx:Relationship>
   <spdx:relationshipType rdf:resource="http://spdx.org/rdf/terms#relationshipType_describes"/>
   <spdx:relatedSpdxElement><spdx:Package rdf:about="https://example.test/document#SPDXRef-a">
    <spdx:name>openssl</spdx:name><spdx:versionInfo>3.3.1-r0</spdx:versionInfo>
    <spdx:downloadLocation rdf:resource="http://spdx.org/rdf/terms#noassertion"/>
    <spdx:filesAnalyzed>false</spdx:filesAnalyzed>
    <spdx:externalRef><spdx:ExternalRef>
     <spdx:referenceCategory rdf:resource="http://spdx.org/rdf/terms#referenceCategory_packageManager"/>
     <spdx:referenceType rdf:resource="http://spdx.org/rdf/references/purl"/>
     <spdx:referenceLocator>pkg:apk/wolfi/openssl@3.3.1-r0</spdx:referenceLocator>
    </spdx:ExternalRef></spdx:externalRef>
   </spdx:Package></spdx:relatedSpdxElement></spdx:Relationship></spdx:relationship>
 </spdx:SpdxDocument>
</rdf:RDF>
"""

JSON = json.dumps(
    document(
        package("a", "pkg:apk/wolfi/openssl@3.3.1-r0", name="openssl", filesAnalyzed=False),
        relationships=[related("DOCUMENT", "DESCRIBES", "a")],
    )
).encode()

FORMS = {
    Format.JSON: JSON,
    Format.TAG_VALUE: TAG_VALUE,
    Format.YAML: YAML,
    Format.XML: XML,
    Format.RDF: RDF,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_document_gives_the_same_rows(form: Format) -> None:
    assert sniff(FORMS[form]) is form
    found = parse_any(FORMS[form])
    (one,) = found.packages
    assert (one.name, one.version, one.role) == ("openssl", "3.3.1-r0", Role.INSTALLED)
    assert one.purl == "pkg:apk/wolfi/openssl@3.3.1-r0"
    assert edges(found) == {("DOCUMENT", "DESCRIBES", "a")}
    assert (found.name, found.generator) == ("example", "example 1.0")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (
            TAG_VALUE.replace(b"Created: 2026", b"Created: last year 2026"),
            "tag-value document cannot be read: .*Created",
        ),
        (XML.replace(b"</Document>", b""), "xml document cannot be read: ExpatError"),
        (XML.replace(b"<Document>", b'<!DOCTYPE a [<!ENTITY b "c">]><Document>'), "XML entities"),
        (b"spdxVersion: [", "yaml document cannot be read"),
        (b"just some text", "not JSON"),
    ],
)
def test_what_cannot_be_read_says_why(raw: bytes, sentence: str) -> None:
    with pytest.raises(NotIndexable, match=sentence):
        parse_any(raw)
