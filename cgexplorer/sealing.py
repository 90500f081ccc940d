"""Secrets at rest, sealed with a key that is not in the database. AES-256-GCM; keys by HKDF (RFC 5869) from secrets.

A sealed text opens only in the place that it was sealed for: moved to another registry's row it opens no more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_FORMAT = b"\x01"
_ID_BYTES, _NONCE_BYTES = 8, 12


class CannotOpen(Exception):
    """`str(error)` says why, in a sentence."""


class Box:
    """The first secret seals; what any of them sealed can be opened."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = {_derived(secret, b"id", _ID_BYTES): _derived(secret, b"key", 32) for secret in secrets if secret}
        if not self._keys:
            raise ValueError("no secret to seal with")
        self._newest = next(iter(self._keys))

    def seal(self, text: str, *, place: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        head = _FORMAT + self._newest
        return head + nonce + AESGCM(self._keys[self._newest]).encrypt(nonce, text.encode(), head + place.encode())

    def open(self, sealed: bytes, *, place: str) -> str:
        """Raises CannotOpen."""
        head, nonce, rest = _parts(sealed)
        key = self._keys.get(head[1:])
        if head[:1] != _FORMAT or key is None:
            raise CannotOpen("It was sealed with another SECRET_KEY than the ones that are set.")
        try:
            return AESGCM(key).decrypt(nonce, rest, head + place.encode()).decode()
        except (InvalidTag, ValueError):
            raise CannotOpen("It was altered, or sealed for another place.") from None

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the first secret sealed it, so that the others are not needed for it."""
        return _parts(sealed)[0] == _FORMAT + self._newest


def _derived(secret: str, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"cgexplorer sealing 1 " + purpose).derive(secret.encode())


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    start = 1 + _ID_BYTES
    return sealed[:start], sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
