"""What somebody says about the clock of this machine."""

from __future__ import annotations

import datetime as dt

from cgexplorer.store.models import ClockAcceptance, TrustUpdate, VerificationRun


def accept(now: dt.datetime) -> ClockAcceptance:
    """Dates of what is stored by now no longer speak against the clock."""
    return ClockAcceptance.objects.create(
        run=VerificationRun.objects.order_by("-pk").first(), step=TrustUpdate.objects.order_by("-pk").first(), at=now
    )
