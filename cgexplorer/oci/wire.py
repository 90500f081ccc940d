"""TCP and TLS to one checked address. A read ends when its time is up, too much came, or the process is to stop.

The time-outs of HTTP libraries are those of one read: a peer that sends a byte now and then never meets them.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from cgexplorer.oci.errors import TooLarge
from cgexplorer.stopping import Interrupted

MAX_HEAD_BYTES = 256 << 10  # everything before a body: headers, and informational answers without number
_LOOK_EVERY_S = 0.25  # whether to stop


class Limits:
    """Of one request and its answer. The head has its own time; a body may need longer."""

    def __init__(self, clock: Callable[[], float], stop: Callable[[], bool], host: str, head_s: float) -> None:
        self._clock, self._stop, self._host = clock, stop, host
        self._until = clock() + head_s
        self._bytes_left = MAX_HEAD_BYTES

    def body(self, until: float, max_bytes: int) -> None:
        """The head is there. Chunks of one byte make six on the wire; what needs more is no honest answer."""
        self._until, self._bytes_left = until, MAX_HEAD_BYTES + 8 * max_bytes

    def left_s(self) -> float:
        """`Interrupted` when the process is to stop, a time-out when nothing is left."""
        if self._stop():
            raise Interrupted
        left_s = self._until - self._clock()
        if left_s <= 0:
            raise httpcore.ReadTimeout
        return left_s

    def count(self, received: int) -> None:
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise TooLarge(f"{self._host} sends more than belongs to its answer.")


class Wire(httpcore.NetworkBackend):
    """Connects to the address that was checked, whatever the name now resolves to."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._now = threading.local()  # a thread has one exchange at a time

    def begin(self, limits: Limits) -> None:
        self._now.limits = limits

    @property
    def limits(self) -> Limits:
        found: Limits = self._now.limits
        return found

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            connected = socket.create_connection((self._address(), port), min(timeout or 0.1, self.limits.left_s()))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Stream(connected, self)


class _Stream(httpcore.NetworkStream):
    def __init__(self, connected: socket.socket, wire: Wire) -> None:
        self._socket, self._wire = connected, wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limits = self._wire.limits
        idle_s = timeout or 0.1
        while True:
            wait_s = min(_LOOK_EVERY_S, idle_s, limits.left_s())
            self._socket.settimeout(wait_s)
            try:
                received = self._socket.recv(max_bytes)
            except TimeoutError:
                idle_s -= wait_s
                if idle_s <= 0:
                    raise httpcore.ReadTimeout from None
            except OSError as error:
                raise httpcore.ReadError(str(error)) from error
            else:
                limits.count(len(received))
                return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._socket.settimeout(min(timeout or 0.1, self._wire.limits.left_s()))
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(min(timeout or 0.1, self._wire.limits.left_s()))  # of the whole handshake
            return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._wire)
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout from error
            if isinstance(error, OSError):
                raise httpcore.ConnectError(str(error)) from error
            raise

    def get_extra_info(self, info: str) -> Any:
        """Whether something can be read, which on an idle connection means that the peer has closed it."""
        if info != "is_readable":
            return None
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))
