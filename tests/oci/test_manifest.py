"""Manifests: hostile bytes are refused, everything that registries really hold is read."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgexplorer.oci import digest as digests
from cgexplorer.oci.errors import DigestMismatch, Malformed, OciError, TooLarge
from cgexplorer.oci.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST, Manifest, parse

D = "sha256:" + "0" * 64
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": D, "size": 2}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": D, "size": 5}
IMAGE: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
CHILD = {"mediaType": OCI_MANIFEST, "digest": D, "size": 7, "platform": {"os": "linux", "architecture": "arm64"}}
INDEX: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [CHILD]}


def read(body: object, media_type: str = "") -> Manifest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse(raw, media_type, digests.of(raw))


def without(body: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in body.items() if k != key}


def test_an_image_has_config_layers_and_subject() -> None:
    manifest = read({**IMAGE, "subject": CHILD, "annotations": {"a": "b"}, "artifactType": "x/y"})
    assert manifest.config is not None
    assert manifest.config.size == 2
    assert [layer.size for layer in manifest.layers] == [5]
    assert manifest.subject is not None
    assert (manifest.annotations, manifest.artifact_type, manifest.is_index) == ({"a": "b"}, "x/y", False)


def test_an_index_has_children_with_platforms() -> None:
    manifest = read(INDEX)
    assert [str(child.platform) for child in manifest.children] == ["linux/arm64"]
    assert manifest.is_index


def test_an_index_may_hold_an_index() -> None:
    assert read({**INDEX, "manifests": [{**CHILD, "mediaType": OCI_INDEX}]}).children[0].media_type == OCI_INDEX


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (without(IMAGE, "mediaType"), DOCKER_MANIFEST, DOCKER_MANIFEST),
        (without(IMAGE, "mediaType"), "", OCI_MANIFEST),
        (without(INDEX, "mediaType"), "application/json; charset=utf-8", OCI_INDEX),
        (INDEX, DOCKER_LIST, OCI_INDEX),
        (IMAGE, "text/plain", OCI_MANIFEST),
        ({"mediaType": OCI_ARTIFACT, "blobs": [LAYER]}, OCI_ARTIFACT, OCI_ARTIFACT),
        ({**INDEX, "manifests": None}, "", OCI_INDEX),
        ({**IMAGE, "layers": None, "annotations": None, "subject": None}, "", OCI_MANIFEST),
    ],
)
def test_the_type_is_what_the_bytes_say_else_what_the_source_says(body: Any, media_type: str, expected: str) -> None:
    assert read(body, media_type).media_type == expected


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ({**IMAGE, "manifests": []}, ""),
        ({**INDEX, "layers": []}, ""),
        (IMAGE, OCI_INDEX),
        (INDEX, DOCKER_MANIFEST),
        ({**IMAGE, "mediaType": OCI_INDEX}, ""),
        (without(IMAGE, "mediaType"), OCI_INDEX),
        ({**IMAGE, "mediaType": "application/vnd.docker.distribution.manifest.v1+json"}, ""),
        ({**IMAGE, "schemaVersion": 1}, ""),
        (without(IMAGE, "config"), ""),
        (without(IMAGE, "layers"), ""),
        ({**IMAGE, "Layers": []}, ""),
        ({**IMAGE, "layers": {}}, ""),
        ({**IMAGE, "layers": [{**LAYER, "size": "5"}]}, ""),
        ({**IMAGE, "layers": [{**LAYER, "size": -1}]}, ""),
        ({**IMAGE, "layers": [{**LAYER, "size": True}]}, ""),
        ({**IMAGE, "layers": [{**LAYER, "size": 5.5}]}, ""),
        ({**IMAGE, "layers": [{**LAYER, "size": 2**70}]}, ""),
        ({**IMAGE, "layers": [{**LAYER, "digest": "sha256:../../../etc/passwd"}]}, ""),
        ({**IMAGE, "layers": [{**LAYER, "digest": D + "\n"}]}, ""),
        ({**IMAGE, "layers": [{**LAYER, "annotations": {"a": 1}}]}, ""),
        ({**IMAGE, "annotations": {"a": "\ud800"}}, ""),
        ([IMAGE], ""),
        (b"", ""),
        (b"<html>", ""),
        (b"\xff\xfe{}", ""),
        (json.dumps(IMAGE).encode() + b"{}", ""),
        (json.dumps(IMAGE).encode()[:-1] + b', "layers": []}', ""),
        (json.dumps(IMAGE).encode()[:-1] + b', "x": NaN}', ""),
        (json.dumps(IMAGE).encode()[:-1] + b', "x": ' + b"[" * 65 + b"]" * 65 + b"}", ""),
        (json.dumps(IMAGE).encode()[:-1] + b', "x": ' + b"9" * 5000 + b"}", ""),
        (b"[" * 2_000_000, ""),
    ],
)
def test_what_two_readers_could_read_differently_is_malformed(body: Any, media_type: str) -> None:
    with pytest.raises(Malformed):
        read(body, media_type)


def test_other_bytes_than_the_digest_says_are_a_mismatch() -> None:
    with pytest.raises(DigestMismatch, match="altered"):
        parse(json.dumps(IMAGE).encode() + b" ", OCI_MANIFEST, digests.of(json.dumps(IMAGE).encode()))


@pytest.mark.parametrize(
    "raw",
    [
        b'"a' * 2_000_000,
        b'"\\' * 2_000_000,
        b'{"a":' * 800_000,
        b"{" + b",".join(b'"%d":1' % n for n in range(300_000)) + b',"1":1}',
    ],
    ids=["strings", "escapes", "objects", "keys"],
)
def test_four_megabytes_made_to_be_slow_are_malformed_before_the_test_run_is_over(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read(raw)


def test_a_giant_manifest_is_too_large_before_it_is_parsed() -> None:
    with pytest.raises(TooLarge):
        read(b" " * (4 << 20) + b"{}")


def test_more_than_a_thousand_layers_are_too_many() -> None:
    assert len(read({**IMAGE, "layers": [LAYER] * 1000}).layers) == 1000
    with pytest.raises(TooLarge):
        read({**IMAGE, "layers": [LAYER] * 1001})


@given(st.binary(max_size=200), st.integers(0, 400), st.sampled_from([IMAGE, INDEX]))
def test_damaged_manifests_raise_nothing_but_our_own_errors(noise: bytes, at: int, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    with contextlib.suppress(OciError):
        read(raw[:at] + noise + raw[at + len(noise) :])
