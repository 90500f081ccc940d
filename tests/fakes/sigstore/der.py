"""The little DER that RFC 3161 tokens and UTF8String extensions need. For tests only."""

from __future__ import annotations

import datetime as dt


def tlv(tag: int, body: bytes) -> bytes:
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    return tlv(0x31, b"".join(sorted(parts)))


def octets(body: bytes) -> bytes:
    return tlv(0x04, body)


def utf8(text: str) -> bytes:
    return tlv(0x0C, text.encode())


def integer(number: int) -> bytes:
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def object_id(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    encoded = bytearray([first * 40 + second])
    for value in rest:
        septets = [value & 0x7F]
        while value := value >> 7:
            septets.append(0x80 | (value & 0x7F))
        encoded += bytes(reversed(septets))
    return tlv(0x06, bytes(encoded))


def generalized_time(moment: dt.datetime) -> bytes:
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())
