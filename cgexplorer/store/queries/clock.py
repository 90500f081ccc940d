"""What has certainly happened, so that a clock before it cannot be right."""

from __future__ import annotations

from cgexplorer.store.queries.rows import rows
from cgexplorer.verify import clock
from cgexplorer.verify.clock import Passed

# By number, not by date: one machine with its clock ahead must not speak for all time. Somebody can accept the clock.
_NEWEST = """
WITH accepted AS (SELECT coalesce(max(run_id), 0) AS run, coalesce(max(step_id), 0) AS step FROM store_clockacceptance)
(SELECT 'run ' || r.id || ' was stored', r.finished_at FROM store_verificationrun r, accepted
 WHERE r.id > accepted.run AND r.state <> 'could-not-check' ORDER BY r.id DESC LIMIT 1)
UNION ALL
(SELECT 'the trust root ' || u.name || ' was refreshed', u.at FROM store_trustupdate u, accepted
 WHERE u.id > accepted.step AND u.expires_at IS NOT NULL ORDER BY u.id DESC LIMIT 1)
"""


def passed() -> tuple[Passed, ...]:
    """The newest verification, the newest refresh of a trust root, and the newest key of the shipped one."""
    return (clock.shipped(), *(Passed(moment, f"when {what}") for what, moment in rows(_NEWEST)))
