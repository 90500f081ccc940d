"""Every trust root that is stored: where it came from, whether it still counts, and how fresh that knowledge is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from django.db.models import QuerySet

from cgexplorer.store.models import TrustUpdate
from cgexplorer.store.queries.rows import rows


class RootStatus(msgspec.Struct, frozen=True):
    """One trust root as it stands."""

    name: str
    sha256: str
    is_sample: bool
    source: str  # shipped, refreshed, imported: how it came here first
    mirror: str  # that a refreshed one came from
    imported_at: dt.datetime
    is_current: bool  # the one behind its name now
    refreshed_at: dt.datetime | None  # last time that a mirror vouched for it
    expires_at: dt.datetime | None  # end of that
    replaced_at: dt.datetime | None
    problem: str  # why the newest refresh of its name failed
    problem_at: dt.datetime | None
    policies: tuple[str, ...]  # current policies that name it

    def standing(self, now: dt.datetime) -> str:
        """`current; last refreshed 3 hours ago; its metadata expires in 6 days`: for reports, commands and pages."""
        if not self.is_current:
            return f"replaced {ago(self.replaced_at, now)}" if self.replaced_at else "not current"
        said = ["current"]
        if self.refreshed_at is not None:
            said.append(f"last refreshed {ago(self.refreshed_at, now)}")
        elif self.source == "shipped":
            said.append("shipped with cgexplorer, never refreshed")
        if self.expires_at is not None:
            ended = self.expires_at < now
            said.append(f"its metadata {'expired' if ended else 'expires'} {ago(self.expires_at, now)}")
        return "; ".join(said)


_STATUSES = """
SELECT r.name, r.sha256, r.is_sample, coalesce(born.source, 'imported'), coalesce(born.mirror, ''),
  coalesce(born.at, r.imported_at), coalesce(now.trust_root_id = r.id, true), vouched.at, vouched.expires_at,
  CASE WHEN now.trust_root_id <> r.id THEN replaced.at END,
  CASE WHEN now.trust_root_id = r.id THEN tried.error ELSE '' END,
  CASE WHEN now.trust_root_id = r.id AND tried.error <> '' THEN tried.at END,
  ARRAY(SELECT p.name FROM store_policyrow p WHERE p.current AND p.trust_root_id = r.id ORDER BY p.name)
FROM store_trustroot r
LEFT JOIN LATERAL (SELECT source, mirror, at FROM store_trustupdate u WHERE u.trust_root_id = r.id
                   ORDER BY u.id LIMIT 1) born ON true
LEFT JOIN LATERAL (SELECT at, expires_at FROM store_trustupdate u WHERE u.trust_root_id = r.id
                   AND expires_at IS NOT NULL AND (%(until)s::timestamptz IS NULL OR u.at <= %(until)s)
                   ORDER BY u.id DESC LIMIT 1) vouched ON true
LEFT JOIN LATERAL (SELECT trust_root_id FROM store_trustupdate u WHERE u.name = r.name
                   AND u.trust_root_id IS NOT NULL ORDER BY u.id DESC LIMIT 1) now ON true
LEFT JOIN LATERAL (SELECT at FROM store_trustupdate u WHERE u.name = r.name AND u.trust_root_id <> r.id
                   AND u.id > (SELECT max(id) FROM store_trustupdate WHERE trust_root_id = r.id)
                   ORDER BY u.id LIMIT 1) replaced ON true
LEFT JOIN LATERAL (SELECT error, at FROM store_trustupdate u WHERE u.name = r.name
                   ORDER BY u.id DESC LIMIT 1) tried ON true
WHERE %(wanted)s::text[] IS NULL OR r.sha256 = ANY(%(wanted)s)
ORDER BY r.is_sample, 7 DESC, r.name, r.id DESC
"""


def statuses(sha256s: Iterable[str] | None = None, *, until: dt.datetime | None = None) -> tuple[RootStatus, ...]:
    """Of these roots, or of all: those that count first, samples last. `until` forgets later refreshes of the same
    root: what a run at that time could know."""
    wanted = None if sha256s is None else sorted(set(sha256s))
    found = rows(_STATUSES, {"wanted": wanted, "until": until})
    return tuple(RootStatus(*(*row[:-1], tuple(row[-1]))) for row in found)


def steps() -> QuerySet[TrustUpdate]:
    """Everything that happened to trust roots, newest first."""
    return TrustUpdate.objects.select_related("trust_root").order_by("-pk")


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """`3 hours ago`, `in 6 days`, `just now`."""
    seconds = (now - moment).total_seconds()
    for unit, length_s in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(abs(seconds) // length_s)
        if count:
            span = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{span} ago" if seconds > 0 else f"in {span}"
    return "just now"
