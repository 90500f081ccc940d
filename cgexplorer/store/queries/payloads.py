"""Stored bytes, as they were signed."""

from __future__ import annotations

import hashlib

import msgspec
import zstandard

from cgexplorer.store.models import Evidence, Payload


class Damaged(Exception):
    """The database holds other bytes than it was given."""


class _Statement(msgspec.Struct):
    predicate: msgspec.Raw = msgspec.Raw(b"")


def content(payload: Payload) -> bytes:
    """The decoded bytes, checked against their name: what leaves the database is what was put in.

    `size` was counted when they were stored, so a frame cannot unpack to more. Raises Damaged.
    """
    try:
        decoded = zstandard.ZstdDecompressor().decompress(bytes(payload.data), max_output_size=max(1, payload.size))
    except zstandard.ZstdError as error:
        raise Damaged(f"The stored bytes {bytes(payload.sha256).hex()} cannot be unpacked: {error}") from error
    if hashlib.sha256(decoded).digest() != bytes(payload.sha256):
        raise Damaged(f"The stored bytes {bytes(payload.sha256).hex()} are not what they were.")
    return decoded


def predicate(evidence: Evidence) -> bytes:
    """The predicate's JSON, sliced unchanged out of the signed statement; b"" when there is none."""
    if evidence.payload is None:
        return b""
    try:
        return bytes(msgspec.json.decode(content(evidence.payload), type=_Statement).predicate)
    except msgspec.DecodeError:
        return b""
