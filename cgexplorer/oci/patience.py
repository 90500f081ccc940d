"""How long to wait for whom."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

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
