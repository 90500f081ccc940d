"""How long to wait for whom."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import msgspec

from cgexplorer import stopping

_LOOK_EVERY_S = 0.5


class Patience(msgspec.Struct, frozen=True):
    """How long to wait for whom. Tests replace the clock, real users may lower the numbers."""

    connect_s: float = 5
    first_byte_s: float = 15  # until the headers are complete, and between any two bytes after them
    exchange_s: float = 120  # the whole answer
    attempts: int = 5  # 1 for a host that has just used up all of them
    longest_wait_s: float = 120  # all waits of one request together; a longer Retry-After ends the request
    together_s: float = math.inf  # all requests of one source, their waits included; not what is done between them
    stop: Callable[[], bool] = msgspec.field(default_factory=stopping.current)  # then `Interrupted`, within a second
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[float, float], float] = random.uniform

    def wait(self, wait_s: float) -> None:
        """In small portions: nobody waits for a registry's Retry-After with a process that is to stop."""
        while wait_s > 0:
            if self.stop():
                raise stopping.Interrupted
            portion_s = min(wait_s, _LOOK_EVERY_S) if self.stop is not stopping.never else wait_s
            self.sleep(portion_s)
            wait_s -= portion_s


class Stopwatch:
    """How long at least one thread was asking."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._askers, self._since, self._before_s = 0, 0.0, 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._lock:
            if not self._askers:
                self._since = self._clock()
            self._askers += 1
        try:
            yield
        finally:
            with self._lock:
                self._askers -= 1
                if not self._askers:
                    self._before_s += self._clock() - self._since

    @property
    def s(self) -> float:
        with self._lock:
            return self._before_s + (self._clock() - self._since if self._askers else 0.0)
