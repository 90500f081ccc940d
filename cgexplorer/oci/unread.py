"""What its source could not read of a digest, told in a layout: what is missing there must not be taken for absent.

A manifest attached to the digest, with the problems in an annotation. Whoever wrote one can only make others doubt.
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
_MAX = 100
_MAX_CHARACTERS = 500


class _Problem(msgspec.Struct):
    place: str
    reason: str


def write(subject: dict[str, object], empty: dict[str, object], problems: Iterable[tuple[str, str]]) -> bytes:
    """The manifest's bytes; `subject` and `empty` are descriptors, of the digest and of `{}`."""
    told = json.dumps([{"place": place, "reason": reason} for place, reason in problems])
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": ARTIFACT_TYPE, "config": empty}
    return json.dumps({**body, "layers": [empty], "subject": subject, "annotations": {_KEY: told}}).encode()


def read(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """Place and reason of each problem; at least one, whatever is written there."""
    try:
        found = msgspec.json.decode(manifest.annotations[_KEY], type=list[_Problem])[:_MAX]
    except (KeyError, msgspec.MsgspecError, RecursionError):
        found = []
    if not found:
        return ((manifest.digest, "The layout says that something could not be read, and not what."),)
    return tuple((one.place[:_MAX_CHARACTERS], one.reason[:_MAX_CHARACTERS]) for one in found)
