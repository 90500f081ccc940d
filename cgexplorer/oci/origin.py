"""One place on the network: scheme, host, port, its checked addresses and its open connections."""

from __future__ import annotations

import ssl
from threading import BoundedSemaphore
from urllib.parse import SplitResult, urlsplit

import httpx

from cgexplorer.oci import addresses
from cgexplorer.oci.errors import Refused

PARALLEL_PER_HOST = 3
_DEFAULT_PORT = {"http": 80, "https": 443}


class Origin:
    """Connections are kept per origin, never per address: a certificate is checked for one name only."""

    def __init__(self, scheme: str, host: str, port: int, pinned: tuple[str, ...], tls: ssl.SSLContext) -> None:
        self.scheme, self.host, self.port = scheme, host, port
        self.slots = BoundedSemaphore(PARALLEL_PER_HOST)
        self._pinned = pinned
        self._turn = 0
        limits = httpx.Limits(max_connections=PARALLEL_PER_HOST, max_keepalive_connections=PARALLEL_PER_HOST)
        self.connections = httpx.HTTPTransport(verify=tls, trust_env=False, limits=limits)

    def url(self, parts: SplitResult) -> httpx.URL:
        """The URL with the checked address in the place of the name."""
        target = parts.path or "/"
        raw_path = target + (f"?{parts.query}" if parts.query else "")
        address = self._pinned[self._turn % len(self._pinned)]
        try:
            return httpx.URL(scheme=self.scheme, host=address, port=self.port, raw_path=raw_path.encode("ascii"))
        except httpx.InvalidURL as error:
            raise Refused("A registry sent an address that is not a proper URL.") from error

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
    if len(url) > 8192 or not url.isascii() or any(c <= " " or c == "\x7f" for c in url) or "\\" in url:
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


class Origins:
    """All origins talked to, each resolved and checked once."""

    def __init__(self, insecure: frozenset[str], resolver: addresses.Resolver, tls: ssl.SSLContext) -> None:
        self.insecure = insecure
        self._resolver, self._tls = resolver, tls
        self._known: dict[tuple[str, str, int], Origin] = {}

    def of(self, url: str) -> tuple[Origin, SplitResult]:
        """`Refused` for plain http and for addresses that are not public, unless the host is listed as insecure."""
        scheme, host, port, parts = split(url)
        listed = netloc(scheme, host, port) in self.insecure or f"{host}:{port}" in self.insecure
        if scheme != "https" and not listed:
            raise Refused(f"{host} would be asked without TLS. List it as an insecure registry if that is meant.")
        key = (scheme, host, port)
        if key not in self._known:
            pinned = addresses.resolve(host, port, private_allowed=listed, resolver=self._resolver)
            self._known.setdefault(key, Origin(scheme, host, port, pinned, self._tls))
        return self._known[key], parts

    def close(self) -> None:
        for origin in self._known.values():
            origin.close()
