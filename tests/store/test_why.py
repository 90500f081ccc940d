"""Why a package is in an image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer import ingest
from cgexplorer.predicates import APKO, SPDX
from cgexplorer.spdx import graph
from cgexplorer.spdx.document import CONTAINS, DEPENDS_ON, DESCRIBES, THE_DOCUMENT
from cgexplorer.spdx.parse import parse
from cgexplorer.store.models import Sbom
from cgexplorer.store.queries.why import Asked, shortest_path, why
from cgexplorer.web.sources import source_link
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, NOW, allow, fetch, package, sigstore, spdx


def test_the_shortest_way_wins() -> None:
    edges = [(THE_DOCUMENT, DESCRIBES, 0), (0, CONTAINS, 1), (1, CONTAINS, 2), (0, CONTAINS, 2)]
    assert shortest_path(graph.build(edges), 2) == [(0, "DESCRIBES"), (2, "CONTAINS")]


def test_what_nothing_contains_is_reached_by_what_needs_it() -> None:
    edges = [(THE_DOCUMENT, DESCRIBES, 0), (0, CONTAINS, 1), (1, DEPENDS_ON, 2)]
    assert shortest_path(graph.build(edges), 2)[-1] == (2, "DEPENDS_ON")


def test_a_ring_that_hangs_on_nothing_has_no_way_and_ends() -> None:
    assert shortest_path(graph.build([(0, CONTAINS, 1), (1, CONTAINS, 0)]), 0) == []


def test_fifty_thousand_edges_are_each_looked_at_once() -> None:
    deep = [(THE_DOCUMENT, DESCRIBES, 0), *((node, CONTAINS, node + 1) for node in range(50_000))]
    assert len(shortest_path(graph.build(deep), 50_000)) == 50_001


def test_a_real_apk_hangs_in_its_layer_in_the_image(shared: Path) -> None:
    document = parse((shared / "chainguard-postgres" / "postgres-arm64.spdx.json").read_bytes())
    bash = next(number for number, one in enumerate(document.packages) if one.name == "bash")
    roles = [str(document.packages[node].role) for node, _ in shortest_path(document.graph, bash)]
    assert roles[0] == "image"
    assert roles[-1] == "installed"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        (["openssl"], Asked.REQUESTED),
        (["openssl>3"], Asked.REQUESTED),
        (["openssl=3.3.1-r0"], Asked.RESOLVED),
        (["zlib=1"], Asked.SOLVER),
        ([], None),
    ],
)
def test_the_attested_configuration_says_who_asked(client: Client, listed: list[str], asked: Asked | None) -> None:
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    one = sigstore()
    predicates = {SPDX: spdx("openssl@3.3.1-r0"), APKO: {"contents": {"packages": listed}}}
    source.attach(*(one.attestation(digest, one.leaf(), kind, predicate=body) for kind, body in predicates.items()))
    fetch(source)
    sbom = Sbom.objects.get()
    assert why(sbom.manifest, sbom, 0).asked == asked
    page = client.get(reverse("package", args=[NAME, digest, 0])).content.decode()
    words = {Asked.REQUESTED: "Requested:", Asked.RESOLVED: "resolved", Asked.SOLVER: "Pulled in:"}
    assert "Why is it here?" in page
    assert asked is None or words[asked] in page


@pytest.mark.django_db
def test_a_module_is_nobodys_apk() -> None:
    raw = json.dumps(spdx(packages=[package("a@1", externalRefs=[])])).encode()
    sbom = ingest.import_sbom(raw, "mine", now=NOW)
    assert why(sbom.manifest, sbom, 0).asked is None


@pytest.mark.parametrize(
    ("purl", "location", "link"),
    [
        (
            "pkg:github/chainguard-dev/stereo@35e7b4713442869116936fae3fe8cf7c69bc9054#os/glibc.yaml",
            "NOASSERTION",
            "https://github.com/chainguard-dev/stereo/blob/35e7b4713442869116936fae3fe8cf7c69bc9054/os/glibc.yaml",
        ),
        ("pkg:github/openssl/openssl@openssl-3.3.1", "", "https://github.com/openssl/openssl/tree/openssl-3.3.1"),
        (
            "pkg:generic/gcc@1?vcs_url=git%2Bhttps:%2F%2Fgitlab.com%2Fg%2Fgcc.git%40" + "6" * 40,
            "https://tarballs.example/gcc.tar.gz",
            "https://gitlab.com/g/gcc/-/tree/" + "6" * 40,
        ),
        ("pkg:generic/a@1", "https://example.com/a.tar.gz", "https://example.com/a.tar.gz"),
        ("pkg:generic/a@1", "javascript:alert(1)", ""),
        ("pkg:generic/a@1", "http://example.com/a", ""),
        ("pkg:github/../x@1", "", ""),
        ("not a purl", "NOASSERTION", ""),
    ],
)
def test_sources_are_linked_where_they_can_be_read(purl: str, location: str, link: str) -> None:
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
    raw = json.dumps(spdx(packages=[package("a@1", externalRefs=[reference], downloadLocation=location)])).encode()
    assert source_link(parse(raw).packages[0]) == link
