"""What could not be read of a digest at its source, told in a layout: what is missing there must not be taken for
absent. Or that everything was read: then it may.

A manifest attached to the digest, with the problems in an annotation. Whoever writes one can make others doubt, or say
`unsigned`; nothing is believed to be signed for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from cgexplorer.oci.manifest import OCI_MANIFEST, Manifest

ARTIFACT_TYPE = "application/vnd.cgexplorer.unread.v1+json"
EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_KEY = "cgexplorer.problems"
_ALL = "cgexplorer.all-was-read"
_MAX = 100
_MAX_CHARACTERS = 500


class _Problem(msgspec.Struct):
    place: str
    reason: str


def write(subject: dict[str, object], empty: dict[str, object], problems: Iterable[tuple[str, str]]) -> bytes:
    """The manifest's bytes; `subject` and `empty` are descriptors, of the digest and of `{}`.

    Without any problem it says that all was read.
    """
    listed = [{"place": place, "reason": reason} for place, reason in problems]
    told = {_KEY: json.dumps(listed)} if listed else {_ALL: "yes"}
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": ARTIFACT_TYPE, "config": empty}
    return json.dumps({**body, "layers": [empty], "subject": subject, "annotations": told}).encode()


def read(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """Place and reason of each problem, whatever is written there; none only when it says that all was read."""
    if manifest.annotations.get(_ALL) == "yes" and _KEY not in manifest.annotations:
        return ()
    try:
        found = msgspec.json.decode(manifest.annotations[_KEY], type=list[_Problem])[:_MAX]
    except (KeyError, msgspec.MsgspecError, RecursionError):
        found = []
    if not found:
        return ((manifest.digest, "The layout says that something could not be read, and not what."),)
    return tuple((one.place[:_MAX_CHARACTERS], one.reason[:_MAX_CHARACTERS]) for one in found)
