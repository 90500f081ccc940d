"""Layouts that stock skopeo, crane, oras and cosign wrote, imported: what they bring is verified, and what they leave
behind is not called missing."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from cgexplorer.store.models import Manifest
from scripts.interop import toolchain
from tests.fakes.registry import FakeRegistry
from tests.fakes.sigstore import SPDX
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, allow, fetch, signed_image, sigstore, spdx

pytestmark = pytest.mark.django_db

WAYS = {
    "crane": "crane pull --insecure --format=oci {image} {layout}",
    "skopeo": "skopeo copy -q --src-tls-verify=false docker://{image} oci:{layout}:latest",
    "skopeo --all": "skopeo copy -q --all --src-tls-verify=false docker://{image} oci:{layout}:latest",
    "oras": "oras cp --no-tty --from-plain-http --to-oci-layout {image} {layout}:latest",
    "oras -r": "oras cp -r --no-tty --from-plain-http --to-oci-layout {image} {layout}:latest",
    "cosign 2": "cosign save --dir {layout} {image}",
    "cosign 3": "cosign save --dir {layout} {image}",
}


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


def saved(way: str, image: str, layout: Path) -> Path:
    """The folder that the tool made; a skip where it is not there."""
    name, *arguments = WAYS[way].format(image=image, layout=layout).split()
    try:
        major = int(way.split()[1]) if name == "cosign" else None
        binary = shutil.which(name) if name == "skopeo" else str(toolchain.find(name, major))
    except toolchain.Missing as error:
        pytest.skip(str(error))
    if binary is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return layout


def take(registry: FakeRegistry, source: MemorySource, way: str, folder: Path) -> dict[str, str]:
    """Platform → state of each manifest after a tool copied `latest` and its folder was imported."""
    registry.load(source, "app")
    layout = saved(way, f"{registry.host}/app:latest", folder / "layout")
    allow()
    call_command("import_layout", layout, "--as", f"{NAME}:latest", stdout=io.StringIO())
    return dict(Manifest.objects.values_list("platform", "state"))


def with_bundles() -> MemorySource:
    source, one = MemorySource(), sigstore()
    digest = source.push_image("latest")
    for bundle in (one.bundle(digest, one.leaf()), one.bundle(digest, one.leaf(), SPDX, spdx("openssl@3.3.1-r0"))):
        source.refer(digest, json.dumps(bundle).encode())
    return source


@pytest.mark.parametrize("way", ["crane", "skopeo", "skopeo --all", "oras", "oras -r"])
def test_an_image_that_was_copied_without_its_signature_tags_is_not_called_unsigned(
    registry: FakeRegistry, tmp_path: Path, way: str
) -> None:
    assert take(registry, signed_image(), way, tmp_path) == {"linux/amd64": "could-not-check"}
    assert "proves nothing" in Manifest.objects.get().state_reason


@pytest.mark.parametrize("way", ["crane", "skopeo", "oras", "cosign 2", "cosign 3"])
def test_an_image_that_was_copied_without_its_bundles_is_not_called_unsigned(
    registry: FakeRegistry, tmp_path: Path, way: str
) -> None:
    """cosign save copies the two classic tags only, though cosign 3 signs by attached bundles."""
    assert take(registry, with_bundles(), way, tmp_path) == {"linux/amd64": "could-not-check"}


@pytest.mark.parametrize("way", ["cosign 2", "cosign 3"])
def test_what_cosign_saves_is_verified(registry: FakeRegistry, tmp_path: Path, way: str) -> None:
    assert take(registry, signed_image(), way, tmp_path) == {"linux/amd64": "verified"}


def test_what_oras_copies_with_all_that_is_attached_is_verified(registry: FakeRegistry, tmp_path: Path) -> None:
    assert take(registry, with_bundles(), "oras -r", tmp_path) == {"linux/amd64": "verified"}


@pytest.mark.parametrize(("way", "index"), [("skopeo --all", "could-not-check"), ("oras -r", "verified")])
def test_an_index_is_imported_with_every_platform(registry: FakeRegistry, tmp_path: Path, way: str, index: str) -> None:
    source, one = MemorySource(), sigstore()
    platforms = {name: source.push_image(platform=f"linux/{name}") for name in ("amd64", "arm64")}
    top = source.push_index("latest", **platforms)
    source.refer(top, json.dumps(one.bundle(top, one.leaf())).encode())
    states = take(registry, source, way, tmp_path)
    assert states == {"": index, "linux/amd64": "could-not-check", "linux/arm64": "could-not-check"}


def test_a_copy_without_signatures_takes_nothing_from_what_the_registry_had(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    source = signed_image()
    allow()
    fetch(source)
    assert take(registry, source, "skopeo", tmp_path) == {"linux/amd64": "verified"}
    call_command("verify", f"{NAME}:latest", stdout=io.StringIO())
    assert Manifest.objects.get().state == "verified"
