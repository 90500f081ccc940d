"""The same questions to a registry that we did not write: Debian's docker-registry."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from cgexplorer.oci.errors import NotFound
from cgexplorer.oci.evidence import discover
from cgexplorer.oci.layout import Layout
from cgexplorer.oci.manifest import INDEX_TYPES
from cgexplorer.oci.registry import Registry, connect

BINARY = shutil.which("docker-registry") or shutil.which("docker-registry", path="/usr/bin")
CONFIG = """version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %s}}
http: {addr: "%s"}
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a running registry with empty storage."""
    if not BINARY:
        pytest.skip("Debian's docker-registry is not installed")
    folder = tmp_path_factory.mktemp("docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "config.yml").write_text(CONFIG % (folder / "storage", host))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([BINARY, "serve", str(folder / "config.yml")], stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(host, process, folder / "log")
            yield host
        finally:
            process.terminate()


def _wait_for(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(400):
        try:
            httpx.get(f"http://{host}/v2/", trust_env=False)
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"docker-registry does not answer: {log.read_text()}")


def _push(host: str, directory: Path, repository: str) -> None:
    """Blobs first, then manifests without children, then indexes, then names."""
    blobs = {f"sha256:{blob.name}": blob.read_bytes() for blob in (directory / "blobs" / "sha256").iterdir()}
    entries = [
        entry
        for entry in json.loads((directory / "index.json").read_text())["manifests"]
        if entry["annotations"]["org.opencontainers.image.ref.name"].startswith((f"{repository}:", f"{repository}@"))
    ]
    with httpx.Client(base_url=f"http://{host}", trust_env=False) as client:
        for entry in sorted(entries, key=lambda entry: entry["mediaType"] in INDEX_TYPES):
            body = json.loads(blobs[entry["digest"]])
            for part in [body.get("config"), *body.get("layers", [])]:
                if part and part["digest"] in blobs:
                    start = client.post(f"/v2/{repository}/blobs/uploads/")
                    where = urljoin(str(start.url), start.headers["location"])
                    content = blobs[part["digest"]]
                    client.put(httpx.URL(where).copy_add_param("digest", part["digest"]), content=content)
            name = entry["annotations"]["org.opencontainers.image.ref.name"].removeprefix(repository)[1:]
            answer = client.put(
                f"/v2/{repository}/manifests/{name}",
                content=blobs[entry["digest"]],
                headers={"Content-Type": entry["mediaType"]},
            )
            assert answer.status_code == 201, answer.text


@pytest.fixture
def registry(real: str) -> Iterator[Registry]:
    with connect(real, insecure=frozenset([real])) as registry:
        yield registry


@pytest.mark.parametrize("repository", ["d/annot", "d/att-spdx", "d/b-rekor2", "d/sig-and-bundle", "d/unsigned"])
def test_it_answers_as_the_layout_that_was_pushed_to_it(
    real: str, registry: Registry, shared: Path, repository: str
) -> None:
    _push(real, shared / "cosign-made", repository)
    layout = Layout(shared / "cosign-made")
    digest = registry.resolve(repository, "1.0")
    assert digest == layout.resolve(repository, "1.0")
    assert registry.manifest(repository, digest) == layout.manifest(repository, digest)
    assert discover(registry, repository, digest) == discover(layout, repository, digest)
    assert sorted(registry.tags(repository)) == sorted(layout.tags(repository))


def test_what_it_does_not_have_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFound):
        registry.resolve("no/such", "latest")
    with pytest.raises(NotFound):
        list(registry.tags("no/such"))
    with pytest.raises(NotFound):
        registry.blob("no/such", "sha256:" + "0" * 64, 1)
