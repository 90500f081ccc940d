"""One place on the network: scheme, host, port, its checked addresses and its open connections."""

from __future__ import annotations

import re
import ssl
from threading import BoundedSemaphore, Lock
from urllib.parse import SplitResult, urlsplit

import httpcore
import msgspec

from cgexplorer.oci import addresses
from cgexplorer.oci.errors import Refused
from cgexplorer.oci.wire import Wire

PARALLEL_PER_HOST = 3
KEEP_IDLE_S = 5.0
_UNUSUAL = re.compile(r"[\x00-\x20\x7f\\]")
_DEFAULT_PORT = {"http": 80, "https": 443}


class Origin:
    """Connections are kept per origin, never per address: a certificate is checked for one name only."""

    def __init__(self, scheme: str, host: str, port: int, pinned: tuple[str, ...], tls: ssl.SSLContext) -> None:
        self.scheme, self.host, self.port = scheme, host, port
        self.slots = BoundedSemaphore(PARALLEL_PER_HOST)
        self.is_failing = False  # the last request to it was given up after all its retries
        self._pinned = pinned
        self._turn = 0
        self.wire = Wire(lambda: self._pinned[self._turn % len(self._pinned)])
        self.connections = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=PARALLEL_PER_HOST,
            max_keepalive_connections=PARALLEL_PER_HOST,
            keepalive_expiry=KEEP_IDLE_S,
            network_backend=self.wire,
        )

    def url(self, parts: SplitResult) -> httpcore.URL:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return httpcore.URL(
            scheme=self.scheme.encode(), host=self.host.encode(), port=self.port, target=target.encode()
        )

    def next_address(self) -> None:
        """After a failed connection: another address of the same host."""
        self._turn += 1

    @property
    def authority(self) -> str:
        return netloc(self.scheme, self.host, self.port)

    def close(self) -> None:
        self.connections.close()


def netloc(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port == _DEFAULT_PORT[scheme] else f"{shown}:{port}"


def split(url: str) -> tuple[str, str, int, SplitResult]:
    """Scheme, host, port and the parts of a URL that a server may have written. `Refused` for anything unusual."""
    if len(url) > 8192 or not url.isascii() or _UNUSUAL.search(url):
        raise Refused("A registry sent an address that is not a proper URL.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise Refused("A registry sent an address that is not a proper URL.") from error
    if parts.scheme not in _DEFAULT_PORT or not host:
        raise Refused(f"The scheme {parts.scheme[:20]!a} is not http or https.")
    if "@" in parts.netloc:
        raise Refused("A registry sent an address with a user name in it.")
    return parts.scheme, host, _DEFAULT_PORT[parts.scheme] if port is None else port, parts


class Trusted(msgspec.Struct, frozen=True):
    """What an administrator allows beyond the public internet by https; hosts are spelled as in references."""

    insecure: frozenset[str] = frozenset()  # plain http, and addresses that are not public
    private: frozenset[str] = frozenset()  # https at addresses that are not public


class Origins:
    """All origins talked to, each resolved and checked once."""

    def __init__(self, trusted: Trusted, resolver: addresses.Resolver, tls: ssl.SSLContext) -> None:
        self.trusted = trusted
        self._resolver, self._tls = resolver, tls
        self._known: dict[tuple[str, str, int], Origin] = {}
        self._lock = Lock()

    def of(self, url: str) -> tuple[Origin, SplitResult]:
        """`Refused` for plain http and for addresses that are not public, unless an administrator listed the host."""
        scheme, host, port, parts = split(url)
        names = {netloc(scheme, host, port), f"{host}:{port}"}
        is_insecure = not names.isdisjoint(self.trusted.insecure)
        if scheme != "https" and not is_insecure:
            raise Refused(
                f"{host} would be asked without TLS. If that is meant, list it as an insecure registry: "
                "manage.py add_registry --access insecure"
            )
        key = (scheme, host, port)
        with self._lock:  # two threads must not get two answers from the name server
            if key not in self._known:
                may_be_private = is_insecure or not names.isdisjoint(self.trusted.private)
                pinned = addresses.resolve(host, port, private_allowed=may_be_private, resolver=self._resolver)
                self._known[key] = Origin(scheme, host, port, pinned, self._tls)
        return self._known[key], parts

    def close(self) -> None:
        for origin in self._known.values():
            origin.close()
