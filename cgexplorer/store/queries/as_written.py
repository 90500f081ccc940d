"""What a stored document says beyond rows, read from its bytes when a page asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from cgexplorer.spdx import as_written, convert
from cgexplorer.spdx.as_written import Annotation, Element, Heading
from cgexplorer.spdx.convert import Format
from cgexplorer.spdx.document import NotIndexable
from cgexplorer.store.models import Payload, Sbom
from cgexplorer.store.queries import payloads
from cgexplorer.store.queries.pruned import MAX_READ_BYTES


class NotReadable(Exception):
    """The document is too large to be read for a page, or no JSON. `str(error)` says why, in a sentence."""


def heading(sbom: Sbom) -> Heading:
    """Raises NotReadable."""
    return _read(sbom.pk, sbom.evidence_id is None, as_written.heading)


def annotated(sbom: Sbom) -> tuple[Annotation, ...]:
    """Of the document and of every element. Raises NotReadable."""
    return _annotations(sbom.pk, sbom.evidence_id is None)


def element(sbom: Sbom, identifier: str) -> Element | None:
    """Raises NotReadable."""
    return _read(sbom.pk, sbom.evidence_id is None, lambda raw: as_written.element(raw, identifier))


@lru_cache(maxsize=8)
def _annotations(sbom_id: int, is_file: bool) -> tuple[Annotation, ...]:
    # A stored document never changes: what is noted in it is the same for as long as its id lives.
    return _read(sbom_id, is_file, as_written.annotated)


def _read[Answer](sbom_id: int, is_file: bool, read: Callable[[bytes], Answer]) -> Answer:
    stored = Payload.objects.filter(pk__in=Sbom.objects.filter(pk=sbom_id).values("document"))
    payload = stored.filter(size__lte=MAX_READ_BYTES).first()
    if payload is None:
        raise NotReadable(f"The document is larger than the {MAX_READ_BYTES >> 20} MiB that are read for a page.")
    try:
        raw = payloads.content(payload)
        form = convert.sniff(raw) if is_file else Format.JSON
        return read(raw if form is Format.JSON else convert.to_json(raw, form))
    except (NotIndexable, payloads.Damaged) as error:
        raise NotReadable(str(error)) from None
