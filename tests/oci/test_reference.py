"""References as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgexplorer.oci.errors import ReferenceError
from cgexplorer.oci.reference import Reference, parse

SHA = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("alpine", Reference("docker.io", "library/alpine", "latest")),
        ("alpine:3.20", Reference("docker.io", "library/alpine", "3.20")),
        ("grafana/loki", Reference("docker.io", "grafana/loki", "latest")),
        ("docker.io/alpine", Reference("docker.io", "library/alpine", "latest")),
        ("index.docker.io/library/alpine", Reference("docker.io", "library/alpine", "latest")),
        ("cgr.dev/chainguard/go", Reference("cgr.dev", "chainguard/go", "latest")),
        ("CGR.dev/chainguard/go:1.22", Reference("cgr.dev", "chainguard/go", "1.22")),
        ("localhost/a", Reference("localhost", "a", "latest")),
        ("localhost:5000/a/b:c", Reference("localhost:5000", "a/b", "c")),
        ("127.0.0.1:05000/a", Reference("127.0.0.1:5000", "a", "latest")),
        ("[::1]:5000/a/b", Reference("[::1]:5000", "a/b", "latest")),
        ("[2001:DB8::0:1]/a:x", Reference("[2001:db8::1]", "a", "x")),
        (f"cgr.dev/chainguard/go@{SHA}", Reference("cgr.dev", "chainguard/go", "", SHA)),
        (f"cgr.dev/chainguard/go:latest@{SHA}", Reference("cgr.dev", "chainguard/go", "latest", SHA)),
        ("  https://cgr.dev/chainguard/go\n", Reference("cgr.dev", "chainguard/go", "latest")),
        ("oci://ghcr.io/a/b:v1", Reference("ghcr.io", "a/b", "v1")),
        ("docker://alpine", Reference("docker.io", "library/alpine", "latest")),
        ("a/b__c/d--e.f", Reference("docker.io", "a/b__c/d--e.f", "latest")),
        ("cgr.dev/a:" + "t" * 128, Reference("cgr.dev", "a", "t" * 128)),
    ],
)
def test_a_reference_means_what_docker_pull_would_make_of_it(typed: str, expected: Reference) -> None:
    assert parse(typed) == expected


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("a\0b", "\\x00"),
        ("cgr.dev/chainguard/go:la test", "' '"),
        ("cgr.dev/аpache/x", "\\u0430"),
        ("cgr.dev/Chainguard/go", "lower case"),
        ("cgr.dev/../etc/passwd", "'..'"),
        ("cgr.dev/a/./b", "'.'"),
        ("cgr.dev/a//b", "empty part"),
        ("cgr.dev//a", "empty part"),
        ("cgr.dev/", "empty part"),
        ("/a", "empty part"),
        ("cgr.dev/a_/b", "'a_'"),
        ("cgr.dev/a___b", "'a___b'"),
        ("cgr.dev/a?x=1", "'a?x=1'"),
        ("cgr.dev/a%2fb", "'a%2fb'"),
        ("cgr.dev/a:", "tag ''"),
        ("cgr.dev/a:-x", "tag '-x'"),
        ("cgr.dev/a:" + "t" * 129, "tag"),
        ("cgr.dev/a:b:c", "'a:b'"),
        ("cgr.dev:0/a", "port '0'"),
        ("cgr.dev:99999/a", "port '99999'"),
        ("cgr.dev:/a", "port ''"),
        ("user:secret@cgr.dev/a", "digest"),
        ("cgr.dev/a@sha256:12", "digest"),
        (f"cgr.dev/a@{SHA.upper()}", "digest"),
        ("cgr.dev/a@sha512:" + "0" * 128, "digest"),
        (f"cgr.dev/a@{SHA}@{SHA}", "digest"),
        ("[::1/a", "registry"),
        ("[::g]/a", "IPv6"),
        ("[fe80::1%eth0]/a", "interface"),
        ("-bad.example/a", "registry"),
        ("a..b/c", "registry"),
        ("http://cgr.dev/a", "http"),
        ("cgr.dev/" + "a" * 248, "255"),
        ("a" * 3000, "3000"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_part_named(typed: str, named: str) -> None:
    with pytest.raises(ReferenceError) as caught:
        parse(typed)
    assert named in str(caught.value)


@given(st.text(max_size=300) | st.text(alphabet="abA0.:/@[]-_%", max_size=60))
def test_any_text_is_a_reference_or_a_reference_error_and_parsing_again_changes_nothing(text: str) -> None:
    try:
        reference = parse(text)
    except ReferenceError:
        return
    assert parse(str(reference)) == reference
    assert ".." not in reference.repository.split("/")
    assert reference.repository == reference.repository.lower()
    assert str(reference).isascii()
