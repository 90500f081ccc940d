"""Where is this package: found, not found, and what was not looked at."""

from __future__ import annotations

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgexplorer.spdx.query import QueryError, Scope, parse
from cgexplorer.store.queries.search import Answer, search
from tests.store import factories as make

pytestmark = pytest.mark.django_db


def versions(answer: Answer) -> list[str]:
    return [hit.version for hit in answer.hits]


def image_with(name: str, *packages, tag: str = "latest", **sbom):
    manifest = make.manifest(make.image(name))
    make.tag(manifest, tag)
    make.sbom(manifest, *packages, **sbom)
    return manifest


def test_a_range_finds_the_lower_versions_in_the_order_of_their_ecosystem() -> None:
    for number, version in enumerate(["3.3.10-r0", "3.3.9-r1", "3.3.2_rc1-r0", "3.3.2-r0"]):
        image_with(f"cgr.dev/chainguard/i{number}", make.package(version))
    answer = search(parse("openssl<3.3.9-r1"))
    assert versions(answer) == ["3.3.2-r0", "3.3.2_rc1-r0"]
    assert (answer.images, answer.digests) == (2, 2)


def test_an_exact_name_hides_names_that_only_contain_it() -> None:
    image_with("cgr.dev/chainguard/go", make.package("1"), make.package("1", make.component("openssl-dev")))
    assert {hit.name for hit in search(parse("openssl")).hits} == {"openssl"}


def test_without_an_exact_name_a_part_of_one_is_enough() -> None:
    image_with("cgr.dev/chainguard/go", make.package("1", make.component("openssl-dev")))
    answer = search(parse("ssl-d"))
    assert [(hit.name, hit.matched_by) for hit in answer.hits] == [("openssl-dev", "part of the name")]


def test_asking_for_a_part_shows_whole_names_too() -> None:
    image_with("cgr.dev/chainguard/go", make.package("1"), make.package("1", make.component("openssl-dev")))
    assert {hit.name for hit in search(parse("openssl"), by_part=True).hits} == {"openssl", "openssl-dev"}


def test_a_package_answers_to_the_source_it_was_built_from() -> None:
    image_with("cgr.dev/chainguard/git", make.package("3.3.1-r0", make.component("libssl3"), built_from="openssl"))
    (hit,) = search(parse("openssl<3.3.2")).hits
    assert (hit.name, hit.matched_by) == ("libssl3", "built from")


def test_a_purl_answers_for_what_was_built_from_it_in_its_own_namespace() -> None:
    for namespace in ("wolfi", "alpine"):
        libssl3 = make.component("libssl3", namespace=namespace)
        image_with(f"cgr.dev/{namespace}/git", make.package("1", libssl3, built_from="openssl"))
    (hit,) = search(parse("pkg:apk/wolfi/openssl")).hits
    assert (hit.namespace, hit.name, hit.matched_by) == ("wolfi", "libssl3", "built from")


def test_a_purl_means_one_namespace_and_one_architecture() -> None:
    image_with(
        "cgr.dev/chainguard/go",
        make.package("1", arch="x86_64"),
        make.package("1", arch="aarch64"),
        make.package("1", make.component(namespace="alpine")),
    )
    (hit,) = search(parse("pkg:apk/wolfi/openssl@1?arch=x86_64")).hits
    assert (hit.namespace, hit.arch) == ("wolfi", "x86_64")


def test_a_go_path_is_found_by_namespace_and_name() -> None:
    module = make.component("net", "golang", "golang.org/x")
    image_with("cgr.dev/chainguard/go", make.package("v0.37.0", module))
    assert versions(search(parse("golang.org/x/net<v0.38.0"))) == ["v0.37.0"]


def test_upper_and_lower_case_are_the_same_name() -> None:
    image_with("cgr.dev/chainguard/go", make.package("1", make.component("PyYAML", "pypi", "")))
    assert versions(search(parse("pyyaml"))) == ["1"]


@pytest.mark.parametrize("text", ["%", "_", "open%", "op_nssl", "\\", "';--", '"', "🦄" * 3, "ﬀ", "a\\%b"])
def test_a_wildcard_or_quote_is_a_letter_like_any_other(text: str) -> None:
    image_with("cgr.dev/chainguard/go", make.package("1"))
    assert search(parse(text)).hits == ()


def test_a_version_without_an_order_is_listed_apart() -> None:
    image_with("cgr.dev/chainguard/go", make.package("nightly build"), make.package("3.3.1-r0"))
    answer = search(parse("openssl<3.3.2"))
    assert versions(answer) == ["3.3.1-r0"]
    assert [hit.version for hit in answer.unordered] == ["nightly build"]


def test_an_unverified_sbom_is_not_in_the_default_search() -> None:
    manifest = image_with("ghcr.io/acme/tool", make.package("1"), state="signer-not-allowed")
    answer = search(parse("openssl"))
    assert not answer.hits
    assert answer.universe.blind_images == ("ghcr.io/acme/tool",)
    assert answer.universe.blind[0].digest == manifest.digest
    assert answer.universe.blind[0].state == "signer-not-allowed"


def test_an_unverified_sbom_is_shown_with_its_state_when_asked_for() -> None:
    image_with("ghcr.io/acme/tool", make.package("1"), state="signer-not-allowed")
    image_with("ghcr.io/acme/file", make.package("1"), state="")
    answer = search(parse("openssl"), include_unverified=True)
    assert {hit.image: hit.state for hit in answer.hits} == {
        "ghcr.io/acme/tool": "signer-not-allowed",
        "ghcr.io/acme/file": "unsigned",
    }
    assert answer.universe.blind == ()


def test_a_digest_without_a_tag_is_in_the_history_only() -> None:
    old = make.manifest(make.image(), "old")
    make.sbom(old, make.package("1"), searchable=False)
    assert not search(parse("openssl")).hits
    assert not search(parse("openssl"), include_unverified=True).hits
    assert [hit.digest for hit in search(parse("openssl"), scope="all").hits] == [old.digest]


def test_history_leaves_unverified_sboms_out_too() -> None:
    make.sbom(make.manifest(make.image()), make.package("1"), state="invalid")
    assert not search(parse("openssl"), scope="all").hits
    assert search(parse("openssl"), scope="all", include_unverified=True).hits


def test_a_platform_of_a_tagged_index_is_current() -> None:
    image = make.image()
    children = [make.manifest(image, platform=platform) for platform in ("linux/amd64", "linux/arm64")]
    make.tag(make.index(image, *children), "1.26")
    make.sbom(children[0], make.package("1"))
    answer = search(parse("openssl"))
    assert [hit.tags for hit in answer.hits] == [("1.26",)]
    assert (answer.universe.images, answer.universe.digests) == (1, 2)
    assert [blind.platform for blind in answer.universe.blind] == ["linux/arm64"]
    assert answer.universe.wholly_blind_images == 0


def test_a_no_names_what_was_searched_and_what_was_not() -> None:
    image_with("cgr.dev/chainguard/go", make.package("1"))
    make.tag(make.manifest(make.image("docker.io/library/nginx"), state="unsigned", state_reason="nothing there"))
    answer = search(parse("log4j-core"))
    assert (answer.images, answer.digests) == (0, 0)
    assert (answer.universe.images, answer.universe.searched_images, answer.without_it) == (2, 1, 1)
    assert answer.universe.blind[0].reason == "no SBOM is attached to it"


def test_an_sbom_that_is_not_indexed_was_not_searched() -> None:
    image_with("cgr.dev/chainguard/go", indexed=False, not_indexed_reason="SPDX 3, not indexed yet")
    (blind,) = search(parse("openssl")).universe.blind
    assert "SPDX 3" in blind.reason


@pytest.mark.parametrize("scope", ["current", "all"])
@pytest.mark.parametrize("include_unverified", [False, True])
def test_pages_join_without_gap_or_repetition(scope: Scope, *, include_unverified: bool) -> None:
    for number in range(7):
        manifest = image_with(f"cgr.dev/chainguard/i{number}", make.package("1"), make.package("2"))
        for old in range(number % 3):
            make.sbom(make.manifest(manifest.image, f"{old}"), make.package("1"), searchable=False)
    whole = search(parse("openssl"), scope=scope, include_unverified=include_unverified)
    joined, after = [], None
    while True:
        page = search(
            parse("openssl"), scope=scope, include_unverified=include_unverified, limit=3, after=after
        )  # fmt: skip
        joined += page.hits
        if (after := page.after) is None:
            break
    assert whole.digests == (7 if scope == "current" else 13)
    assert len(whole.hits) == (14 if scope == "current" else 20)
    assert tuple(joined) == whole.hits


def test_history_finds_what_a_document_without_packages_is_beside() -> None:
    manifest = image_with("cgr.dev/chainguard/go", make.package("1"))
    make.sbom(make.manifest(manifest.image, "empty"), searchable=False)
    make.sbom(make.manifest(manifest.image, "other"), make.package("2"), make.package("9"), searchable=False)
    assert [hit.digest for hit in search(parse("openssl=1"), scope="all").hits] == [manifest.digest]


def test_a_page_behind_a_package_that_is_gone_begins_again() -> None:
    manifest = image_with("cgr.dev/chainguard/go", make.package("1"), make.package("2"))
    after = search(parse("openssl"), limit=1).after
    assert after is not None
    gone = msgspec.structs.replace(after, package_id=0)
    assert [hit.manifest_id for hit in search(parse("openssl"), after=gone).hits] == [manifest.pk] * 2


def test_a_part_of_too_many_names_says_that_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgexplorer.store.queries.package_names.MAX_NAMES", 2)
    image_with("cgr.dev/chainguard/go", *(make.package("1", make.component(f"lib{n}")) for n in range(3)))
    answer = search(parse("lib"))
    assert answer.names.cut_off_names
    assert len(answer.hits) == 2


def test_too_many_versions_are_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgexplorer.store.queries.package_names.MAX_PACKAGES", 1)
    image_with("cgr.dev/chainguard/go", make.package("1"), make.package("2"))
    with pytest.raises(QueryError, match="more than 1 package versions"):
        search(parse("openssl"))


def test_many_images_take_no_more_queries_than_one() -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            search(parse("openssl"))
        return len(captured)

    image_with("cgr.dev/chainguard/i", make.package("1"))
    one = queries()
    for number in range(5):
        image_with(f"cgr.dev/chainguard/i{number}", make.package("1"))
    assert queries() == one


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60), st.booleans(), st.sampled_from(["current", "all"]))
def test_any_text_is_answered(text: str, flag: bool, scope) -> None:
    try:
        answer = search(parse(text), scope=scope, include_unverified=flag, by_part=flag)
    except QueryError:
        return
    assert answer.images == 0


# -- filters ------------------------------------------------------------------------------------------------------
def found(text: str, **asked) -> set[str]:
    return {f"{hit.name}@{hit.version}" for hit in search(parse(text), **asked).hits}


def test_filters_narrow_a_name() -> None:
    go = make.component("net", "golang", "golang.org/x")
    image_with(
        "cgr.dev/chainguard/go",
        make.package("1", license="MIT", supplier="Organization: Wolfi"),
        make.package("2", license="GPL-3.0-only"),
        make.package("3", go, role="module", license="BSD-3-Clause"),
    )
    assert found("openssl license:MIT") == {"openssl@1"}
    assert found("openssl license:gpl-*") == {"openssl@2"}
    assert found("openssl supplier:wolf") == {"openssl@1"}
    assert found("role:module") == {"net@3"}
    assert found("license:GPL-3.0") == {"openssl@2"}
    assert found("license:[FGHIJKLM]PL-3*") == {"openssl@2"}
    assert found("license:*") == {"openssl@1", "openssl@2", "net@3"}
    assert found("license:MIT openssl<2") == {"openssl@1"}
    assert found("type:golang role:module") == {"net@3"}


def test_a_licence_is_found_inside_an_expression_and_with_its_exception() -> None:
    image_with(
        "cgr.dev/chainguard/go",
        make.package("1", license="MIT AND (GPL-2.0-only WITH Classpath-exception-2.0 OR ISC)"),
    )
    for asked in ("license:MIT", "license:GPL-2.0-only", "license:GPL-2.0-only WITH", 'license:"ISC"'):
        assert found(asked.removesuffix(" WITH")) == {"openssl@1"}, asked
    assert found("license:BSD-3-Clause") == set()


def test_packages_that_state_no_licence_can_be_asked_for() -> None:
    image_with("cgr.dev/chainguard/go", make.package("1"), make.package("2", license="MIT"))
    assert found("license:NOASSERTION") == {"openssl@1"}


def test_a_package_is_found_by_its_checksum() -> None:
    digest = "ab" * 32
    image_with("cgr.dev/chainguard/go", make.package("1", checksum=bytes.fromhex(digest)), make.package("2"))
    assert found(f"checksum:{digest}") == found(f"sha256:{digest.upper()}") == {"openssl@1"}


def test_a_cpe_finds_the_component_it_names_in_the_projects_version() -> None:
    openssl = make.component()
    make.cpe(openssl, "openssl", "openssl")
    image_with("cgr.dev/chainguard/go", make.package("3.3.1-r0", openssl), make.package("3.3.2-r0", openssl))
    assert found("cpe:2.3:a:openssl:openssl:3.3.1:*:*:*:*:*:*:*") == {"openssl@3.3.1-r0"}
    assert found("cpe:/a:OpenSSL:openssl") == {"openssl@3.3.1-r0", "openssl@3.3.2-r0"}
    assert found("cpe:2.3:a:openssl:openssl:* <3.3.2") == {"openssl@3.3.1-r0"}
    assert found("cpe:2.3:a:other:openssl:*") == set()


def test_an_exact_name_is_not_what_was_built_from_it() -> None:
    image_with("cgr.dev/a/a", make.package("1"), make.package("1", make.component("libssl3"), built_from="openssl"))
    image_with("cgr.dev/a/b", make.package("1", make.component("openssl", namespace="alpine")))
    for asked, found in (("openssl name:openssl", 2), ("openssl name:wolfi/openssl", 1), ("name:libssl3", 1)):
        assert len(search(parse(asked)).hits) == found


def test_facets_count_what_choosing_them_would_find() -> None:
    net = make.component("net", "golang", "golang.org/x")
    image_with("cgr.dev/chainguard/a", make.package("1", license="MIT OR Apache-2.0"), make.package("2"))
    image_with("cgr.dev/chainguard/b", make.package("1", license="MIT"), make.package("9", net, role="module"))
    answer = search(parse("license:*"), with_facets=True)
    facets = {facet.name: {value.key: value.digests for value in facet.values} for facet in answer.facets}
    for licence, digests in facets["license"].items():
        assert search(parse(f"license:{licence[0]}")).digests == digests
    assert facets["license"] == {("MIT",): 2, ("Apache-2.0",): 1}


def test_a_facet_with_one_value_divides_nothing_and_is_not_counted() -> None:
    image_with("cgr.dev/chainguard/a", make.package("1"))
    assert search(parse("openssl"), with_facets=True).facets == ()


def test_a_misspelt_name_brings_names_like_it() -> None:
    image_with("cgr.dev/chainguard/a", make.package("1"), make.package("1", make.component("zlib")))
    answer = search(parse("opensll"))
    assert (answer.hits, answer.names.like_it) == ((), ("openssl",))


def test_a_misspelt_source_brings_the_source() -> None:
    image_with("cgr.dev/chainguard/git", make.package("1", make.component("libcrypto3"), built_from="openssl"))
    assert search(parse("opensl")).names.like_it == ("openssl",)


def test_a_name_that_is_known_brings_no_others() -> None:
    image_with("cgr.dev/chainguard/a", make.package("1"))
    assert search(parse("openssl>9")).names.like_it == ()


def test_versions_without_an_order_are_not_cut_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgexplorer.store.queries.search.MAX_UNORDERED", 2)
    for number in range(3):
        odd = make.package("(devel)", make.component("kubernetes", "golang", "k8s.io"))
        image_with(f"registry.k8s.io/i{number}", odd)
    first = search(parse("kubernetes<1.30"), limit=1)
    assert (len(first.unordered), first.unordered_cut_off) == (2, True)
    whole = search(parse("kubernetes<1.30"), limit=3)
    assert (len(whole.unordered), whole.unordered_cut_off) == (3, False)
