"""Whether the clock can be right: what has certainly happened lies in the past.

A clock that runs behind makes old signatures look fresh, and certificates valid that have ended. One that was set to
1970 by an empty battery is the usual case.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cache

import msgspec

from cgexplorer.verify import trust_root
from cgexplorer.verify.times import at
from cgexplorer.verify.verdict import Check, CheckName, Outcome, State, Verdict

# Work takes its time at the beginning and may last long, and two machines may share a store.
TOLERANCE = dt.timedelta(hours=1)
_DEPENDS_ON_CLOCK = frozenset({State.VERIFIED, State.VERIFIED_STALE, State.SIGNER_NOT_ALLOWED, State.NO_POLICY})


class Passed(msgspec.Struct, frozen=True):
    """A moment that is over, and what happened then."""

    moment: dt.datetime
    what: str


class WrongClock(msgspec.Struct, frozen=True):
    """Why the clock is not believed."""

    expected: str
    found: str

    def __str__(self) -> str:
        return f"The clock cannot be right: expected {self.expected}, found {self.found}."


@cache
def shipped() -> Passed:
    """The newest key of the shipped public-good root: it was looked at when its hash was pinned, after that began."""
    root = trust_root.public_good()
    periods = [log.period for log in (*root.logs.values(), *root.ct_logs.values())]
    periods += [one.period for one in (*root.certificate_authorities, *root.timestamp_authorities)]
    newest = max(period.start for period in periods if period.start is not None)
    return Passed(newest, "when the newest key of the shipped trust root began")


def doubt(passed: Iterable[Passed], now: dt.datetime) -> WrongClock | None:
    """None when nothing contradicts the clock."""
    newest = max(passed, key=lambda one: one.moment)
    if now + TOLERANCE >= newest.moment:
        return None
    return WrongClock(f"a clock at or after {at(newest.moment)}, {newest.what}", f"this machine's clock says {at(now)}")


def doubted(verdict: Verdict, wrong: WrongClock) -> Verdict:
    """The verdict, as far as it needs no clock: what is invalid stays so, all else could not be checked."""
    # Without a proven time the chain was looked at as of now.
    only_by_clock = verdict.signed_at is None and {check.name for check in verdict.failed} == {
        CheckName.CERTIFICATE_CHAIN
    }
    if verdict.state not in _DEPENDS_ON_CLOCK and not only_by_clock:
        return verdict
    checks = tuple(
        Check(check.name, Outcome.FAILED, wrong.expected, wrong.found) if check.name is CheckName.TIMESTAMP else check
        for check in verdict.checks
    )
    return msgspec.structs.replace(verdict, state=State.COULD_NOT_CHECK, reason=str(wrong), checks=checks)
