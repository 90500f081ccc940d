"""Honest layouts, named in every way that tools name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgexplorer.oci.errors import Malformed, NotFound, NotInLayout
from cgexplorer.oci.layout import Layout, LayoutEntry
from tests.oci.crafted import CraftedLayout, own_tag


@pytest.fixture
def crafted(tmp_path: Path) -> CraftedLayout:
    return CraftedLayout(tmp_path)


@pytest.mark.parametrize(
    ("name", "repository", "tag"),
    [
        ("latest", "", "latest"),
        ("18.4", "", "18.4"),
        ("d/annot:1.0", "d/annot", "1.0"),
        ("cgr.dev/chainguard/postgres:18.4", "cgr.dev/chainguard/postgres", "18.4"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b", "c"),
        ("cgr.dev/chainguard/postgres", "cgr.dev/chainguard/postgres", ""),
        ("", "", ""),
        ("../../etc/passwd", "", ""),
    ],
)
def test_a_name_is_a_tag_or_a_repository_with_a_tag(
    crafted: CraftedLayout, name: str, repository: str, tag: str
) -> None:
    digest = crafted.enter(crafted.image(), name)
    assert Layout(crafted.directory).references() == (LayoutEntry(repository, tag, digest),)


def test_docker_save_puts_the_repository_beside_the_tag(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "3.20", **{"io.containerd.image.name": "docker.io/library/alpine:3.20"})
    layout = Layout(crafted.directory)
    assert layout.references() == (LayoutEntry("docker.io/library/alpine", "3.20", digest),)
    assert layout.resolve("library/alpine", "3.20") == digest


@pytest.mark.parametrize("asked", ["", "chainguard/go", "cgr.dev/chainguard/go", "any/other"])
def test_a_repository_is_found_with_or_without_its_registry_and_an_unknown_one_is_not_needed(
    crafted: CraftedLayout, asked: str
) -> None:
    digest = crafted.enter(crafted.image(), "cgr.dev/chainguard/go:1")
    layout = Layout(crafted.directory)
    assert layout.resolve(asked, "1") == digest
    assert list(layout.tags(asked)) == ["1"]


def test_a_tag_of_several_repositories_must_be_asked_with_one(crafted: CraftedLayout) -> None:
    first = crafted.enter(crafted.image(annotations={"n": "1"}), "a/x:1")
    second = crafted.enter(crafted.image(annotations={"n": "2"}), "a/y:1")
    layout = Layout(crafted.directory)
    assert (layout.resolve("a/x", "1"), layout.resolve("a/y", "1")) == (first, second)
    with pytest.raises(Malformed, match="a/x, a/y"):
        layout.resolve("", "1")


def test_a_missing_tag_is_not_found(crafted: CraftedLayout) -> None:
    with pytest.raises(NotFound):
        Layout(crafted.directory).resolve("", "latest")


def test_cosigns_own_tags_are_tags_but_no_images(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    crafted.enter(crafted.image(annotations={"a": "sig"}), own_tag(digest, ".sig"))
    crafted.enter(crafted.index([]), own_tag(digest))
    layout = Layout(crafted.directory)
    assert [entry.tag for entry in layout.references()] == ["latest"]
    assert list(layout.tags("")) == ["latest", own_tag(digest, ".sig"), own_tag(digest)]


def test_a_platform_listed_beside_its_index_is_nested(crafted: CraftedLayout) -> None:
    child = crafted.image()
    digest = crafted.enter(crafted.index([child]), "latest")
    crafted.enter(child, "arm64")
    layout = Layout(crafted.directory)
    assert layout.references() == (LayoutEntry("", "latest", digest),)
    assert LayoutEntry("", "arm64", child["digest"]) in layout.references(nested=True)
    assert layout.resolve("", "arm64") == child["digest"]


def test_what_cosign_save_puts_after_an_image_belongs_to_it(crafted: CraftedLayout) -> None:
    images = [crafted.image(annotations={"n": str(n)}) for n in range(2)]
    saved = []
    for n, image in enumerate(images):
        crafted.enter(image, kind="dev.cosignproject.cosign/image")
        saved.append(crafted.enter(crafted.image(annotations={"s": str(n)}), kind="dev.cosignproject.cosign/sigs"))
    layout = Layout(crafted.directory)
    assert [layout.resolve("", own_tag(image["digest"], ".sig")) for image in images] == saved
    assert [entry.digest for entry in layout.references()] == [image["digest"] for image in images]


def test_referrers_are_the_entries_whose_subject_it_is_and_the_children_of_the_fallback_tag(
    crafted: CraftedLayout,
) -> None:
    image = crafted.image()
    digest = crafted.enter(image, "latest")
    listed = crafted.enter(crafted.image(subject=image, annotations={"n": "1"}))
    behind = crafted.image(subject=image, annotations={"n": "2"})
    crafted.enter(crafted.index([behind]), own_tag(digest))
    layout = Layout(crafted.directory)
    assert [one.digest for one in layout.referrers("", digest)] == [listed, behind["digest"]]
    assert [entry.digest for entry in layout.references()] == [digest]


def test_nothing_attached_is_an_empty_answer(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    assert Layout(crafted.directory).referrers("", digest) == ()


def test_a_layout_proves_nothing_about_an_image_that_it_does_not_hold(crafted: CraftedLayout) -> None:
    with pytest.raises(NotInLayout):
        Layout(crafted.directory).referrers("", "sha256:" + "0" * 64)


def test_an_entry_without_a_name_that_cannot_be_read_may_be_a_referrer(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    lost = crafted.enter(crafted.image(annotations={"x": "y"}))
    crafted.path(lost).unlink()
    assert [one.digest for one in Layout(crafted.directory).referrers("", digest)] == [lost]


def test_every_repository_of_one_layout_keeps_its_own_tags(shared: Path) -> None:
    layout = Layout(shared / "cosign-made")
    assert len({entry.repository for entry in layout.references()}) == 34
    assert [entry.tag for entry in layout.references() if entry.repository == "d/annot"] == ["1.0"]
    assert {entry.tag for entry in layout.references()} == {"1.0"}
