"""An RFC 3161 timestamp authority: CMS SignedData written by hand."""

from __future__ import annotations

import datetime as dt
import hashlib

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.fakes.sigstore import der, keys
from tests.fakes.sigstore.authority import Issuer, make_ca

_TST_INFO = "1.2.840.113549.1.9.16.1.4"


class TimestampAuthority:
    def __init__(self, seed: str, start: dt.datetime, end: dt.datetime) -> None:
        usage = ExtendedKeyUsageOID.TIME_STAMPING
        self.root = make_ca("fake tsa root", start, end, serial=1, seed=seed + "tsa-root", usage=usage)
        self.leaf = make_ca(
            "fake tsa", start, end, serial=2, seed=seed + "tsa", issuer=self.root, usage=usage, is_ca=False
        )

    def token(self, message: bytes, at: dt.datetime, by: Issuer | None = None, *, embed: bool = True) -> bytes:
        """A timestamp response over the message; `by` lets somebody else sign it. Its certificate may stay outside."""
        leaf = by or self.leaf
        sha256 = der.sequence(der.object_id("2.16.840.1.101.3.4.2.1"), der.tlv(0x05, b""))
        imprint = der.sequence(sha256, der.octets(hashlib.sha256(message).digest()))
        serial = der.integer(int(at.timestamp()) * 1000 + 7)
        policy = der.object_id("1.3.6.1.4.1.57264.2")
        info = der.sequence(der.integer(1), policy, imprint, serial, der.generalized_time(at))
        certificate = leaf.certificate.public_bytes(Encoding.DER)
        certificate_hash = der.octets(hashlib.sha256(certificate).digest())
        attributes = der.set_of(
            _attribute("1.2.840.113549.1.9.3", der.object_id(_TST_INFO)),
            _attribute("1.2.840.113549.1.9.4", der.octets(hashlib.sha256(info).digest())),
            _attribute("1.2.840.113549.1.9.16.2.47", der.sequence(der.sequence(der.sequence(certificate_hash)))),
        )
        signer = der.sequence(
            der.integer(1),
            der.sequence(leaf.certificate.issuer.public_bytes(), der.integer(leaf.certificate.serial_number)),
            sha256,
            b"\xa0" + attributes[1:],
            der.sequence(der.object_id("1.2.840.10045.4.3.2")),
            der.octets(keys.sign(leaf.key, attributes)),
        )
        content = der.sequence(der.object_id(_TST_INFO), der.tlv(0xA0, der.octets(info)))
        signed = der.sequence(
            der.integer(3),
            der.set_of(sha256),
            content,
            *([der.tlv(0xA0, certificate)] if embed else []),
            der.set_of(signer),
        )
        token = der.sequence(der.object_id("1.2.840.113549.1.7.2"), der.tlv(0xA0, signed))
        return der.sequence(der.sequence(der.integer(0)), token)


def _attribute(name: str, value: bytes) -> bytes:
    return der.sequence(der.object_id(name), der.set_of(value))
