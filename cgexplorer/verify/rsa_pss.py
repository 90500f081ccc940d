"""RSA keys that say of themselves that they sign with PSS: `id-RSASSA-PSS` instead of `rsaEncryption`.

Source: RFC 4055 1.2 and 3.1; the hashes are those of Sigstore's algorithm registry.
"""

from __future__ import annotations

import re

from cryptography.hazmat.primitives import hashes

from cgexplorer.verify.errors import UnusableKey

OID = "1.2.840.113549.1.1.10"
_HASHES: dict[bytes, hashes.HashAlgorithm] = {  # by the last byte of their object identifier
    b"\x01": hashes.SHA256(),
    b"\x02": hashes.SHA384(),
    b"\x03": hashes.SHA512(),
}
_PKCS1 = rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01"
_HASH = rb"\x30.\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02(?P<%b>[\x01-\x03])(?:\x05\x00)?"
# The DER is well-formed when this looks at it, so the bytes of lengths (`.`) need no reading: tags alone decide.
_ALGORITHM = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..)\x30." + _PKCS1 + rb"\x0a", re.DOTALL)
_SALT_LENGTH = rb"(?:\xa2\x03\x02\x01.|\xa2\x04\x02\x02..)?"
_PARAMETERS = re.compile(
    b"".join(
        (rb"\x30.\xa0.", _HASH % b"hash", rb"\xa1.\x30.", _PKCS1, rb"\x08", _HASH % b"mask", _SALT_LENGTH, rb"\x03")
    ),
    re.DOTALL,
)
_BIT_STRING = b"\x03"


def hash_of(der: bytes) -> hashes.HashAlgorithm | None:
    """The hash that a PSS key signs with: its parameters', SHA-256 when it has none. None for every other key.

    For a SubjectPublicKeyInfo that a library has read already. Raises UnusableKey for parameters that Sigstore's
    registry does not know: SHA-1, which an absent part means, or two different hashes.
    """
    algorithm = _ALGORITHM.match(der)
    if algorithm is None:
        return None
    rest = der[algorithm.end() :]
    if rest.startswith(_BIT_STRING):
        return hashes.SHA256()
    named = _PARAMETERS.match(rest)
    if named is None or named["hash"] != named["mask"]:
        raise UnusableKey("this RSA-PSS key names a hash that is not in Sigstore's registry, or two of them")
    return _HASHES[named["hash"]]
