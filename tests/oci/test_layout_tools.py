"""Layouts as crane 0.20, oras 1.2, skopeo and cosign 2 and 3 write them, of an index of two platforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cgexplorer.oci.evidence import Kind, discover
from cgexplorer.oci.layout import Layout, LayoutEntry
from cgexplorer.oci.signed_forms import SIMPLE_SIGNING
from tests.oci.crafted import CraftedLayout

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NAME = "registry.example/team/app"


class Made:
    def __init__(self, folder: Path) -> None:
        self.layout = CraftedLayout(folder)
        self.platforms = [self.layout.image(annotations={"n": name}) for name in ("amd64", "arm64")]
        self.index = self.layout.index(self.platforms)
        self.digest = str(self.index["digest"])

    def signature(self, **more: Any) -> dict[str, Any]:
        return self.layout.image([self.layout.blob(b"signed", SIMPLE_SIGNING)], **more)

    def bundle(self) -> dict[str, Any]:
        layers = [self.layout.blob(b"{}", BUNDLE)]
        return self.layout.image(layers, subject=self.index, artifactType=BUNDLE)

    def read(self) -> Layout:
        return Layout(self.layout.directory)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "layout")


def test_crane_names_nothing_unless_asked(made: Made) -> None:
    """crane pull --format=oci"""
    made.layout.enter(made.index)
    assert made.read().references() == (LayoutEntry("", "", made.digest),)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        (f"{NAME}:1.0", (NAME, "1.0", False)),  # crane pull --annotate-ref, skopeo copy … oci:DIR:NAME:1.0
        ("1.0", ("", "1.0", False)),  # skopeo copy … oci:DIR:1.0, oras copy --to-oci-layout … DIR:1.0
        (f"{NAME}@sha256:{'0' * 64}", (NAME, "", True)),  # crane pull --annotate-ref of a digest
    ],
)
def test_a_name_is_a_whole_reference_or_a_tag(made: Made, name: str, entry: tuple[str, str, bool]) -> None:
    made.layout.enter(made.index, name)
    repository, tag, by_digest = entry
    assert made.read().references() == (LayoutEntry(repository, tag, made.digest, by_digest),)


def test_oras_lists_platforms_and_referrers_without_names(made: Made) -> None:
    """oras copy -r --to-oci-layout NAME:1.0 DIR:1.0"""
    made.layout.enter(made.index, "1.0")
    made.layout.enter(made.bundle())
    for platform in made.platforms:
        made.layout.enter(platform)
    layout = made.read()
    assert layout.references() == (LayoutEntry("", "1.0", made.digest),)
    found = discover(layout, "team/app", made.digest)
    assert [(one.media_type, one.kind) for one in found.evidence] == [(BUNDLE, Kind.ATTESTATION)]
    assert found.problems == ()
    assert discover(layout, "team/app", str(made.platforms[0]["digest"])).evidence == ()


def test_oras_lists_the_index_after_its_platforms_when_it_is_copied_by_its_digest(made: Made) -> None:
    for one in (*made.platforms, made.index, made.bundle()):
        made.layout.enter(one)
    assert made.read().references() == (LayoutEntry("", "", made.digest),)
    assert len(discover(made.read(), "team/app", made.digest).evidence) == 1


def test_cosign_save_marks_the_index_and_its_signatures(made: Made) -> None:
    made.layout.enter(made.index, kind="dev.cosignproject.cosign/imageIndex")
    made.layout.enter(made.signature(), kind="dev.cosignproject.cosign/sigs")
    made.layout.enter(made.signature(annotations={"x": "att"}), kind="dev.cosignproject.cosign/atts")
    layout = made.read()
    assert layout.references() == (LayoutEntry("", "", made.digest),)
    found = discover(layout, "team/app", made.digest)
    assert [one.kind for one in found.evidence] == [Kind.SIGNATURE, Kind.ATTESTATION]
    assert found.problems == ()
