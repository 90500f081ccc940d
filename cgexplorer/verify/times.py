"""When it was signed: whether the clock agrees, and whether a policy's key might sign then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from cgexplorer.verify.errors import Fault
from cgexplorer.verify.policy import Policy

CLOCK_TOLERANCE = dt.timedelta(minutes=5)


class ClockFault(Fault):
    """The newest verified time lies in the future: it is our clock that cannot be believed."""


def check_clock(times: Sequence[dt.datetime], now: dt.datetime) -> None:
    """Raises ClockFault."""
    if max(times) > now + CLOCK_TOLERANCE:
        expected = f"a clock at or after the time of signing, {at(max(times))}"
        raise ClockFault(expected, f"this machine's clock says {at(now)}")


def check_period(policy: Policy, times: Sequence[dt.datetime]) -> tuple[str, str]:
    """(expected, found) when every proven time lies in the policy's period, both ends included. Raises Fault.

    Without a proven time nobody knows on which side of the end a stolen key signed: GHSA-wqqc-jjcq-vfxm.
    """
    expected = f"signed {_period(policy)}"
    if not times:
        raise Fault(expected, "no time of signing that a log or a timestamp authority proves")
    for time in sorted(times):
        if (policy.not_before and time < policy.not_before) or (policy.not_after and time > policy.not_after):
            raise Fault(expected, f"signed {at(time)}")
    return expected, f"signed {' and '.join(at(time) for time in sorted(set(times)))}"


def at(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _period(policy: Policy) -> str:
    since = f"not before {at(policy.not_before)}" if policy.not_before else ""
    until = f"not after {at(policy.not_after)}" if policy.not_after else ""
    return " and ".join(filter(None, (since, until)))
