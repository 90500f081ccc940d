"""Layouts made to harm: whatever a folder holds, only checked bytes of regular files inside it come out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cgexplorer.oci import digest as digests
from cgexplorer.oci.errors import DigestMismatch, Malformed, NotInLayout, OciError, Refused, TooLarge
from cgexplorer.oci.layout import Layout
from tests.oci.crafted import CraftedLayout

SECRET = b"a secret outside of the layout"


@pytest.fixture
def crafted(tmp_path: Path) -> CraftedLayout:
    (tmp_path / "secret").write_bytes(SECRET)
    return CraftedLayout(tmp_path / "layout")


def ask(crafted: CraftedLayout, digest: str) -> bytes:
    return Layout(crafted.directory).blob("", digest, len(SECRET))


def test_an_honest_blob_is_read(crafted: CraftedLayout) -> None:
    assert ask(crafted, crafted.blob(SECRET)["digest"]) == SECRET


@pytest.mark.parametrize(
    "digest", ["sha256:../../../secret", "../secret", "sha256:" + "0" * 63 + "/", "sha512:" + "0" * 128]
)
def test_a_digest_that_is_a_path_is_malformed(crafted: CraftedLayout, digest: str) -> None:
    with pytest.raises(Malformed):
        ask(crafted, digest)


def test_an_index_with_a_path_for_a_digest_is_malformed(crafted: CraftedLayout) -> None:
    crafted.enter({"mediaType": "x", "digest": "sha256:../../../secret", "size": 1}, "latest")
    with pytest.raises(Malformed):
        Layout(crafted.directory)


def test_a_blob_that_is_a_symbolic_link_is_refused_even_to_the_right_bytes(crafted: CraftedLayout) -> None:
    crafted.path(digests.of(SECRET)).symlink_to(crafted.directory.parent / "secret")
    with pytest.raises(Refused, match="symbolic link"):
        ask(crafted, digests.of(SECRET))


@pytest.mark.parametrize("folder", ["blobs", "blobs/sha256"])
def test_a_folder_that_is_a_symbolic_link_is_refused(crafted: CraftedLayout, folder: str) -> None:
    digest = crafted.blob(SECRET)["digest"]
    moved = crafted.directory.parent / "moved"
    (crafted.directory / folder).rename(moved)
    (crafted.directory / folder).symlink_to(moved, target_is_directory=True)
    with pytest.raises(Refused):
        ask(crafted, digest)


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_an_index_or_marker_that_is_a_symbolic_link_is_refused(crafted: CraftedLayout, name: str) -> None:
    file = crafted.directory / name
    file.rename(crafted.directory.parent / name)
    file.symlink_to(crafted.directory.parent / name)
    with pytest.raises(Refused):
        Layout(crafted.directory)


def test_a_fifo_is_refused_without_waiting_for_a_writer(crafted: CraftedLayout) -> None:
    os.mkfifo(crafted.path(digests.of(SECRET)))
    with pytest.raises(Refused, match="regular"):
        ask(crafted, digests.of(SECRET))


def test_a_hard_link_to_a_fifo_is_refused(crafted: CraftedLayout) -> None:
    os.mkfifo(crafted.directory / "fifo")
    os.link(crafted.directory / "fifo", crafted.path(digests.of(SECRET)))
    with pytest.raises(Refused, match="regular"):
        ask(crafted, digests.of(SECRET))


def test_a_device_is_refused(crafted: CraftedLayout) -> None:
    try:
        os.mknod(crafted.path(digests.of(SECRET)), 0o020666, os.makedev(1, 5))  # /dev/zero
    except OSError:
        pytest.skip("this user may not make a device")
    with pytest.raises(Refused, match="regular"):
        ask(crafted, digests.of(SECRET))


def test_a_folder_in_the_place_of_a_blob_is_refused(crafted: CraftedLayout) -> None:
    crafted.path(digests.of(SECRET)).mkdir()
    with pytest.raises(Refused, match="regular"):
        ask(crafted, digests.of(SECRET))


def test_an_altered_blob_is_a_mismatch(crafted: CraftedLayout) -> None:
    digest = crafted.blob(SECRET)["digest"]
    crafted.path(digest).write_bytes(SECRET.swapcase())
    with pytest.raises(DigestMismatch, match="altered"):
        ask(crafted, digest)


def test_an_altered_manifest_is_a_mismatch(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    crafted.path(digest).write_bytes(crafted.path(digest).read_bytes() + b" ")
    with pytest.raises(DigestMismatch):
        Layout(crafted.directory).manifest("", digest)


def test_a_blob_of_another_size_than_its_manifest_says_is_a_mismatch(crafted: CraftedLayout) -> None:
    digest = crafted.blob(SECRET)["digest"]
    with pytest.raises(DigestMismatch, match="31"):
        Layout(crafted.directory).blob("", digest, 31)


def test_a_missing_blob_is_not_in_the_layout(crafted: CraftedLayout) -> None:
    with pytest.raises(NotInLayout):
        ask(crafted, digests.of(SECRET))


def test_a_sparse_giant_is_too_large_before_a_byte_is_read(crafted: CraftedLayout) -> None:
    digest = crafted.blob(SECRET)["digest"]
    os.truncate(crafted.path(digest), 1 << 40)
    with pytest.raises(TooLarge):
        ask(crafted, digest)


def test_a_declared_giant_is_too_large(crafted: CraftedLayout) -> None:
    with pytest.raises(TooLarge):
        Layout(crafted.directory).blob("", digests.of(SECRET), 1 << 40)


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_a_giant_index_or_marker_is_too_large(crafted: CraftedLayout, name: str) -> None:
    os.truncate(crafted.directory / name, 33 << 20)
    with pytest.raises(TooLarge):
        Layout(crafted.directory)


@pytest.mark.parametrize(
    "text",
    [
        '{"schemaVersion": 2, "manifests": [], "manifests": []}',
        '{"schemaVersion": 2, "manifests": [], "layers": []}',
        '{"schemaVersion": 2}',
        '{"schemaVersion": 2, "manifests": {}}',
        '{"schemaVersion": 2, "manifests": [{"digest": 1, "size": 1}]}',
        "[" * 100_000,
        "not JSON",
        "",
    ],
)
def test_an_index_that_readers_could_read_differently_is_malformed(crafted: CraftedLayout, text: str) -> None:
    (crafted.directory / "index.json").write_text(text)
    with pytest.raises(Malformed):
        Layout(crafted.directory)


@pytest.mark.parametrize("version", ["2.0.0", "", None, 1])
def test_another_version_of_the_layout_is_malformed(crafted: CraftedLayout, version: object) -> None:
    (crafted.directory / "oci-layout").write_text(json.dumps({"imageLayoutVersion": version}))
    with pytest.raises(Malformed, match=r"1\.0\.0"):
        Layout(crafted.directory)


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_a_folder_that_is_no_layout_is_told_by_what_it_lacks(crafted: CraftedLayout, name: str) -> None:
    (crafted.directory / name).unlink()
    with pytest.raises(Malformed, match=name):
        Layout(crafted.directory)


def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(OciError):
        Layout(tmp_path / "nothing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OciError):
        Layout(tmp_path / "file")


def test_a_manifest_in_another_place_than_its_digest_is_not_believed(crafted: CraftedLayout) -> None:
    good = crafted.enter(crafted.image(), "latest")
    crafted.path(good).rename(crafted.path("sha256:" + "1" * 64))
    with pytest.raises(DigestMismatch):
        Layout(crafted.directory).manifest("", "sha256:" + "1" * 64)
