"""Drift events as rows, as text and as an Atom feed (RFC 4287): for the page, the downloads, the command."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

from cgexplorer import predicates
from cgexplorer.drift import INDEX, SIGNATURE, Kind
from cgexplorer.export.drift_event import FIELDS, row
from cgexplorer.oci.digest import is_digest, short
from cgexplorer.store.models import DriftEvent
from cgexplorer.store.queries.drift import Told, together

ATOM = "http://www.w3.org/2005/Atom"
MAX_TITLE = 300  # characters
# What XML 1.0 cannot hold, not even escaped.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS = {
    Kind.REATTESTED: "attested again",
    Kind.LICENSE_ADDED: "new licences",
    Kind.PACKAGE_DOWNGRADED: "packages downgraded",
    Kind.SEARCH_CHANGED: "saved search changed",
}
COLUMNS = ("id", "key", "image", *FIELDS, "run_before", "run", "digest_before", "digest", "acknowledged", "reason")


def kind_words(kind: str) -> str:
    """`tag-rolled-back` → "tag rolled back"."""
    return next((said for one, said in _WORDS.items() if one == kind), kind.replace("-", " "))


def topic_words(topic: str) -> str:
    if topic == SIGNATURE:
        return topic
    return predicates.label(topic) if topic else "attestation of unknown type"


def cells(event: DriftEvent) -> tuple[Any, ...]:
    """Of COLUMNS."""
    said = row(event)
    known = said["acknowledgements"]
    said |= {"acknowledged": known[-1]["at"] if known else None, "reason": known[-1]["reason"] if known else ""}
    return tuple(said[column] for column in COLUMNS)


def subject(told: Told) -> str:
    """`cgr.dev/chainguard/go:latest, 1.25 (linux/amd64)`"""
    tags = f":{', '.join(told.tags)}" if told.tags else ""
    named = [platform or "no platform stated" for platform in told.platforms]
    return told.event.image.name + tags + (f" ({', '.join(named)})" if named and named != [INDEX] else "")


def title(told: Told) -> str:
    event = told.event
    topics = ", ".join(map(topic_words, event.topics))
    of = f" ({topics})" if topics and event.topics != [SIGNATURE] else ""
    what = f"Answer of “{event.search}” changed" if event.search else kind_words(event.kind).capitalize()
    said = f"{what}{of}: {subject(told)}"
    return said if len(said) <= MAX_TITLE else said[: MAX_TITLE - 1] + "…"


def values(event: DriftEvent) -> str:
    before, after = (short(value) if is_digest(value) else value for value in (event.before, event.after))
    return f"{before} → {after}{f'. {event.note}' if event.note else ''}"


def as_atom(newest_first: Iterable[DriftEvent], *, page: str, feed: str, about: str) -> bytes:
    """`page` and `feed` are absolute addresses. Text of images and signers is other people's: it stays text."""
    events = together(newest_first)
    root = ET.Element("feed", xmlns=ATOM)
    newest = events[0].newest.recorded_at.isoformat() if events else "1970-01-01T00:00:00+00:00"
    _add(root, "title", f"Drift of {about}")
    _add(root, "id", feed)
    _add(root, "updated", newest)
    ET.SubElement(root, "link", rel="self", href=feed, type="application/atom+xml")
    ET.SubElement(root, "link", rel="alternate", href=page, type="text/html")
    _add(ET.SubElement(root, "author"), "name", "cgexplorer")
    for told in events:
        event = told.event
        entry = ET.SubElement(root, "entry")
        _add(entry, "title", title(told))
        _add(entry, "id", f"urn:uuid:{event.key}")
        _add(entry, "updated", told.newest.recorded_at.isoformat())
        ET.SubElement(entry, "link", rel="alternate", href=f"{page.partition('?')[0]}?event={event.pk}")
        ET.SubElement(entry, "category", term=event.kind)
        _add(entry, "summary", values(event))
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = _NOT_IN_XML.sub("\ufffd", text)
