from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import zstandard

from cgexplorer.spdx import graph
from cgexplorer.spdx.document import CONTENTS, IMPLIED_CONTAINS, THE_DOCUMENT, Document, Package, Role
from cgexplorer.spdx.parse import parse
from tests.spdx.documents import edges, package, raw, related


def roles(found: Document) -> dict[str, Role]:
    return {one.name: one.role for one in found.packages}


def contents(found: Document) -> list[Package]:
    return [one for one in found.packages if one.role in CONTENTS]


@pytest.fixture
def postgres(shared: Path) -> Document:
    return parse((shared / "chainguard-postgres/postgres-arm64.spdx.json").read_bytes())


def test_chainguards_postgres_holds_sixty_things_not_257(postgres: Document) -> None:
    assert Counter(one.ecosystem for one in contents(postgres)) == {"apk": 56, "golang": 4}
    assert sum(len(one.spdx_ids) or 1 for one in postgres.packages) == 257


def test_chainguards_postgres_has_one_image_eleven_layers_and_a_system(postgres: Document) -> None:
    counts = Counter(one.role for one in postgres.packages)
    assert (counts[Role.IMAGE], counts[Role.LAYER], counts[Role.OPERATING_SYSTEM]) == (1, 11, 1)
    assert [postgres.packages[element].role for element in postgres.described] == [Role.IMAGE]


def test_a_library_of_postgres_names_the_source_it_was_built_from(postgres: Document) -> None:
    built = {one.name: one.built_from for one in contents(postgres) if one.ecosystem == "apk"}
    assert (built["libssl3"], built["libgcc"], built["ld-linux"]) == ("openssl", "gcc", "glibc")
    assert all(built.values())


def test_two_copies_of_an_apk_are_one_with_what_either_says(postgres: Document) -> None:
    libgcc = next(one for one in postgres.packages if one.name == "libgcc" and one.role is Role.INSTALLED)
    assert len(libgcc.spdx_ids) == 2
    assert libgcc.license == "GPL-3.0-or-later WITH GCC-exception-3.1"
    assert libgcc.arch == "aarch64"
    assert any("origin=gcc" in one for one in libgcc.purls)
    assert libgcc.cpes


def test_nothing_points_at_itself_after_collapsing(postgres: Document) -> None:
    assert all(source != target for source, target in zip(postgres.graph.source, postgres.graph.target, strict=True))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("spdx/apko/sbom-x86_64.spdx.9c6203c6efcb.json", {Role.IMAGE: 1, Role.LAYER: 1, Role.INSTALLED: 14}),
        (
            "spdx/apko/sbom-x86_64.spdx.229cbdfb1779.json",
            {
                Role.IMAGE: 1,
                Role.LAYER: 1,
                Role.OPERATING_SYSTEM: 1,
                Role.INSTALLED: 26,
                Role.BUILD_DEFINITION: 19,
                Role.UPSTREAM: 18,
            },
        ),
        ("spdx/apko/apko-golden-sbom-index.spdx.json", {Role.IMAGE: 3}),
        (
            "spdx/melange/unbound-libs-1.23.0-r0.spdx.json",
            {Role.INSTALLED: 1, Role.BUILD_DEFINITION: 1, Role.UPSTREAM: 1},
        ),
        (
            "spdx/debsbom-host/debian-12-host.spdx.json",
            {Role.OPERATING_SYSTEM: 1, Role.INSTALLED: 831, Role.UPSTREAM: 487},
        ),
        ("spdx/syft-dockerhub/caddy.json", {Role.INSTALLED: 16, Role.MODULE: 115}),
        ("sboms-of-tools/crane-0.22.1.spdx.json", {Role.MODULE: 13, Role.FILE: 1}),
    ],
)
def test_each_generator_gets_its_roles(shared: Path, document: str, expected: dict[Role, int]) -> None:
    assert Counter(one.role for one in parse((shared / document).read_bytes()).packages) == expected


def test_the_large_document_is_whole(shared: Path) -> None:
    packed = (shared / "spdx-large/debian-build-host.spdx.json.zst").read_bytes()
    found = parse(zstandard.ZstdDecompressor().stream_reader(packed).read())
    assert sum(len(one.spdx_ids) or 1 for one in found.packages) == 2_415
    assert len(found.files) == 96_359
    assert found.truncated == ""
    assert found.findings == ()
    assert graph.decode(graph.encode(found.graph)) == found.graph
    # Copies of a package share their edges: fewer than the 108,718 stated, never fewer than one a file held.
    assert 107_000 < len(found.graph.source) <= 108_718


def test_packages_of_old_apko_hang_under_the_image(shared: Path) -> None:
    found = parse((shared / "spdx/apko/sbom-x86_64.spdx.9c6203c6efcb.json").read_bytes())
    (image,) = found.described
    below = {target for _, target in graph.children(found.graph, image, [IMPLIED_CONTAINS])}
    assert below == {place for place, one in enumerate(found.packages) if one.role is Role.INSTALLED}


def test_packages_of_a_document_without_an_image_hang_under_the_document() -> None:
    found = parse(raw(package("a", "pkg:deb/debian/a@1")))
    assert graph.children(found.graph, THE_DOCUMENT) == [(IMPLIED_CONTAINS, 0)]


def test_what_is_contained_already_is_not_implied_again() -> None:
    image = package("image", "pkg:oci/image@sha256:1")
    apk = package("a", "pkg:apk/wolfi/a@1-r0")
    found = parse(
        raw(image, apk, relationships=[related("image", "CONTAINS", "a")], documentDescribes=["SPDXRef-image"])
    )
    assert edges(found) == {("DOCUMENT", "DESCRIBES", "image"), ("image", "CONTAINS", "a")}


def test_trivys_shapes_have_their_roles() -> None:
    found = parse(
        raw(
            package("ContainerImage-1", "pkg:oci/agent@sha256:1?repository_url=x", primaryPackagePurpose="CONTAINER"),
            package("OperatingSystem-2"),
            package("Application-3"),
            package("Package-4", "pkg:deb/ubuntu/libc6@2.31?distro=ubuntu-20.04"),
            package("Package-5", "pkg:npm/left-pad@1.0.0"),
        )
    )
    assert [one.role for one in found.packages] == [
        Role.IMAGE,
        Role.OPERATING_SYSTEM,
        Role.FILE,
        Role.INSTALLED,
        Role.MODULE,
    ]


def test_an_image_layer_of_the_kubernetes_bom_tool_is_a_layer() -> None:
    layer = "pkg:oci/kube-proxy@sha256:1?mediaType=application%2Fvnd.docker.image.rootfs.diff.tar.gzip"
    image = "pkg:oci/kube-proxy@sha256:2?mediaType=application%2Fvnd.docker.distribution.manifest.v2%2Bjson"
    found = parse(raw(package("a", layer), package("b", image)))
    assert [one.role for one in found.packages] == [Role.LAYER, Role.IMAGE]


def test_debian_sources_are_upstream_and_name_what_is_built_from_them() -> None:
    found = parse(
        raw(
            package("src", "pkg:deb/debian/openssl@3.0.1?arch=source"),
            package("bin", "pkg:deb/debian/libssl3@3.0.1?arch=amd64"),
            relationships=[related("src", "GENERATES", "bin")],
        )
    )
    assert [one.role for one in found.packages] == [Role.UPSTREAM, Role.INSTALLED]
    assert found.packages[1].built_from == "openssl"


def test_trivy_says_in_prose_what_a_package_was_built_from() -> None:
    found = parse(raw(package("a", "pkg:deb/debian/libssl1.1@1.1.1n", sourceInfo="built package from: openssl 1.1.1n")))
    assert found.packages[0].built_from == "openssl"


def test_two_architectures_of_a_package_stay_two() -> None:
    found = parse(
        raw(package("a", "pkg:deb/debian/libc6@2?arch=amd64"), package("b", "pkg:deb/debian/libc6@2?arch=i386"))
    )
    assert len(found.packages) == 2


def test_two_jars_of_one_name_and_different_bytes_stay_two() -> None:
    one, other = (
        package(name, "pkg:maven/org.example/lib@1", checksums=[{"algorithm": "SHA1", "checksumValue": name * 40}])
        for name in "ab"
    )
    assert len(parse(raw(one, other)).packages) == 2


def test_edges_of_a_copy_are_edges_of_the_one_that_is_kept() -> None:
    found = parse(
        raw(
            package("a", "pkg:apk/wolfi/a@1-r0?arch=x86_64"),
            package("copy", "pkg:apk/wolfi/a@1-r0?arch=x86_64&origin=a"),
            package("b", "pkg:golang/example.com/b@v1"),
            files=[{"SPDXID": "SPDXRef-f", "fileName": "/f"}],
            relationships=[related("copy", "CONTAINS", "b"), related("copy", "CONTAINS", "f")],
        )
    )
    assert found.packages[0].spdx_ids == ("SPDXRef-a", "SPDXRef-copy")
    assert {("a", "CONTAINS", "b"), ("a", "CONTAINS", "f")} <= edges(found)


def test_software_without_a_purl_counts_as_contents() -> None:
    assert roles(parse(raw(package("something", versionInfo="1.0")))) == {"something": Role.MODULE}
