"""HTTP as a hostile registry deserves: checked addresses, counted bytes, bounded time, own redirects and retries."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Self
from urllib.parse import urlencode, urljoin

import httpcore
import msgspec

from cgexplorer.oci import addresses
from cgexplorer.oci.errors import Malformed, NotNow, OutOfTime, Refused, TooLarge, Unreachable
from cgexplorer.oci.origin import Origin, Origins, Trusted, split
from cgexplorer.oci.patience import Patience, Stopwatch
from cgexplorer.oci.turns import Alone, Turns
from cgexplorer.oci.wire import Limits

MAX_REDIRECTS = 3
TRY_LATER_S = 15.0
MAX_ERROR_BYTES = 64 << 10
USER_AGENT = "cgexplorer"
_SECONDS_OF_A_DATE = 1e9  # nobody asks for 30 years
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
# Two different values of these are two answers in one: which of them is meant would be our guess.
_ONCE = frozenset({"content-type", "content-encoding", "docker-content-digest", "location"})


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes  # "" for an error: what a registry writes there is never shown
    url: str


class _TryAgain(Unreachable):
    """A fault that may pass."""


class Transport:
    """Sends requests; several threads may.

    Raises `Unreachable`, `Refused`, `TooLarge` or `Malformed`, and `Interrupted` when the process is to stop.
    """

    def __init__(
        self,
        *,
        trusted: Trusted | None = None,
        patience: Patience | None = None,
        resolver: addresses.Resolver = addresses.system_resolver,
        tls: ssl.SSLContext | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self.requests = 0  # sent so far; threads may lose one or another in the count
        self.failure: Unreachable | None = None  # of the last request that was given up
        self._turns = turns or Alone()
        self._asking = Stopwatch(self.patience.clock)
        self.origins = Origins(trusted or Trusted(), resolver, tls or _system_tls())

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
        json: bytes | None = None,
        more: Mapping[str, str] | None = None,
        see_other: bool = True,
    ) -> Answer:
        """The final answer, whatever its status, after redirects and retries. `authorization` stays with its origin.

        With a body (`form`, or `json` with `more` headers) nothing is redirected: the 3xx is the answer.
        Without `see_other` a 303, which leads to something else than what was asked for, is itself the answer.
        """
        headers = {"Accept": accept, **({"Authorization": authorization} if authorization else {})}
        body = urlencode(form).encode() if form is not None else json
        if body is not None:
            kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
            headers |= {"Content-Type": kind, "Content-Length": str(len(body)), **(more or {})}
        with self._asking.running():
            return self._send(method, url, headers, body, max_bytes, see_other)

    def _send(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, max_bytes: int, see_other: bool
    ) -> Answer:
        if isinstance(self.failure, NotNow):
            raise self.failure
        waited = 0.0
        asked_first, _ = self.origins.of(url)
        attempts = 1 if asked_first.is_failing else self.patience.attempts
        for attempt in range(1, attempts + 1):
            failure: Unreachable
            wait_s = self.patience.jitter(0, min(30.0, 0.5 * 2**attempt))
            try:
                answer = self._follow(method, url, headers, body, max_bytes, see_other)
            except _TryAgain as error:
                failure = Unreachable(str(error))
            except OutOfTime as error:
                self.failure = error
                raise
            else:
                if answer.status not in _TRY_AGAIN:
                    asked_first.is_failing = False
                    return answer
                failure = Unreachable(f"{split(url)[1]} answered {answer.status} {_meaning(answer.status)}.")
                if (asked := _retry_after_s(answer.headers.get("retry-after", ""))) is not None:
                    wait_s = asked
                    failure.retry_after_s = asked
            if attempt == attempts or waited + wait_s > self.patience.longest_wait_s:
                break
            if not self._turns.may_wait():
                asked = failure.retry_after_s
                failure = NotNow(f"{failure} Another job already waits for it.")
                failure.retry_after_s = max(asked or 0, TRY_LATER_S)
                break
            waited += wait_s
            self.patience.wait(wait_s)
        asked_first.is_failing = True
        self.failure = failure
        if attempt > 1:
            failure.args = (f"{failure} Tried {attempt} times.",)
        raise failure

    def _follow(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, max_bytes: int, see_other: bool
    ) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            origin, answer = self._exchange(method, url, headers, body, max_bytes)
            location = answer.headers.get("location", "")
            is_answer = answer.status not in _REDIRECT or not location or (answer.status == 303 and not see_other)
            if is_answer or body is not None:
                return answer
            target = urljoin(url, location)
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
        own = {"Host": origin.authority, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        idle_s = patience.first_byte_s
        request = httpcore.Request(
            method,
            origin.url(parts),
            headers=[(name.encode(), text.encode()) for name, text in {**own, **headers}.items()],
            content=body,
            extensions={
                "timeout": {"connect": patience.connect_s, "read": idle_s, "write": idle_s, "pool": patience.exchange_s}
            },
        )
        with origin.slots, self._turns.slot(origin.authority, patience.together_s - self._asking.s):
            allowed_s = min(patience.exchange_s, patience.together_s - self._asking.s)
            if allowed_s <= 0:
                raise self._out_of_time(origin.host)
            self.requests += 1
            limits = Limits(patience.clock, patience.stop, origin.host, patience.connect_s + patience.first_byte_s)
            origin.wire.begin(limits)
            until = patience.clock() + allowed_s
            try:
                response = origin.connections.handle_request(request)
                try:
                    names = _headers(response, origin.host)
                    limits.body(until, max_bytes if response.status == 200 else MAX_ERROR_BYTES)
                    content = self._read(response, names, method, max_bytes, origin.host)
                finally:
                    response.close()
            except httpcore.ConnectError as error:
                origin.next_address()
                raise _no_connection(error, origin.host) from error
            except httpcore.TimeoutException as error:
                origin.next_address()
                if patience.clock() >= until:  # it did answer, without end: asking again would be its pleasure
                    if allowed_s < patience.exchange_s:
                        raise self._out_of_time(origin.host) from error
                    raise Unreachable(
                        f"{origin.host} took more than {patience.exchange_s:g} s for one answer."
                    ) from error
                raise _TryAgain(f"{origin.host} did not answer in time.") from error
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                raise _TryAgain(f"{origin.host} broke off the connection or did not speak HTTP.") from error
        return origin, Answer(response.status, names, content, url)

    def _out_of_time(self, host: str) -> OutOfTime:
        return OutOfTime(f"{host} took more than {self.patience.together_s:g} s for all that it was asked together.")

    def _read(
        self, response: httpcore.Response, names: dict[str, str], method: str, max_bytes: int, host: str
    ) -> bytes:
        """Counted while it streams. Bodies of errors are read so far as to keep the connection, and forgotten."""
        good = response.status == 200
        limit = max_bytes if good else MAX_ERROR_BYTES
        if method == "HEAD":
            return b""
        if good and names.get("content-encoding", "identity").lower() != "identity":
            raise Malformed(f"{host} sent a compressed answer that nobody asked for.")
        declared = names.get("content-length", "")
        if good and declared.isdigit() and (len(declared) > 19 or int(declared) > limit):
            raise TooLarge(f"{host} offers {declared[:40]} bytes; at most {limit} are read here.")
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_stream():
            size += len(chunk)
            if size > limit and good:
                raise TooLarge(f"{host} sends more than the {limit} bytes that are read here.")
            if size > limit:
                break
            chunks.append(chunk)
        return b"".join(chunks) if good else b""


def _headers(response: httpcore.Response, host: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for raw_name, raw_text in response.headers:
        name, text = raw_name.decode("ascii").lower(), raw_text.decode("latin-1")
        if name in _ONCE and names.get(name, text) != text:
            raise Malformed(f"{host} sent the header {name} twice, with two values.")
        names[name] = f"{names[name]}, {text}" if name in names and name not in _ONCE else text
    return names


@cache
def _system_tls() -> ssl.SSLContext:
    """Shared: loading the system's authorities takes longer than a request."""
    return ssl.create_default_context()


def _no_connection(error: httpcore.ConnectError, host: str) -> Unreachable:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(f"The TLS certificate of {host} is not valid for it.")
        cause = cause.__cause__ or cause.__context__
    return _TryAgain(f"No connection to {host}.")


def _meaning(status: int) -> str:
    return "(too many requests)" if status == 429 else "(a fault on its side)"


def _retry_after_s(text: str) -> float | None:
    """Seconds or a date, clamped to 1 s – 1 h (RFC 9110, 10.2.3). Docker Hub has sent the seconds of 1970."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        number = float(text[:18])
        return min(3600.0, max(1.0, number - time.time() if number > _SECONDS_OF_A_DATE else number))
    try:
        return min(3600.0, max(1.0, parsedate_to_datetime(text).timestamp() - time.time()))
    except (ValueError, TypeError, OverflowError):
        return None
