"""A drift event as JSON of `cgexplorer.drift/1`: for downloads, the command and webhooks."""

from __future__ import annotations

from typing import Any

from cgexplorer.store.models import DriftEvent

SCHEMA = "cgexplorer.drift/1"
FIELDS = ("kind", "tags", "platforms", "topics", "before", "after", "note", "search", "at", "recorded_at")


def row(event: DriftEvent) -> dict[str, Any]:
    """An event as JSON of `cgexplorer.drift/1`."""
    known = sorted(event.acknowledgements.all(), key=lambda one: one.pk)
    return {
        "id": event.pk,
        "key": str(event.key),
        "image": event.image.name,
        **{field: getattr(event, field) for field in FIELDS},
        "changes": event.changes,
        "digest_before": event.manifest_before.digest if event.manifest_before else None,
        "digest": event.manifest.digest if event.manifest else None,
        "run_before": event.run_before_id,
        "run": event.run_id,
        "move": event.move_id,
        "acknowledgements": [{"reason": one.reason, "who": one.who, "at": one.at} for one in known],
    }
