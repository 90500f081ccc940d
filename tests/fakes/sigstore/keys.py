"""Keys that come out the same for the same seed, and the signatures of each kind as Sigstore makes them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

type PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_HASHES = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def ecdsa_key(seed: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(seed.encode()).digest()), curve or ec.SECP256R1())


def ed25519_key(seed: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


def public_der(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: PrivateKey) -> bytes:
    return hashlib.sha256(public_der(key)).digest()


def sign(key: PrivateKey, message: bytes, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    """With SHA-256 on every curve, as cosign's classic form does, unless told otherwise."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), algorithm or hashes.SHA256())
    return key.sign(message, ec.ECDSA(algorithm or hashes.SHA256(), deterministic_signing=True))


def curve_hash(key: ec.EllipticCurvePrivateKey) -> hashes.HashAlgorithm:
    return _HASHES[key.curve.name]


@dataclass(frozen=True)
class Signer:
    """Who signs: a key with a certificate, or a bare key."""

    key: PrivateKey
    certificate: x509.Certificate | None = None

    @property
    def pem(self) -> bytes:
        if self.certificate is not None:
            return self.certificate.public_bytes(Encoding.PEM)
        return self.public_pem.encode()

    @property
    def public_pem(self) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def certificate_der(self) -> bytes:
        assert self.certificate is not None
        return self.certificate.public_bytes(Encoding.DER)
