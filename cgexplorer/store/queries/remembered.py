"""Answers about everything: they take a large store seconds, and hardly differ from one minute to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

KEPT_FOR = 30  # times as long as it took: asking takes a thirtieth of the time, however many want to know


class Remembered[T]:
    """What `ask` answered last. Only `large` answers are kept: a small store answers anew each time.

    While one asks again the others get what was there before; nobody waits but who is first of all.
    """

    def __init__(self, ask: Callable[[], T], large: Callable[[T], bool]) -> None:
        self._ask, self._large = ask, large
        self._asking = threading.Lock()
        self._kept: tuple[T, float, float] | None = None  # and the monotonic times: of the answer, until it is kept

    def answer(self) -> tuple[T, float]:
        """The answer, and how many seconds ago it was given; 0.0 for one of now."""
        before = self._kept
        if before is not None and (time.monotonic() < before[2] or self._asking.locked()):
            return before[0], time.monotonic() - before[1]
        with self._asking:
            if (kept := self._kept) is not None and kept is not before:  # somebody asked while we waited
                return kept[0], time.monotonic() - kept[1]
            began = time.monotonic()
            answer = self._ask()
            now = time.monotonic()
            self._kept = (answer, now, now + KEPT_FOR * (now - began)) if self._large(answer) else None
            return answer, 0.0
