"""The ways in which a registry can misbehave, each one switch of the fake registry."""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Callable
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cgexplorer.oci.manifest import OCI_INDEX

if TYPE_CHECKING:
    from tests.fakes.registry import FakeRegistry


class Fault(StrEnum):
    NONE = "none"
    # -- answers
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_504 = "504"
    ERROR_503_ONCE = "503 once"
    TEAPOT = "418"
    NO_CONTENT = "204 in place of a body"
    PARTIAL = "206 that nobody asked for"
    NOT_MODIFIED = "304 that nobody asked for"
    FORBIDDEN = "403"
    NO_REPOSITORY = "404 repository"
    # -- too many requests
    TOO_MANY = "429 with Retry-After"
    TOO_MANY_ONCE = "429 once"
    TOO_MANY_SILENT = "429 without Retry-After"
    TOO_MANY_DATE = "429 with a date"
    TOO_MANY_PAST = "429 with a date long past"
    TOO_MANY_ABSURD = "429 for 10^30 seconds"
    TOO_MANY_NEGATIVE = "429 for -5 seconds"
    TOO_MANY_WORDS = "429 for a while"
    # -- connection
    RESET = "connection reset"
    RESET_ONCE = "connection reset once"
    RESET_MIDWAY = "connection reset in the body"
    CLOSED = "connection closed without an answer"
    SILENT = "no answer at all"
    NOT_HTTP = "not HTTP"
    # -- head
    SLOW_HEAD = "a byte of the headers now and then"
    ENDLESS_HEADERS = "headers without end"
    ENDLESS_HEADER = "one header without end"
    INFORMATION_FLOOD = "100 Continue without end"
    SWITCHING = "101 Switching Protocols"
    BAD_STATUS = "a status that is no number"
    NUL_IN_HEADER = "NUL in a header"
    TWO_LENGTHS = "two Content-Lengths"
    TWO_TYPES = "two Content-Types"
    NEGATIVE_LENGTH = "Content-Length -1"
    GIANT_DECLARED = "Content-Length of 10 GiB"
    LENGTH_IN_WORDS = "Content-Length of 30 digits"
    # -- body
    TRUNCATED = "body shorter than its Content-Length"
    TRUNCATED_CHUNKS = "chunks that break off"
    CHUNK_GARBAGE = "chunks whose length is no number"
    CHUNK_EXTENSIONS = "chunks with extensions without end"
    SLOW_BODY = "a byte now and then"
    GIANT_BODY = "endless body"
    GZIPPED = "Content-Encoding nobody asked for"
    GZIP_BOMB = "a bomb as Content-Encoding"
    EMPTY = "empty body"
    HTML = "HTML with status 200"
    # -- content
    WRONG_BYTES = "other bytes than the digest says"
    ONE_BIT = "one bit is another"
    ONE_BYTE_MORE = "one byte more"
    WRONG_TYPE = "content type of another kind of manifest"
    WRONG_DIGEST = "another digest in the header"
    TWO_DIGESTS = "two digests in the header"
    # -- redirects
    REDIRECT_ELSEWHERE = "redirect to another host"
    REDIRECT_TLS = "redirect to another host with TLS"
    REDIRECT_LOOP = "redirect to itself"
    REDIRECT_FILE = "redirect to a file"
    REDIRECT_METADATA = "redirect to a cloud's metadata"
    REDIRECT_NOWHERE = "redirect without Location"
    REDIRECT_USER = "redirect with a user name in it"
    REDIRECT_RELATIVE = "redirect that names only another host"
    REDIRECT_SPLIT = "redirect with a line break in it"
    # -- pages
    ENDLESS_LINK = "Link to the same page"
    GROWING_LINK = "Link to ever other pages"
    LINK_ELSEWHERE = "Link to another host"
    LINK_FILE = "Link to a file"
    DEEP_JSON = "JSON nested a million times"
    REPEATED_KEYS = "JSON with a key twice"
    NOT_UTF8 = "JSON that is not UTF-8"
    # -- authorisation
    UNAUTHORIZED_FOREVER = "401 whatever is sent"
    UNAUTHORIZED_MUTE = "401 without saying what is wanted"
    REALM_ELSEWHERE = "token service on another host"
    REALM_HTTP_PRIVATE = "token service on a private address"
    REALM_FILE = "token service that is a file"
    TOKEN_NOT_JSON = "token answer is HTML"
    TOKEN_GIANT = "endless token answer"
    TOKEN_TWO_LINES = "token with a line break"
    TOKEN_ELSEWHERE = "token service redirects to another host"
    # -- quirks of honest registries
    IMAGE_FOR_ANY_TAG = "any missing tag is the image"
    HEAD_REFUSED = "HEAD is 405"
    HEAD_FORBIDDEN = "HEAD is 403"
    HEAD_NOT_FOUND = "HEAD is 404, GET is not"


AT_TOKEN = frozenset({Fault.TOKEN_NOT_JSON, Fault.TOKEN_GIANT, Fault.TOKEN_TWO_LINES, Fault.TOKEN_ELSEWHERE})
AT_REALM = frozenset({Fault.REALM_ELSEWHERE, Fault.REALM_HTTP_PRIVATE, Fault.REALM_FILE})
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_LIST = b'{"tags":["a"],"schemaVersion":2,"manifests":[]}'
_STATUS = {
    Fault.ERROR_500: 500,
    Fault.ERROR_502: 502,
    Fault.ERROR_504: 504,
    Fault.TEAPOT: 418,
    Fault.PARTIAL: 206,
    Fault.FORBIDDEN: 403,
    Fault.NO_REPOSITORY: 404,
}
_RETRY_AFTER = {
    Fault.TOO_MANY_SILENT: "",
    Fault.TOO_MANY_PAST: "Wed, 21 Oct 2015 07:28:00 GMT",
    Fault.TOO_MANY_ABSURD: "1" + "0" * 30,
    Fault.TOO_MANY_NEGATIVE: "-5",
    Fault.TOO_MANY_WORDS: "a while",
}
# Whole answers, after which the connection is closed.
_RAW = {
    Fault.CLOSED: b"",
    Fault.NOT_HTTP: b"SSH-2.0-OpenSSH_9.9\r\n",
    Fault.SWITCHING: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    Fault.BAD_STATUS: b"HTTP/1.1 abc OK\r\n\r\n",
    Fault.NO_CONTENT: b"HTTP/1.1 204 No Content\r\n\r\n",
    Fault.NOT_MODIFIED: b"HTTP/1.1 304 Not Modified\r\n\r\n",
    Fault.NUL_IN_HEADER: _OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    Fault.TWO_LENGTHS: _OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    Fault.TWO_TYPES: _OK + b"Content-Type: text/html\r\nContent-Length: 2\r\n\r\n{}",
    Fault.NEGATIVE_LENGTH: _OK + b"Content-Length: -1\r\n\r\n{}",
    Fault.GIANT_DECLARED: _OK + b"Content-Length: 10737418240\r\n\r\n{}",
    Fault.LENGTH_IN_WORDS: _OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}",
    Fault.TRUNCATED: _OK + b"Content-Length: 100\r\n\r\n{}",
    Fault.TRUNCATED_CHUNKS: _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
    Fault.CHUNK_GARBAGE: _OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    Fault.EMPTY: _OK + b"Content-Length: 0\r\n\r\n",
    Fault.GZIPPED: _OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    Fault.REDIRECT_NOWHERE: b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n\r\n",
    Fault.REDIRECT_SPLIT: b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v2/\rX: y\r\nContent-Length: 0\r\n\r\n",
}
_LISTS = {
    Fault.DEEP_JSON: b'{"tags":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    Fault.REPEATED_KEYS: b'{"tags":["a"],"tags":["b"],"schemaVersion":2,"manifests":[],"manifests":[]}',
    Fault.NOT_UTF8: b'{"tags":["\xff"],"schemaVersion":2,"manifests":[],"annotations":{"a":"\xff"}}',
}
# Begun once, then repeated until nobody listens.
_ENDLESS = {
    Fault.ENDLESS_HEADERS: (_OK, b"X-Filler: " + b"x" * 1000 + b"\r\n"),
    Fault.ENDLESS_HEADER: (_OK + b"X: ", b"x" * 10_000),
    Fault.INFORMATION_FLOOD: (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 400),
    Fault.GIANT_BODY: (_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 0x10000 + b"\r\n"),
    Fault.CHUNK_EXTENSIONS: (_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 60_000 + b"\r\n \r\n"),
}
_SLOW = {
    Fault.SLOW_HEAD: (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    Fault.SLOW_BODY: (_OK + b"Content-Length: 1000000\r\n\r\n", b" "),
}


class Misbehaving(BaseHTTPRequestHandler):
    """The half of the fake's handler that gives wrong answers."""

    fake: FakeRegistry
    _send: Callable[..., None]
    _error: Callable[..., None]

    def _misbehave(self) -> bool:
        """Whether the answer has been given."""
        fake, fault = self.fake, self.fake.fault
        fake.hits[fault] += 1
        first = fake.hits[fault] == 1
        if fault in _STATUS:
            self._error(_STATUS[fault], "UNKNOWN")
        elif fault in _RAW:
            self._raw(_RAW[fault])
        elif fault in _LISTS:
            self._send(200, _LISTS[fault], OCI_INDEX)
        elif fault in _ENDLESS:
            self._endless(*_ENDLESS[fault])
        elif fault in _SLOW:
            self._slow(*_SLOW[fault])
        elif fault is Fault.TOO_MANY or fault in _RETRY_AFTER or (fault is Fault.TOO_MANY_ONCE and first):
            self._too_many(_RETRY_AFTER.get(fault, fake.retry_after))
        elif fault is Fault.TOO_MANY_DATE:
            self._too_many(fake.retry_date)
        elif fault is Fault.ERROR_503_ONCE and first:
            self._error(503, "UNAVAILABLE")
        elif fault is Fault.UNAUTHORIZED_MUTE:
            self._error(401, "UNAUTHORIZED")
        elif fault is Fault.UNAUTHORIZED_FOREVER:
            self._error(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="http://{fake.host}/token"')
        elif fault is Fault.RESET or (fault is Fault.RESET_ONCE and first):
            self._reset()
        elif fault is Fault.RESET_MIDWAY:
            self.wfile.write(_OK + b"Content-Length: 100\r\n\r\n{")
            self._reset()
        elif fault is Fault.SILENT:
            fake.release.wait(30)
            self.close_connection = True
        elif fault is Fault.WRONG_BYTES:
            self._send(200, b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX)
        elif fault is Fault.HTML:
            self._send(200, b"<html>sign in to the wireless network</html>", "text/html")
        elif fault is Fault.GZIP_BOMB:
            self._send(200, gzip.compress(b" " * (4 << 20)), Content_Encoding="gzip")
        elif fault in (Fault.HEAD_REFUSED, Fault.HEAD_FORBIDDEN, Fault.HEAD_NOT_FOUND) and self.command == "HEAD":
            self._error({Fault.HEAD_REFUSED: 405, Fault.HEAD_FORBIDDEN: 403}.get(fault, 404), "UNSUPPORTED")
        else:
            return self._lead_astray(fault)
        return True

    def _lead_astray(self, fault: Fault) -> bool:
        there = f"http://{self.fake.elsewhere}{self.path}"
        path = urlsplit(self.path).path
        locations = {
            Fault.REDIRECT_ELSEWHERE: there,
            Fault.REDIRECT_TLS: there.replace("http:", "https:"),
            Fault.REDIRECT_LOOP: self.path,
            Fault.REDIRECT_FILE: "file:///etc/passwd",
            Fault.REDIRECT_METADATA: "http://169.254.169.254/latest/meta-data/",
            Fault.REDIRECT_USER: there.replace("http://", "http://user@"),
            Fault.REDIRECT_RELATIVE: there.removeprefix("http:"),
        }
        links = {
            Fault.ENDLESS_LINK: self.path,
            Fault.GROWING_LINK: f"{path}?n=1&last={self.fake.hits[fault]}",
            Fault.LINK_ELSEWHERE: there,
            Fault.LINK_FILE: "file:///etc/passwd",
        }
        if fault in locations:
            self._send(307, Location=locations[fault])
        elif fault in links:
            self._send(200, _LIST, Link=f'<{links[fault]}>; rel="next"')
        else:
            return False
        return True

    def _too_many(self, retry_after: str) -> None:
        self._error(429, "TOOMANYREQUESTS", **({"Retry_After": retry_after} if retry_after else {}))

    def _raw(self, answer: bytes) -> None:
        self.wfile.write(answer)
        self.close_connection = True

    def _endless(self, begin: bytes, again: bytes) -> None:
        self.wfile.write(begin)
        while not self.fake.release.is_set():
            self.wfile.write(again)

    def _slow(self, begin: bytes, again: bytes) -> None:
        self.wfile.write(begin)
        while not self.fake.release.wait(0.02):
            self.wfile.write(again)
        self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        self.rfile.close()
        self.wfile = _Nowhere()  # type: ignore[assignment]


class _Nowhere:
    closed = False

    def write(self, _: bytes) -> int:
        return 0

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def altered(fault: Fault, kind: str, digest: str, raw: bytes) -> tuple[str, bytes, dict[str, str]]:
    """What this fault makes of good content: media type, bytes, and headers that lie."""
    told: dict[str, str] = {}
    if fault is Fault.ONE_BIT:
        raw = bytes([raw[0] ^ 1]) + raw[1:]
    elif fault is Fault.ONE_BYTE_MORE:
        raw += b" "
    elif fault is Fault.WRONG_TYPE:
        kind = "application/vnd.oci.image.manifest.v1+json" if kind == OCI_INDEX else OCI_INDEX
    elif fault is Fault.WRONG_DIGEST:
        told["Docker_Content_Digest"] = "sha256:" + "0" * 64
    elif fault is Fault.TWO_DIGESTS:
        told["docker_content_digest"] = "sha256:" + "0" * 64
    return kind, raw, told
