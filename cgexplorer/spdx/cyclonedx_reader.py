"""The worker's side of convert.py for CycloneDX XML: cyclonedx-python-lib reads it and writes JSON."""

from __future__ import annotations

import msgspec
from cyclonedx.model.bom import Bom
from cyclonedx.output.json import JsonV1Dot7
from defusedxml.ElementTree import fromstring

from cgexplorer.spdx.convert import Converted

_MAX_REASON_CHARACTERS = 400


def to_json(raw: bytes) -> bytes:
    try:
        root = fromstring(raw.decode("utf-8-sig"), forbid_dtd=True)
        read = Bom.from_xml(root)  # type: ignore[attr-defined]  # py-serializable adds it
        written = JsonV1Dot7(read).output_as_string()
    except Exception as error:
        # Whatever the library dies of, the document is not readable by it.
        reason = f"{type(error).__name__}: {error}".strip()[:_MAX_REASON_CHARACTERS]
        return msgspec.json.encode(Converted(reason=reason))
    return msgspec.json.encode(Converted(document=written))
