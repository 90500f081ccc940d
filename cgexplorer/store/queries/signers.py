"""Who may sign, who does sign, and where images come from."""

from __future__ import annotations

import datetime as dt

import msgspec
from django.db.models import QuerySet

from cgexplorer.store.models import PolicyRow
from cgexplorer.store.queries.rows import rows


class Signer(msgspec.Struct, frozen=True):
    """One identity in one state of trust."""

    identity: str
    issuer: str
    state: str
    images: int
    digests: int
    evidence: int
    last_signed_at: dt.datetime | None
    example_image: str  # where the newest is
    example_digest: str


def signers() -> tuple[Signer, ...]:
    """Everybody whose signature holds on something stored, most images first."""
    found = rows(
        """SELECT e.identity, e.issuer, e.state, count(DISTINCT e.image_id), count(DISTINCT e.manifest_id), count(*),
          max(e.signed_at), (array_agg(i.name ORDER BY e.id DESC))[1], (array_agg(m.digest ORDER BY e.id DESC))[1]
        FROM store_evidence e JOIN store_manifest m ON m.id = e.manifest_id JOIN store_image i ON i.id = e.image_id
        WHERE e.identity <> '' AND e.state IN ('verified', 'verified-stale', 'no-policy', 'signer-not-allowed')
        GROUP BY e.identity, e.issuer, e.state ORDER BY 4 DESC, e.identity, e.issuer, e.state LIMIT 1000"""
    )
    return tuple(Signer(*row) for row in found)


def policy_versions() -> QuerySet[PolicyRow]:
    """Every version, the newest of each policy first."""
    return PolicyRow.objects.select_related("trust_root").order_by("pattern", "name", "-version")
