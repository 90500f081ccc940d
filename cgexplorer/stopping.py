"""Whether this process is about to end. Long work asks now and then, and is broken off to be done again by the next."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any


class Interrupted(Exception):
    """The process is to stop. No error of what was being done: nobody may take it for something a registry did."""


def never() -> bool:
    return False


_asked: ContextVar[Callable[[], bool]] = ContextVar("stopping", default=never)


def current() -> Callable[[], bool]:
    """The question itself, for threads that are started from here."""
    return _asked.get()


def check() -> None:
    if _asked.get()():
        raise Interrupted


def told_by_worker(call_next: Callable[[], Any], context: Any, worker: Any) -> Any:
    """Around every job (a Procrastinate task middleware): it is to stop when its worker is."""
    token = _asked.set(context.should_abort)
    try:
        return call_next()
    finally:
        _asked.reset(token)
