"""Which repositories are followed, and how."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

import msgspec
from django.db import transaction

from cgexplorer.oci import choice
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import ReferenceError
from cgexplorer.store.models import Follow

DEFAULT_INTERVAL = "1h"
SHORTEST_S, LONGEST_S = 60, 30 * 86400
MAX_PATTERNS = 100
MAX_PLATFORM = 64  # characters
_INTERVAL = re.compile(r"(\d{1,7})\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PLATFORM = re.compile(r"[a-z0-9]+(?:/[a-z0-9_.-]+){1,2}")


class Wish(msgspec.Struct, frozen=True):
    """What an operator asks for. Empty tags or platforms mean all."""

    name: str  # "cgr.dev/chainguard/go"
    tags: tuple[str, ...] = ()
    newest: int | None = None
    platforms: tuple[str, ...] = ()
    every_s: int = 3600


def read(
    repository: str,
    tags: Iterable[str] = (),
    newest: int | str | None = None,
    platforms: Iterable[str] = (),
    every: str = DEFAULT_INTERVAL,
) -> Wish:
    """A wish as typed. `ReferenceError` names what is wrong with it."""
    name = references.parse_repository(repository).name
    globs = tuple(dict.fromkeys(map(choice.check, tags)))
    wanted = tuple(dict.fromkeys(map(_platform, platforms)))
    if len(globs) > MAX_PATTERNS or len(wanted) > MAX_PATTERNS:
        raise ReferenceError(f"At most {MAX_PATTERNS} tags or globs, and as many platforms, are followed at once.")
    return Wish(name, globs, None if newest in (None, "") else _newest(str(newest)), wanted, _seconds(every))


def _newest(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0):
        raise ReferenceError(f"{text[:20]!a} is not how many of the newest tags to follow: a number from 1 to 99999.")
    return int(text)


def _platform(text: str) -> str:
    if len(text) > MAX_PLATFORM or _PLATFORM.fullmatch(text) is None:
        raise ReferenceError(f"{text[:64]!a} is not a platform like linux/amd64 or linux/arm/v7.")
    return text


def _seconds(text: str) -> int:
    found = _INTERVAL.fullmatch(text.strip())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise ReferenceError(f"{text[:20]!a} is not an interval from 1m to 30d, like 15m, 1h or 1d.")
    return seconds


def interval(seconds: int) -> str:
    """`3600` as a person writes it: `1h`."""
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def follow(wish: Wish, now: dt.datetime) -> Follow:
    """Follow this repository from now on, or otherwise than before. It is due at once."""
    return Follow.objects.update_or_create(
        name=wish.name,
        defaults={
            "tags": list(wish.tags),
            "newest": wish.newest,
            "platforms": list(wish.platforms),
            "every_s": wish.every_s,
            "due_at": now,
        },
    )[0]


def unfollow(name: str) -> bool:
    """Ask no more. What is stored stays. False when it was not followed."""
    return Follow.objects.filter(name=name).delete()[0] > 0


def postpone(name: str, now: dt.datetime) -> None:
    """A round begins out of turn: the next one is due an interval later."""
    for follow in Follow.objects.filter(name=name):
        follow.due_at = now + dt.timedelta(seconds=follow.every_s)
        follow.save(update_fields=["due_at"])


@transaction.atomic
def take_due(now: dt.datetime) -> list[str]:
    """The names of those that are due, which are due again after their interval. No two callers get the same one."""
    due = list(Follow.objects.select_for_update(skip_locked=True).filter(due_at__lte=now).order_by("due_at", "pk"))
    for follow in due:
        follow.due_at = now + dt.timedelta(seconds=follow.every_s)
    Follow.objects.bulk_update(due, ["due_at"])
    return [follow.name for follow in due]
