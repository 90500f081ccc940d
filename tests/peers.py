"""Registries that we did not write, as peers: Debian's docker-registry, and go-containerregistry's with referrers."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from cgexplorer.oci import digest as digests
from cgexplorer.oci.manifest import INDEX_TYPES, OCI_MANIFEST
from scripts.interop import toolchain
from scripts.interop.processes import Processes, free_port
from tests.fakes.source import MemorySource

USER, PASSWORD = "robot", "canary-pw"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuuyWhLMbgXIm8rlrkAAgEaJMps19wkcnW\n"  # bcrypt, which is all it takes
_CONFIG = """version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}
http: {addr: "%s"}
"""


@contextmanager
def debian(folder: Path, *, htpasswd: bool = False, more: str = "") -> Iterator[str]:
    """host:port of Debian's docker-registry with empty storage, or a skip. It has no referrers API. `more` is added to
    its configuration."""
    binary = shutil.which("docker-registry") or shutil.which("docker-registry", path="/usr/bin")
    if binary is None:
        pytest.skip("Debian's docker-registry is not installed")
    host = f"127.0.0.1:{free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    if htpasswd:
        (folder / "htpasswd").write_text(_HTPASSWD)
        more += f"auth: {{htpasswd: {{realm: peers, path: {folder / 'htpasswd'}}}}}\n"
    (folder / "config.yml").write_text(_CONFIG % (folder / "storage", host) + more)
    with Processes(folder) as processes:
        processes.start("docker-registry", [binary, "serve", str(folder / "config.yml")], answers=f"http://{host}/v2/")
        yield host


@contextmanager
def with_referrers(folder: Path) -> Iterator[str]:
    """host:port of go-containerregistry's registry (`crane registry serve`) with the referrers API, or a skip."""
    try:
        binary = toolchain.find("referrers-registry")
    except toolchain.Missing as error:
        pytest.skip(str(error))
    host = f"127.0.0.1:{free_port()}"
    with Processes(folder) as processes:
        processes.start("referrers-registry", [str(binary), host], answers=f"http://{host}/v2/")
        yield host


class Pusher:
    """What `docker push` does, in short. `authorization` gives the header for a repository."""

    def __init__(self, host: str, authorization: Callable[[str], str] = lambda _: "") -> None:
        self._authorization = authorization
        # No connection outlives its answer, so there is nothing to close.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=f"http://{host}", trust_env=False, verify=False, limits=limits)

    def load(self, source: MemorySource, repository: str) -> None:
        """All that a source in memory holds: blobs, manifests without children, indexes, tags."""
        for content in source.blobs.values():
            self.blob(repository, content)
        for raw in sorted(source.manifests.values(), key=lambda raw: json.loads(raw)["mediaType"] in INDEX_TYPES):
            self.manifest(repository, raw)
        for tag, digest in source.tagged.items():
            self.manifest(repository, source.manifests[digest], tag)

    def load_layout(self, directory: Path, repository: str) -> None:
        """What a layout has of one repository, which its names begin with."""
        blobs = {f"sha256:{blob.name}": blob.read_bytes() for blob in (directory / "blobs" / "sha256").iterdir()}
        named = [
            (entry, entry["annotations"]["org.opencontainers.image.ref.name"])
            for entry in json.loads((directory / "index.json").read_text())["manifests"]
        ]
        named = [(entry, name) for entry, name in named if name.startswith((f"{repository}:", f"{repository}@"))]
        for entry, name in sorted(named, key=lambda one: one[0]["mediaType"] in INDEX_TYPES):
            body = json.loads(blobs[entry["digest"]])
            for part in [body.get("config"), *body.get("layers", [])]:
                if part and part["digest"] in blobs:
                    self.blob(repository, blobs[part["digest"]])
            self.manifest(repository, blobs[entry["digest"]], name.removeprefix(repository)[1:])

    def blob(self, repository: str, content: bytes) -> None:
        start = self._good("POST", f"/v2/{repository}/blobs/uploads/", repository)
        where = urljoin(str(start.url), start.headers["location"])
        target = httpx.URL(where).copy_add_param("digest", digests.of(content))
        self._good("PUT", target, repository, content=content)

    def manifest(self, repository: str, raw: bytes, name: str = "") -> str:
        """Under its digest, or a name as well. Gives its digest."""
        digest = digests.of(raw)
        kind = json.loads(raw).get("mediaType", OCI_MANIFEST)
        where = f"/v2/{repository}/manifests/{name or digest}"
        self._good("PUT", where, repository, content=raw, headers={"Content-Type": kind})
        return digest

    def delete(self, repository: str, tag: str, digest: str) -> None:
        """The tag; where that cannot be (docker-registry), the manifest and with it every tag that points to it."""
        if not self._send("DELETE", f"/v2/{repository}/manifests/{tag}", repository).is_success:
            self._good("DELETE", f"/v2/{repository}/manifests/{digest}", repository)

    def _good(self, method: str, where: str | httpx.URL, repository: str, **more: Any) -> httpx.Response:
        answer = self._send(method, where, repository, **more)
        assert answer.is_success, answer.text
        return answer

    def _send(self, method: str, where: str | httpx.URL, repository: str, **more: Any) -> httpx.Response:
        headers = {**more.pop("headers", {}), "Authorization": self._authorization(repository)}
        return self._client.request(method, where, headers=headers, **more)
