"""Whose turn it is to ask a host, where others ask it too. What knows of the others is given from above."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Turns(Protocol):
    def slot(self, host: str, longest_s: float) -> AbstractContextManager[object]:
        """One of the few requests to the host that may be under way, held until its answer is read. `OutOfTime` when
        none was free for so long."""

    def may_wait(self) -> bool:
        """Whether to try again after a pause, now that something did not answer. Else somebody else does so, and what
        this process could do instead is more than that."""


class Alone:
    """Nobody else asks: the limits of the process are all there is."""

    def slot(self, host: str, longest_s: float) -> AbstractContextManager[object]:
        return nullcontext()

    def may_wait(self) -> bool:
        return True
