"""Fuzz targets of the floors that know no signatures: manifests, SBOMs, predicates, package names, what people type.

A target that returns has passed; the errors named beside it are its way of saying no; anything else is a fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from cgexplorer.oci import auth, manifest, origin, reference, signed_forms, strict_json
from cgexplorer.oci import digest as digests
from cgexplorer.oci.errors import OciError, ReferenceError
from cgexplorer.predicates import PredicateError, apko, json_tree, slsa
from cgexplorer.spdx import as_written, cyclonedx_reader, licenses, purl, query, versions
from cgexplorer.spdx import parse as spdx
from cgexplorer.spdx.document import NotIndexable
from cgexplorer.spdx.query import QueryError
from cgexplorer.spdx.versions import ConstraintError
from scripts import sample_documents
from scripts.sample_facts import BUILDS
from tests.spdx import documents, quirks

DIGEST = "sha256:" + "ab" * 32
ECOSYSTEMS = ("apk", "deb", "rpm", "golang", "npm", "pypi", "gem", "maven", "nuget", "cargo", "strange")


class Broken(Exception):
    """A parser answered what it must never answer."""


@dataclass(frozen=True)
class Target:
    """A parser, what it may raise, and honest documents to begin with."""

    name: str
    run: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def __call__(self, raw: bytes) -> None:
        try:
            self.run(raw)
        except self.refusals:
            return


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def _manifest(raw: bytes) -> None:
    for media_type in ("", manifest.OCI_INDEX, manifest.OCI_MANIFEST, "text/html; charset=x"):
        try:
            read = manifest.parse(raw, media_type, digests.of(raw))
        except OciError:
            continue
        msgspec.json.encode(msgspec.structs.replace(read, raw=b""))


def _strict(raw: bytes) -> None:
    """What is read can be written, in text that every database takes."""
    json.dumps(strict_json.loads(raw, max_bytes=1 << 20), ensure_ascii=False).encode()


def _spdx(raw: bytes) -> None:
    """No half characters: each row can be stored."""
    repr(spdx.parse(raw)).encode()


def _as_written(raw: bytes) -> None:
    """Whatever is asked for, an answer that a page can show."""
    heading = as_written.heading(raw)
    for name in ("", "#/packages/0/name", *(one.about for one in heading.annotations[:3])):
        repr(as_written.element(raw, name)).encode()
    repr(heading).encode()


def _challenge(text: str) -> None:
    """What a registry answers to a request without credentials."""
    for parameters in auth._challenges(text).values():
        origin.split(parameters.get("realm", ""))


def _token(raw: bytes) -> None:
    auth._token(raw, "registry.example")


def _slsa(raw: bytes) -> None:
    msgspec.json.encode(slsa.parse(raw))


def _apko(raw: bytes) -> None:
    msgspec.json.encode(apko.parse(raw))


def _tree(raw: bytes) -> None:
    msgspec.json.encode(json_tree.parse(raw, max_nodes=200))


def _typed(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Text as a browser or a shell may send it, half characters included."""
    return lambda raw: read(raw.decode("utf-8", "surrogateescape"))


def _query(text: str) -> None:
    name, _, more = text.partition("\n")
    if not str(query.parse(name, *more.split("\n")[:2])):
        raise Broken("a query that asks for nothing")


def _purl(text: str) -> None:
    found = purl.parse(text)
    if found is not None and purl.best([found, found]) is None:
        raise Broken("a purl that is worse than none")


def _version(text: str) -> None:
    ecosystem, _, version = text.partition(" ")
    versions.version_key(ecosystem, version)
    versions.direction(ecosystem, version[: len(version) // 2], version)
    wanted = versions.parse_constraint(version)
    versions.key_range(ecosystem, wanted)
    versions.matches(ecosystem, version[:40], wanted)


def _license(text: str) -> None:
    licenses.normalise(text)
    licenses.families(licenses.canonical(text))
    licenses.identifiers(text)


def _manifests() -> tuple[bytes, ...]:
    def descriptor(media_type: str, **more: object) -> dict[str, object]:
        return {"mediaType": media_type, "digest": DIGEST, "size": 7} | more

    config = descriptor("application/vnd.oci.image.config.v1+json")
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    image = {"schemaVersion": 2, "mediaType": manifest.OCI_MANIFEST, "config": config, "annotations": {"a": "b"}}
    layers = [descriptor("application/vnd.dsse.envelope.v1+json", annotations={"predicateType": "x"})]
    index = {"schemaVersion": 2, "mediaType": manifest.OCI_INDEX}
    child = descriptor(manifest.OCI_MANIFEST, platform=platform, artifactType="application/x")
    signed = {"layers": layers, "subject": descriptor(manifest.OCI_INDEX), "artifactType": "application/x"}
    return dumped(image | signed), dumped(index | {"manifests": [child, child]}), dumped({"schemaVersion": 1})


def _sboms() -> tuple[bytes, ...]:
    packages = (
        documents.package("one", "pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64&origin=openssl", licenseDeclared="MIT"),
        documents.package("two", "pkg:golang/golang.org/x/net@v0.1.0", supplier="Organization: x", filesAnalyzed=True),
        documents.package(
            "three", checksums=[{"algorithm": "SHA256", "checksumValue": "ab" * 32}], hasFiles=["SPDXRef-f"]
        ),
    )
    file = {"SPDXID": "SPDXRef-f", "fileName": "./a", "checksums": [{"algorithm": "SHA1", "checksumValue": "cd" * 20}]}
    edges = [documents.related("DOCUMENT", "DESCRIBES", "one"), documents.related("one", "CONTAINS", "two")]
    whole = documents.document(*packages, files=[file], relationships=edges, documentDescribes=["SPDXRef-one"])
    build = sample_documents.spdx(BUILDS[0], "amd64", DIGEST, DIGEST)
    odd = quirks.raw([one for one in quirks.QUIRKS if one.of != "heading" and len(repr(one.value)) < 200])
    return (
        dumped(whole),
        dumped(build | {"packages": build["packages"][:6], "relationships": build["relationships"][:8]}),
        odd,
    )


def _boms() -> tuple[bytes, ...]:
    one = {
        "bom-ref": "o",
        "type": "library",
        "name": "openssl",
        "version": "3.3.1-r0",
        "purl": "pkg:apk/wolfi/openssl@3",
    }
    two = {
        "bom-ref": "t", "type": "container", "name": "t", 
        "licenses": [{"license": {"id": "MIT"}}, {"expression": "A OR B"}],
        "hashes": [{"alg": "SHA-256", "content": "ab" * 32}], "components": [one | {"bom-ref": "i"}],
        "properties": [{"name": "a", "value": "b"}], "externalReferences": [{"type": "vcs", "url": "https://a.example"}],
    }  # fmt: skip
    metadata = {
        "timestamp": "2026-07-16T08:08:01Z",
        "component": two,
        "tools": {"components": [one]},
        "authors": [{"name": "x"}],
    }
    edges = [{"ref": "t", "dependsOn": ["o", "gone"]}]
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": metadata,
        "components": [one],
        "dependencies": edges,
    }
    return dumped(whole), dumped({"bomFormat": "CycloneDX", "specVersion": "1.7", "components": [two]})


_BOM_XML = b"""<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1"><components>
<component type="library" bom-ref="o">
<name>openssl</name><version>3.3.1</version><licenses><license><id>MIT</id></license></licenses><purl>pkg:apk/wolfi/o@1</purl>
</component></components><dependencies><dependency ref="o"/></dependencies></bom>"""


def _predicates(*made: object) -> tuple[bytes, ...]:
    return tuple(map(dumped, made))


_V02 = {
    "builder": {"id": "https://b.example"},
    "buildType": "https://t.example",
    "invocation": {
        "configSource": {"uri": "git+https://a/b@refs/heads/main", "digest": {"sha1": "a" * 40}},
        "parameters": {},
    },
    "materials": [{"uri": "git+https://a/b", "digest": {"sha1": "a" * 40}}],
    "metadata": {"buildStartedOn": "2026-07-01T00:00:00Z", "completeness": {"parameters": True}, "reproducible": False},
}
_CHALLENGES = (
    b'Bearer realm="https://auth.example/token?x=1",service="registry.example",scope="repository:a/b:pull"',
    b'Basic realm="r", Bearer realm="https://[::1]:5000/", service="s"',
)
_QUERIES = (
    b"openssl", b"openssl<3.3.2", b"openssl >=1.0,<2", b"openssl@3.3.1-r0", b"openssl vers:apk/<3.3.2-r0",
    b"pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64", b"golang.org/x/net", b"org.apache:log4j\n<2.17\nmaven",
)  # fmt: skip
_PURLS = (
    b"pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64&distro=wolfi", b"pkg:golang/github.com/a/b@v1.0.0#c/d",
    b"pkg:npm/%40angular/core@1.0", b"pkg:deb/debian/a@1%3A2-3?arch=amd64&upstream=b%401.2", b"pkg:oci/x@sha256:ab",
    b"pkg:rpm/a@1?epoch=1&upstream=a-1-2.src.rpm",
)  # fmt: skip
_VERSIONS = tuple(
    f"{ecosystem} {version}".encode()
    for ecosystem in ECOSYSTEMS
    for version in ("1.2.3-r4", ">=1:2.3~rc1-4,<5", "1.0.0-alpha.1+b", "vers:apk/>=1|<2", "2!1.0.post1.dev2+l.1")
)
_LICENSES = (
    b"MIT AND (Apache-2.0 OR GPL-2.0-only WITH Classpath-exception-2.0)",
    b"LicenseRef-x+",
    b"NOASSERTION",
    b"((MIT",
)
_REFERENCES = (b"cgr.dev/chainguard/go:latest", b"localhost:5000/a/b@" + DIGEST.encode(), b"[::1]:80/a", b"nginx")

TARGETS = (
    Target("manifest", _manifest, (OciError,), _manifests()),
    Target("index", manifest.descriptors, (OciError,), _manifests()[1:]),
    Target("strict JSON", _strict, (OciError,), _manifests()),
    Target(
        "bundle's claim", signed_forms.claims_to_sign_an_image, (), (dumped({"dsseEnvelope": {"payload": "e30="}}),)
    ),
    Target("SPDX", _spdx, (NotIndexable,), _sboms()),
    Target("CycloneDX", _spdx, (NotIndexable,), _boms()),
    Target("SBOM as written", _as_written, (NotIndexable,), (*_sboms(), *_boms())),
    Target("CycloneDX XML", cyclonedx_reader.to_json, (), (_BOM_XML,)),
    Target("registry's challenge", _typed(_challenge), (OciError,), _CHALLENGES),
    Target("registry's token", _token, (OciError,), (dumped({"token": "a", "expires_in": 300, "access_token": "b"}),)),
    Target("SLSA", _slsa, (PredicateError,), _predicates(sample_documents.provenance(BUILDS[0]), _V02)),
    Target("apko", _apko, (PredicateError,), _predicates(sample_documents.apko_configuration(BUILDS[0], "amd64"))),
    Target("JSON tree", _tree, (PredicateError,), _predicates(_V02)),
    Target("search", _typed(_query), (QueryError,), _QUERIES),
    Target("purl", _typed(_purl), (), _PURLS),
    Target("version", _typed(_version), (ConstraintError,), _VERSIONS),
    Target("licence", _typed(_license), (), _LICENSES),
    Target("reference", _typed(reference.parse), (ReferenceError,), _REFERENCES),
)
