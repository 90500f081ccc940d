"""HTTP as a hostile registry deserves: checked addresses, counted bytes, bounded time, own redirects and retries."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Self
from urllib.parse import urlencode, urljoin

import httpx
import msgspec

from cgexplorer.oci import addresses
from cgexplorer.oci.errors import Malformed, Refused, TooLarge, Unreachable
from cgexplorer.oci.origin import Origin, Origins, split

MAX_REDIRECTS = 3
MAX_ERROR_BYTES = 64 << 10
USER_AGENT = "cgexplorer"
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


class Patience(msgspec.Struct, frozen=True):
    """How long to wait for whom. Tests replace the clock, real users may lower the numbers."""

    connect_s: float = 5
    first_byte_s: float = 15  # and between any two
    exchange_s: float = 120  # the whole answer
    attempts: int = 5
    longest_wait_s: float = 120  # all waits of one request together; a longer Retry-After ends the request
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[float, float], float] = random.uniform


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes  # "" for an error: what a registry writes there is never shown
    url: str


class _TryAgain(Unreachable):
    """A fault that may pass."""


class Transport:
    """Sends requests; several threads may. Raises `Unreachable`, `Refused`, `TooLarge` or `Malformed`, nothing else."""

    def __init__(
        self,
        *,
        insecure: frozenset[str] = frozenset(),
        patience: Patience | None = None,
        resolver: addresses.Resolver = addresses.system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self.origins = Origins(insecure, resolver, tls or _system_tls())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.origins.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        max_bytes: int,
        accept: str = "*/*",
        authorization: str = "",
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """The final answer, whatever its status, after redirects and retries. `authorization` stays with its origin."""
        headers = {"Accept": accept, **({"Authorization": authorization} if authorization else {})}
        body = urlencode(form).encode() if form is not None else None
        waited = 0.0
        for attempt in range(1, self.patience.attempts + 1):
            failure: Unreachable
            wait_s = self.patience.jitter(0, min(30.0, 0.5 * 2**attempt))
            try:
                answer = self._follow(method, url, headers, body, max_bytes)
            except _TryAgain as error:
                failure = Unreachable(str(error))
            else:
                if answer.status not in _TRY_AGAIN:
                    return answer
                failure = Unreachable(f"{split(url)[1]} answered {answer.status} {_meaning(answer.status)}.")
                if (asked := _retry_after_s(answer.headers.get("retry-after", ""))) is not None:
                    wait_s = asked
                    failure.retry_after_s = asked
            if attempt == self.patience.attempts or waited + wait_s > self.patience.longest_wait_s:
                break
            waited += wait_s
            self.patience.sleep(wait_s)
        failure.args = (f"{failure} Tried {attempt} times.",)
        raise failure

    def _follow(self, method: str, url: str, headers: dict[str, str], body: bytes | None, max_bytes: int) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            origin, answer = self._exchange(method, url, headers, body, max_bytes)
            if answer.status not in _REDIRECT or body is not None:
                return answer
            target = urljoin(url, answer.headers.get("location", ""))
            if origin.scheme == "https" and split(target)[0] != "https":
                raise Refused(f"{origin.host} redirects from https to an address without TLS.")
            next_origin, _ = self.origins.of(target)
            if next_origin is not origin:
                headers = {name: text for name, text in headers.items() if name != "Authorization"}
            url = target
        raise Refused(f"{origin.host} redirects more than {MAX_REDIRECTS} times.")

    def _exchange(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, max_bytes: int
    ) -> tuple[Origin, Answer]:
        origin, parts = self.origins.of(url)
        patience = self.patience
        timeout = httpx.Timeout(patience.first_byte_s, connect=patience.connect_s, pool=patience.exchange_s)
        own = {"Host": origin.authority, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if body is not None:
            own["Content-Type"] = "application/x-www-form-urlencoded"
        request = httpx.Request(
            method,
            origin.url(parts),
            headers={**own, **headers},
            content=body,
            extensions={"timeout": timeout.as_dict(), "sni_hostname": origin.host},
        )
        with origin.slots:
            started = patience.clock()
            try:
                response = origin.connections.handle_request(request)
                try:
                    content = self._read(response, method, max_bytes, started, origin.host)
                finally:
                    response.close()
            except httpx.ConnectError as error:
                origin.next_address()
                raise _no_connection(error, origin.host) from error
            except httpx.TimeoutException as error:
                origin.next_address()
                raise _TryAgain(f"{origin.host} did not answer in time.") from error
            except httpx.HTTPError as error:
                raise _TryAgain(f"{origin.host} broke off the connection or did not speak HTTP.") from error
        names = {name.lower(): text for name, text in response.headers.items()}
        return origin, Answer(response.status_code, names, content, url)

    def _read(self, response: httpx.Response, method: str, max_bytes: int, started: float, host: str) -> bytes:
        """Counted while it streams. Bodies of errors are read so far as to keep the connection, and forgotten."""
        good = response.status_code == 200
        limit = max_bytes if good else MAX_ERROR_BYTES
        if method == "HEAD":
            return b""
        if good and response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Malformed(f"{host} sent a compressed answer that nobody asked for.")
        declared = response.headers.get("content-length", "")
        if good and declared.isdigit() and len(declared) < 20 and int(declared) > limit:
            raise TooLarge(f"{host} offers {declared} bytes; at most {limit} are read here.")
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > limit and good:
                raise TooLarge(f"{host} sends more than the {limit} bytes that are read here.")
            if self.patience.clock() - started > self.patience.exchange_s:
                raise Unreachable(f"{host} took more than {self.patience.exchange_s:g} s for one answer.")
            if size > limit:
                break
            chunks.append(chunk)
        return b"".join(chunks) if good else b""


@cache
def _system_tls() -> ssl.SSLContext:
    """Shared: loading the system's authorities takes longer than a request."""
    return ssl.create_default_context()


def _no_connection(error: httpx.ConnectError, host: str) -> Unreachable:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(f"The TLS certificate of {host} is not valid for it.")
        cause = cause.__cause__ or cause.__context__
    return _TryAgain(f"No connection to {host}.")


def _meaning(status: int) -> str:
    return "(too many requests)" if status == 429 else "(a fault on its side)"


def _retry_after_s(text: str) -> float | None:
    """Seconds or a date, clamped to 1 s – 1 h (RFC 9110, 10.2.3)."""
    if text.isascii() and text.isdigit():
        return min(3600.0, max(1.0, float(text[:9])))
    try:
        return min(3600.0, max(1.0, parsedate_to_datetime(text).timestamp() - time.time()))
    except (ValueError, TypeError, OverflowError):
        return None
