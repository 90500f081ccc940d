"""Ed25519ph: how cosign 3 signs bundles with an Ed25519 key. Verification only; OpenSSL's binding has no such mode.

Source: RFC 8032 5.1 (context empty). Nothing here is secret, so nothing here needs constant time.
"""

from __future__ import annotations

import hashlib

type Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, T = XY/Z

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_DOMAIN = b"SigEd25519 no Ed25519 collisions\x01\x00"
_NEUTRAL: Point = (0, 1, 1, 0)


def verifies(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of this raw key signed SHA-512 of the message in Ed25519ph."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    encoded_r, s = signature[:32], int.from_bytes(signature[32:], "little")
    key = _decode(public_key)
    if key is None or s >= _ORDER:
        return False
    prehash = hashlib.sha512(message).digest()
    challenge = int.from_bytes(hashlib.sha512(_DOMAIN + encoded_r + public_key + prehash).digest(), "little") % _ORDER
    x, y, z, t = _times(challenge, key)
    return _encode(_add(_times(s, _BASE), (-x % _P, y, z, -t % _P))) == encoded_r


def _add(a: Point, b: Point) -> Point:
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    c, d = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: Point) -> Point:
    result = _NEUTRAL
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point, scalar = _add(point, point), scalar >> 1
    return result


def _encode(point: Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(raw: bytes) -> Point | None:
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_OF_MINUS_1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


_Y = 4 * pow(5, -1, _P) % _P
_DECODED = _decode(_Y.to_bytes(32, "little"))
assert _DECODED is not None  # noqa: S101  (the base point of the curve)
_BASE: Point = _DECODED
