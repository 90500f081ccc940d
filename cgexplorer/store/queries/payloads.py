"""Stored bytes, as they were signed."""

from __future__ import annotations

import msgspec
import zstandard

from cgexplorer.store.models import Evidence, Payload


class _Statement(msgspec.Struct):
    predicate: msgspec.Raw = msgspec.Raw(b"")


def content(payload: Payload) -> bytes:
    """The decoded bytes. `size` was counted when they were stored, so a frame cannot unpack to more."""
    return zstandard.ZstdDecompressor().decompress(bytes(payload.data), max_output_size=max(1, payload.size))


def predicate(evidence: Evidence) -> bytes:
    """The predicate's JSON, sliced unchanged out of the signed statement; b"" when there is none."""
    if evidence.payload is None:
        return b""
    try:
        return bytes(msgspec.json.decode(content(evidence.payload), type=_Statement).predicate)
    except msgspec.DecodeError:
        return b""
