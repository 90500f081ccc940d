"""A registry on loopback with its content in memory, and a switch for each way in which registries misbehave."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cgexplorer.oci import digest as digests
from cgexplorer.oci.manifest import OCI_INDEX, OCI_MANIFEST
from tests.fakes.registry.faults import AT_TOKEN, Fault, Misbehaving, altered
from tests.fakes.source import MemorySource

__all__ = ["FakeRegistry", "Fault", "Repository", "listening"]

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<what>manifests|blobs|tags|referrers)/(?P<name>[^/]+)")
_had: set[int] = set()  # ports: rows of an earlier registry would be taken for those of the next one there


def listening(handler: type[BaseHTTPRequestHandler], ports: Iterable[int] = ()) -> ThreadingHTTPServer:
    """A server on a port that no registry of this process had: one of these, or any."""
    for port in ports or repeat(0):
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        if server.server_address[1] not in _had:
            _had.add(server.server_address[1])
            return server
        server.server_close()
    raise OSError("Each of these ports was a registry's.")


@dataclass
class Repository:
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # digest → media type, bytes
    tags: dict[str, str] = field(default_factory=dict)


class FakeRegistry:
    """`with FakeRegistry() as registry:` listens on `registry.host`. Faults hit paths that contain `fault_at`."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.referrers_api = True
        self.token_auth = False
        self.basic_auth: tuple[str, str] | None = None
        self.head_tells_digest = True
        self.page_size = 1000
        self.max_page = 10_000  # n above it is an error 400
        self.link_base = ""  # what Link begins with: "" is relative
        self.links = True  # whether there is one
        self.begins_anew = False  # whether the list after its last tag is the whole list again
        self.referrers_status = 404  # without the API
        self.retry_after = "7"
        self.retry_date = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1000), usegmt=True)
        self.forms: list[str] = []  # posted to the token service
        self.unlisted: set[str] = set()  # tags that are there and missing from the list
        self.flipping: tuple[str, str] | None = None  # digests between which `latest` moves at every request
        self.flips = 0
        self.fault = Fault.NONE
        self.fault_at = ""
        self.elsewhere = ""  # host:port for the faults that lead elsewhere
        self.requests: list[tuple[str, str, str]] = []  # method, path with query, Authorization
        self.hits: Counter[str] = Counter()
        self.latency_s = 0.0  # of every answer
        self.under_way, self.peak = 0, 0  # requests without an answer yet, now and at most
        self.counting = threading.Lock()
        self.release = threading.Event()  # ends slow answers when the test is over
        self._server = listening(_handler(self))
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up are meant to
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def repository(self, name: str) -> Repository:
        return self.repositories.setdefault(name, Repository())

    def push_blob(self, repository: str, content: bytes) -> dict[str, Any]:
        digest = digests.of(content)
        self.repository(repository).blobs[digest] = content
        return {"mediaType": "application/octet-stream", "digest": digest, "size": len(content)}

    def push(self, repository: str, body: dict[str, Any] | bytes, tag: str = "", media_type: str = "") -> str:
        """Store a manifest; answers its digest."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        digest = digests.of(raw)
        kind = media_type or json.loads(raw).get("mediaType", OCI_MANIFEST)
        self.repository(repository).manifests[digest] = (kind, raw)
        if tag:
            self.repository(repository).tags[tag] = digest
        return digest

    def push_image(self, repository: str, tag: str = "", **more: Any) -> str:
        config = self.push_blob(repository, b"{}")
        return self.push(
            repository, {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [], **more}, tag
        )

    def push_signed(
        self, repository: str, layers: list[tuple[str, bytes, dict[str, str]]], tag: str = "", **more: Any
    ) -> str:
        """A manifest of layers given as media type, content and annotations."""
        described = [
            {**self.push_blob(repository, content), "mediaType": kind, "annotations": annotations}
            for kind, content, annotations in layers
        ]
        return self.push_image(repository, tag, **{**more, "layers": described})

    def load(self, source: MemorySource, repository: str) -> None:
        """All that a source in memory holds."""
        for content in source.blobs.values():
            self.push_blob(repository, content)
        for raw in source.manifests.values():
            self.push(repository, raw)
        self.repository(repository).tags.update(source.tagged)

    def load_layout(self, directory: Path, repository: str) -> None:
        """All of a layout under one repository, names as tags."""
        for blob in (directory / "blobs" / "sha256").iterdir():
            self.push_blob(repository, blob.read_bytes())
        for entry in json.loads((directory / "index.json").read_text())["manifests"]:
            name = entry.get("annotations", {}).get("org.opencontainers.image.ref.name", "")
            self._push_from_blobs(repository, entry["digest"], entry["mediaType"], name)

    def _push_from_blobs(self, repository: str, digest: str, media_type: str, tag: str = "") -> None:
        raw = self.repository(repository).blobs.get(digest)
        if raw is None:
            return
        self.push(repository, raw, tag, media_type)
        for child in json.loads(raw).get("manifests", []):
            self._push_from_blobs(repository, child["digest"], child["mediaType"])


def _handler(registry: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        fake = registry

    return Handler


class _Handler(Misbehaving):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self.fake.forms.append(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        self._serve()

    def _serve(self) -> None:
        authorization = self.headers.get("Authorization", "")
        self.fake.requests.append((self.command, self.path, authorization))
        if self.fake.flipping:
            for repository in self.fake.repositories.values():
                repository.tags["latest"] = self.fake.flipping[self.fake.flips % 2]
            self.fake.flips += 1
        with self.fake.counting:
            self.fake.under_way += 1
            self.fake.peak = max(self.fake.peak, self.fake.under_way)
        time.sleep(self.fake.latency_s)
        with self.fake.counting:
            self.fake.under_way -= 1
        try:
            if self.path.startswith("/token"):
                self._token(authorization)
            elif not self._is_hit() or not self._misbehave():
                self._content(authorization)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _is_hit(self) -> bool:
        """Faults wait until we are let in, so that credentials are at stake whenever there are some."""
        fake = self.fake
        return fake.fault is not Fault.NONE and fake.fault_at in self.path

    def _send(self, status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        names = {name.replace("_", "-"): text for name, text in headers.items()}
        for name, text in {"Content-Type": kind, "Content-Length": str(len(body)), **names}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str, **headers: str) -> None:
        canary = "<script>canary-of-the-error-body</script>"
        self._send(status, json.dumps({"errors": [{"code": code, "message": canary}]}).encode(), **headers)

    # -- authorisation

    def _token(self, authorization: str) -> None:
        fake = self.fake
        if fake.fault in AT_TOKEN:
            self._bad_token(fake.fault)
        elif fake.basic_auth and not self._knows_password(authorization):
            self._error(401, "UNAUTHORIZED")
        else:
            asked = fake.forms[-1] if self.command == "POST" else urlsplit(self.path).query
            scope = parse_qs(asked).get("scope", [""])[0]
            self._send(200, json.dumps({"token": f"T-{scope}", "expires_in": 300}).encode())

    def _bad_token(self, fault: Fault) -> None:
        if fault is Fault.TOKEN_NOT_JSON:
            self._send(200, b"<html>log in</html>", "text/html")
        elif fault is Fault.TOKEN_TWO_LINES:
            self._send(200, b'{"token": "abc\\r\\nX-Injected: yes"}')
        elif fault is Fault.TOKEN_ELSEWHERE:
            self._send(307, Location=f"http://{self.fake.elsewhere}{self.path}")
        else:
            self._endless(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            )

    def _knows_password(self, authorization: str) -> bool:
        assert self.fake.basic_auth is not None
        expected = "Basic " + base64.b64encode(":".join(self.fake.basic_auth).encode()).decode()
        return authorization == expected

    def _let_in(self, authorization: str, repository: str) -> bool:
        fake = self.fake
        if fake.token_auth:
            if authorization == f"Bearer T-repository:{repository}:pull":
                return True
            realm = {
                Fault.REALM_ELSEWHERE: f"http://{fake.elsewhere}/token",
                Fault.REALM_HTTP_PRIVATE: "http://169.254.169.254/token",
                Fault.REALM_FILE: "file:///etc/passwd",
            }.get(fake.fault, f"http://{fake.host}/token")
            challenge = f'Bearer realm="{realm}",service="fake",scope="repository:{repository}:pull,push"'
            self._error(401, "UNAUTHORIZED", WWW_Authenticate=challenge)
            return False
        if fake.basic_auth and not self._knows_password(authorization):
            self._error(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="fake"')
            return False
        return True

    # -- content

    def _content(self, authorization: str) -> None:
        if self.path == "/v2/":  # what other clients ask first
            return self._send(200, b"{}")
        asked = _PATH.fullmatch(urlsplit(self.path).path)
        if not asked:
            return self._error(404, "UNSUPPORTED")
        name, what, repository = asked["name"], asked["what"], self.fake.repositories.get(asked["repository"])
        if not self._let_in(authorization, asked["repository"]):
            return None
        if repository is None:
            return self._error(404, "NAME_UNKNOWN")
        answers = {
            "manifests": self._manifest,
            "blobs": self._blob,
            "tags": self._tags,
            "referrers": self._referrers,
        }
        return answers[what](repository, name)

    def _manifest(self, repository: Repository, name: str) -> None:
        digest = name if digests.is_digest(name) else repository.tags.get(name, "")
        if not digest and self.fake.fault is Fault.IMAGE_FOR_ANY_TAG:
            digest = next(iter(repository.tags.values()))
        if digest not in repository.manifests:
            return self._error(404, "MANIFEST_UNKNOWN")
        kind, raw = repository.manifests[digest]
        told = {"Docker_Content_Digest": digest} if self.fake.head_tells_digest else {}
        if self._is_hit():
            kind, raw, lies = altered(self.fake.fault, kind, digest, raw)
            told |= lies
        return self._send(200, raw, kind, **told)

    def _blob(self, repository: Repository, name: str) -> None:
        if name not in repository.blobs:
            return self._error(404, "BLOB_UNKNOWN")
        kind, raw = "application/octet-stream", repository.blobs[name]
        if self._is_hit():
            kind, raw, _ = altered(self.fake.fault, kind, name, raw)
        return self._send(200, raw, kind)

    def _tags(self, repository: Repository, _: str) -> None:
        query = parse_qs(urlsplit(self.path).query)
        last, n = query.get("last", [""])[0], int(query.get("n", ["0"])[0])
        if n > self.fake.max_page:
            return self._error(400, "PAGINATION_NUMBER_INVALID")
        listed = [tag for tag in sorted(repository.tags) if tag not in self.fake.unlisted]
        rest = [tag for tag in listed if tag > last] or (listed if self.fake.begins_anew else [])
        page, more = rest[: self.fake.page_size], rest[self.fake.page_size :]
        path = self.fake.link_base + urlsplit(self.path).path
        link = {"Link": f'<{path}?n={len(page)}&last={page[-1]}>; rel="next"'} if more and self.fake.links else {}
        return self._send(200, json.dumps({"name": "x", "tags": page}).encode(), **link)

    def _referrers(self, repository: Repository, digest: str) -> None:
        if not self.fake.referrers_api:
            location = {"Location": f"http://{self.fake.elsewhere}/"} if self.fake.referrers_status == 303 else {}
            return self._error(self.fake.referrers_status, "UNSUPPORTED", **location)
        found = [
            {"mediaType": kind, "digest": one, "size": len(raw), "artifactType": "application/vnd.oci.empty.v1+json"}
            for one, (kind, raw) in repository.manifests.items()
            if (json.loads(raw).get("subject") or {}).get("digest") == digest
        ]
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
        return self._send(200, json.dumps(body).encode(), OCI_INDEX)
