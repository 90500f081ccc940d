"""A registry on loopback with its content in memory, and a switch for each way in which registries misbehave."""

from __future__ import annotations

import base64
import json
import re
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cgexplorer.oci import digest as digests
from cgexplorer.oci.manifest import OCI_INDEX, OCI_MANIFEST

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<what>manifests|blobs|tags|referrers)/(?P<name>[^/]+)")


class Fault(StrEnum):
    NONE = "none"
    ERROR_500 = "500"
    ERROR_503_ONCE = "503 once"
    TOO_MANY = "429 with Retry-After"
    TOO_MANY_ONCE = "429 once"
    FORBIDDEN = "403"
    UNAUTHORIZED_FOREVER = "401 whatever is sent"
    NO_REPOSITORY = "404 repository"
    RESET = "connection reset"
    RESET_ONCE = "connection reset once"
    TRUNCATED = "body shorter than its Content-Length"
    WRONG_BYTES = "other bytes than the digest says"
    WRONG_TYPE = "content type of another kind of manifest"
    SLOW_BODY = "a byte now and then"
    SILENT = "no answer at all"
    GIANT_BODY = "endless body"
    GIANT_DECLARED = "Content-Length of 10 GiB"
    GZIPPED = "Content-Encoding nobody asked for"
    REDIRECT_ELSEWHERE = "redirect to another host"
    REDIRECT_LOOP = "redirect to itself"
    REDIRECT_FILE = "redirect to a file"
    REALM_ELSEWHERE = "token service on another host"
    REALM_HTTP_PRIVATE = "token service on a private address"
    ENDLESS_LINK = "Link to the same page"
    GROWING_LINK = "Link to ever other pages"
    LINK_ELSEWHERE = "Link to another host"
    HTML = "HTML with status 200"
    EMPTY = "empty body"
    NOT_HTTP = "not HTTP"
    IMAGE_FOR_ANY_TAG = "any missing tag is the image"
    TOKEN_NOT_JSON = "token answer is HTML"
    TOKEN_GIANT = "endless token answer"


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
        self.fault = Fault.NONE
        self.fault_at = ""
        self.elsewhere = ""  # host:port for the faults that lead elsewhere
        self.requests: list[tuple[str, str, str]] = []  # method, path with query, Authorization
        self.hits: Counter[str] = Counter()
        self.release = threading.Event()  # ends slow answers when the test is over
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
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


class _Handler(BaseHTTPRequestHandler):
    fake: FakeRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self.form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._serve()

    def _serve(self) -> None:
        authorization = self.headers.get("Authorization", "")
        self.fake.requests.append((self.command, self.path, authorization))
        try:
            if self.path.startswith("/token"):
                self._token(authorization)
            elif self.fake.fault is Fault.NONE or self.fake.fault_at not in self.path or not self._misbehave():
                self._content(authorization)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

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
        if fake.fault is Fault.TOKEN_NOT_JSON:
            self._send(200, b"<html>log in</html>", "text/html")
        elif fake.fault is Fault.TOKEN_GIANT:
            self._endless()
        elif fake.basic_auth and not self._knows_password(authorization):
            self._error(401, "UNAUTHORIZED")
        else:
            scope = parse_qs(urlsplit(self.path).query).get("scope", [""])[0]
            self._send(200, json.dumps({"token": f"T-{scope}", "expires_in": 300}).encode())

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
        if self.fake.fault is Fault.WRONG_TYPE and self.fake.fault_at in self.path:
            kind = OCI_MANIFEST if kind == OCI_INDEX else OCI_INDEX
        told = {"Docker_Content_Digest": digest} if self.fake.head_tells_digest else {}
        return self._send(200, raw, kind, **told)

    def _blob(self, repository: Repository, name: str) -> None:
        if name not in repository.blobs:
            return self._error(404, "BLOB_UNKNOWN")
        return self._send(200, repository.blobs[name], "application/octet-stream")

    def _tags(self, repository: Repository, _: str) -> None:
        last = parse_qs(urlsplit(self.path).query).get("last", [""])[0]
        rest = [tag for tag in sorted(repository.tags) if tag > last]
        page, more = rest[: self.fake.page_size], rest[self.fake.page_size :]
        path = urlsplit(self.path).path
        link = {"Link": f'<{path}?n={len(page)}&last={page[-1]}>; rel="next"'} if more else {}
        self._send(200, json.dumps({"name": "x", "tags": page}).encode(), **link)

    def _referrers(self, repository: Repository, digest: str) -> None:
        if not self.fake.referrers_api:
            return self._error(404, "UNSUPPORTED")
        found = [
            {"mediaType": kind, "digest": one, "size": len(raw), "artifactType": "application/vnd.oci.empty.v1+json"}
            for one, (kind, raw) in repository.manifests.items()
            if (json.loads(raw).get("subject") or {}).get("digest") == digest
        ]
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
        return self._send(200, json.dumps(body).encode(), OCI_INDEX)

    # -- faults

    def _misbehave(self) -> bool:
        """Whether the answer has been given."""
        fake, fault = self.fake, self.fake.fault
        fake.hits[fault] += 1
        first = fake.hits[fault] == 1
        match fault:
            case Fault.ERROR_500:
                self._error(500, "UNKNOWN")
            case Fault.ERROR_503_ONCE if first:
                self._error(503, "UNAVAILABLE")
            case Fault.TOO_MANY:
                self._error(429, "TOOMANYREQUESTS", Retry_After="7")
            case Fault.TOO_MANY_ONCE if first:
                self._error(429, "TOOMANYREQUESTS", Retry_After="7")
            case Fault.FORBIDDEN:
                self._error(403, "DENIED")
            case Fault.UNAUTHORIZED_FOREVER:
                self._error(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="http://{fake.host}/token"')
            case Fault.NO_REPOSITORY:
                self._error(404, "NAME_UNKNOWN")
            case Fault.RESET:
                self._reset()
            case Fault.RESET_ONCE if first:
                self._reset()
            case Fault.TRUNCATED:
                self._send(200, b"", Content_Length="100")
                self.close_connection = True
            case Fault.WRONG_BYTES:
                self._send(200, b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX)
            case Fault.SLOW_BODY:
                self._slow()
            case Fault.SILENT:
                fake.release.wait(30)
                self.close_connection = True
            case Fault.GIANT_BODY:
                self._endless()
            case Fault.GIANT_DECLARED:
                self._send(200, b"{}", Content_Length=str(10 << 30))
                self.close_connection = True
            case Fault.GZIPPED:
                self._send(200, b"\x1f\x8b", Content_Encoding="gzip")
            case Fault.REDIRECT_ELSEWHERE:
                self._send(307, Location=f"http://{fake.elsewhere}{self.path}")
            case Fault.REDIRECT_LOOP:
                self._send(307, Location=self.path)
            case Fault.REDIRECT_FILE:
                self._send(307, Location="file:///etc/passwd")
            case Fault.ENDLESS_LINK:
                self._send(200, b'{"tags":["a"],"schemaVersion":2,"manifests":[]}', Link=f'<{self.path}>; rel="next"')
            case Fault.GROWING_LINK:
                path = urlsplit(self.path).path
                link = f'<{path}?n=1&last={fake.hits[fault]}>; rel="next"'
                self._send(200, b'{"tags":["a"],"schemaVersion":2,"manifests":[]}', Link=link)
            case Fault.LINK_ELSEWHERE:
                link = f'<http://{fake.elsewhere}{self.path}>; rel="next"'
                self._send(200, b'{"tags":["a"],"schemaVersion":2,"manifests":[]}', Link=link)
            case Fault.HTML:
                self._send(200, b"<html>sign in to the wireless network</html>", "text/html")
            case Fault.EMPTY:
                self._send(200)
            case Fault.NOT_HTTP:
                self.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n")
                self.close_connection = True
            case _:
                return False
        return True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        self.rfile.close()
        self.wfile = _Nowhere()  # type: ignore[assignment]

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        while not self.fake.release.is_set():
            self.wfile.write(chunk)

    def _slow(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.fake.release.wait(0.02):
            self.wfile.write(b" ")
        self.close_connection = True


class _Nowhere:
    closed = False

    def write(self, _: bytes) -> int:
        return 0

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
