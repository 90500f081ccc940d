"""Content digests. The only algorithm accepted is sha256, as in cosign's storage."""

import hashlib
import re

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None


def of(content: bytes) -> str:
    """`sha256:<64 hex>` of these bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def short(digest: str) -> str:
    """`sha256:c455ec15…e5f7b8`: the first part tells apart, the end lets a person compare."""
    algorithm, _, hexadecimal = digest.partition(":")
    return f"{algorithm}:{hexadecimal[:8]}…{hexadecimal[-6:]}"
