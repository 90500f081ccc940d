"""SBOMs whose rows were pruned, read from their stored documents: slower, and no larger than a page may wait for."""

from __future__ import annotations

from cgexplorer.spdx import convert
from cgexplorer.spdx import parse as spdx
from cgexplorer.spdx.document import Document, NotIndexable
from cgexplorer.store.models import Payload, Sbom
from cgexplorer.store.queries import payloads

MAX_READ_BYTES = 16 << 20  # of a document: about a second


def document(sbom: Sbom) -> Document | None:
    """Parsed as it was when its rows were made. None when it was not pruned, or is too large to be read for a page."""
    if sbom.pruned_at is None:
        return None
    stored = Payload.objects.filter(pk=sbom.document_id, size__lte=MAX_READ_BYTES).first()
    if stored is None:
        return None
    parse = spdx.parse if sbom.evidence_id is not None else convert.parse_any
    try:
        return parse(payloads.content(stored))
    except (NotIndexable, payloads.Damaged):
        return None
