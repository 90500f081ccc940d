"""Indexes that hold more than images: other indexes, and what BuildKit puts beside the images."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client

from cgexplorer import ingest
from cgexplorer.oci.manifest import OCI_INDEX, OCI_MANIFEST
from cgexplorer.store.models import IndexEntry, Manifest, SbomPackages
from cgexplorer.store.queries import consistency
from cgexplorer.store.record import tags
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, allow, attest, fetch, sign, spdx

pytestmark = pytest.mark.django_db


def entry(digest: str, platform: str = "", kind: str = OCI_MANIFEST, **annotations: str) -> dict[str, Any]:
    system, _, architecture = platform.partition("/")
    named = {"platform": {"os": system, "architecture": architecture}} if platform else {}
    return {"mediaType": kind, "digest": digest, "size": 7, "annotations": annotations, **named}


def push_index(source: MemorySource, tag: str, *entries: dict[str, Any]) -> str:
    return source._push({"mediaType": OCI_INDEX, "manifests": list(entries)}, tag)


def of_buildkit(source: MemorySource, about: str, platform: str = "unknown/unknown") -> dict[str, Any]:
    """As `docker buildx build --attest` leaves it: an in-toto statement as a layer of a manifest without an image."""
    statement = source.push_blob(b'{"_type": "https://in-toto.io/Statement/v0.1"}', "application/vnd.in-toto+json")
    manifest = source._push({"mediaType": OCI_MANIFEST, "config": source.push_blob(b"{}"), "layers": [statement]}, "")
    marks = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": about}
    return entry(manifest, platform, **marks)


@pytest.fixture
def source() -> MemorySource:
    allow()
    return MemorySource()


def signed_with_buildkit(source: MemorySource, platform: str = "unknown/unknown") -> None:
    image = source.push_image()
    index = push_index(source, "latest", entry(image, "linux/amd64"), of_buildkit(source, image, platform))
    sign(source, image)
    sign(source, index)


def test_an_index_is_stored_with_what_it_names_or_not_at_all(
    source: MemorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = source.push_image()
    push_index(source, "latest", entry(image, "linux/amd64"))

    def killed(*_: object) -> None:
        raise OperationalError("the connection was lost")

    with monkeypatch.context() as patched:
        patched.setattr(tags, "observe", killed)
        with pytest.raises(OperationalError):
            fetch(source)
    assert not Manifest.objects.filter(is_index=True).exists()
    fetch(source)
    assert consistency.violations() == []


@pytest.mark.parametrize("platform", ["unknown/unknown", ""])
def test_an_attestation_manifest_of_buildkit_is_no_platform_and_said_to_be_unsigned(
    source: MemorySource, client: Client, platform: str
) -> None:
    signed_with_buildkit(source, platform)
    report = fetch(source)
    assert [(one.platform, one.state) for one in report.manifests] == [
        ("", "verified"),
        ("linux/amd64", "verified"),
        ("unknown/unknown", "unsigned"),
    ]
    assert "BuildKit" in report.manifests[2].reason
    page = client.get(f"/images/{NAME}@{report.digest}").content.decode()
    assert "1 platform<" in page
    assert "BuildKit put 1 attestation manifest of its own into this index. What nobody signed" in page
    assert "nobody signed" in client.get(f"/images/{NAME}@{report.manifests[2].digest}").content.decode().lower()


def test_an_unsigned_attestation_manifest_of_buildkit_does_not_fail_a_verification(source: MemorySource) -> None:
    signed_with_buildkit(source)
    fetch(source)
    call_command("verify", f"{NAME}:latest", stdout=io.StringIO())


def test_an_image_with_buildkits_mark_and_a_platform_is_an_image(source: MemorySource) -> None:
    """Container runtimes run it, whatever its annotation says: being unsigned must not be excused."""
    signed_with_buildkit(source, "linux/arm64")
    assert [one.platform for one in fetch(source).manifests] == ["", "linux/amd64", "linux/arm64"]
    with pytest.raises(CommandError, match="unsigned"):
        call_command("verify", f"{NAME}:latest", stdout=io.StringIO())


def test_images_of_an_index_in_an_index_are_platforms_of_both_and_searched(source: MemorySource) -> None:
    amd64, arm64 = source.push_image(), source.push_image(platform="linux/arm64")
    inner = push_index(source, "", entry(arm64, "linux/arm64"))
    outer = push_index(source, "latest", entry(amd64, "linux/amd64"), entry(inner, kind=OCI_INDEX))
    for digest in (amd64, arm64, inner, outer):
        sign(source, digest)
    attest(source, arm64, spdx("openssl@3.3.1-r0"))
    report = fetch(source)
    assert [one.digest for one in report.manifests] == [outer, amd64, inner, arm64]
    assert {one.state for one in report.manifests} == {"verified"}
    assert entries(outer) == [("linux/amd64", amd64), ("linux/arm64", arm64)]
    assert entries(inner) == [("linux/arm64", arm64)]
    assert SbomPackages.objects.get().searchable


def entries(index: str) -> list[tuple[str, str]]:
    found = IndexEntry.objects.filter(index__digest=index).order_by("position")
    return list(found.values_list("platform", "manifest__digest"))


def nested(source: MemorySource, levels: int) -> list[str]:
    found = [source.push_image("latest" if not levels else "")]
    for level in range(levels):
        kind = OCI_INDEX if level else OCI_MANIFEST
        tag = "latest" if level == levels - 1 else ""
        found.append(push_index(source, tag, entry(found[-1], kind=kind)))
    return found


def test_an_index_in_an_index_in_an_index_is_as_deep_as_is_read(source: MemorySource) -> None:
    nested(source, 3)
    assert [one.problem for one in fetch(source).manifests] == [""] * 4


def test_what_lies_deeper_is_named_and_not_read(source: MemorySource) -> None:
    nested(source, 30)
    report = fetch(source)
    assert len(report.manifests) == 4
    assert report.manifests[-1].problem == ingest.TOO_DEEP
    assert Manifest.objects.count() == 4


def test_indexes_that_name_each_other_many_times_over_are_not_multiplied(source: MemorySource) -> None:
    """A hundred entries, each an index of a hundred entries: ten thousand requests for two hundred bytes."""
    image = source.push_image()
    inner = push_index(source, "", *[entry(image, "linux/amd64")] * 60)
    push_index(source, "latest", *[entry(inner, kind=OCI_INDEX)] * 60)
    report = fetch(source)
    assert len(report.manifests) <= 1 + ingest.MAX_CHILDREN
    assert ingest.TOO_DEEP in {one.problem for one in report.manifests}
