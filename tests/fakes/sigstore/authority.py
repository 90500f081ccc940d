"""A Fulcio-like CA and its CT log: root, intermediate, ten-minute leaves with Fulcio's extensions and an SCT."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import struct
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.fakes.sigstore import der, keys
from tests.fakes.sigstore.keys import Signer

FULCIO = "1.3.6.1.4.1.57264.1."
GITHUB = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/chainguard-images/images/.github/workflows/release.yaml@refs/heads/main"
_SCT = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_GITHUB_CLAIMS = {  # by number of Fulcio's extension
    2: "schedule",
    3: "a" * 40,
    4: ".github/workflows/release.yaml",
    5: "chainguard-images/images",
    6: "refs/heads/main",
    9: WORKFLOW,
    10: "a" * 40,
    11: "github-hosted",
    12: "https://github.com/chainguard-images/images",
    13: "a" * 40,
    14: "refs/heads/main",
    18: WORKFLOW,
    20: "schedule",
    21: "https://github.com/chainguard-images/images/actions/runs/1/attempts/1",
    22: "public",
}


@dataclass(frozen=True)
class Issuer:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make_ca(
    name: str,
    start: dt.datetime,
    end: dt.datetime,
    *,
    serial: int,
    seed: str,
    issuer: Issuer | None = None,
    usage: ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
    is_ca: bool = True,
    extra: x509.ExtensionType | None = None,
) -> Issuer:
    """A root without `issuer`, an intermediate with one; `is_ca` off makes the leaf of a timestamp authority."""
    key = keys.ecdsa_key(seed, ec.SECP384R1())
    signing_key = issuer.key if issuer else key
    issuer_name = issuer.certificate.subject if issuer else _name(name)
    builder = _base(key.public_key(), issuer_name, signing_key, serial, start, end).subject_name(_name(name))
    if is_ca:
        builder = builder.add_extension(x509.BasicConstraints(True, 0 if issuer else 1), critical=True)
        builder = builder.add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        if issuer:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    else:
        builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
    if extra is not None:
        builder = builder.add_extension(extra, critical=True)
    return Issuer(key, _sign(builder, signing_key))


class CertificateAuthority:
    """Issues leaves. Whatever an attacker would want otherwise is a parameter of `leaf`."""

    def __init__(self, seed: str, start: dt.datetime, end: dt.datetime) -> None:
        self._serials = itertools.count(1000)
        self.seed, self.start, self.end = seed, start, end
        self.root = make_ca("fake root", start, end, serial=1, seed=seed + "root")
        self.intermediate = make_ca("fake intermediate", start, end, serial=2, seed=seed + "int", issuer=self.root)
        self.ct_key = keys.ecdsa_key(seed + "ct")

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return (self.intermediate.certificate, self.root.certificate)

    def leaf(
        self,
        identity: str | x509.GeneralName,
        issuer: str | None,
        at: dt.datetime,
        *,
        claims: dict[int, str | None] | None = None,
        minutes: int = 10,
        key: keys.PrivateKey | None = None,
        by: Issuer | None = None,
        issuer_v1: str | None = None,
        usage: ObjectIdentifier | None = ExtendedKeyUsageOID.CODE_SIGNING,
        digital_signature: bool = True,
        sct: bool = True,
        sct_key: ec.EllipticCurvePrivateKey | None = None,
        sct_extensions: bytes = b"",
        extra: x509.ExtensionType | None = None,
    ) -> Signer:
        """A certificate for this identity. `issuer_v1` makes the old issuer extension say something else."""
        serial = next(self._serials)
        key = key or keys.ecdsa_key(f"{self.seed}leaf{serial}")
        by = by or self.intermediate
        end = at + dt.timedelta(minutes=minutes)
        builder = _base(key.public_key(), by.certificate.subject, by.key, serial, at, end).subject_name(x509.Name([]))
        builder = builder.add_extension(_key_usage(digital_signature=digital_signature), critical=True)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(identity)]), critical=True)
        values: dict[int, str | None] = {1: issuer_v1 or issuer, 8: issuer}
        if issuer == GITHUB:
            values |= _GITHUB_CLAIMS
        for number, value in (values | (claims or {})).items():
            if value is not None:
                raw = value.encode() if number <= 6 else der.utf8(value)
                unknown = x509.UnrecognizedExtension(ObjectIdentifier(FULCIO + str(number)), raw)
                builder = builder.add_extension(unknown, critical=False)
        if sct:
            # RFC 6962: the log signs the certificate without the SCT extension, then it is issued again with it.
            precertificate = _sign(builder, by.key).tbs_certificate_bytes
            extension = self._sct(precertificate, by, at, sct_key or self.ct_key, sct_extensions)
            builder = builder.add_extension(x509.UnrecognizedExtension(_SCT, extension), critical=False)
        if extra is not None:
            builder = builder.add_extension(extra, critical=False)
        return Signer(key, _sign(builder, by.key))

    def _sct(
        self, precertificate: bytes, by: Issuer, at: dt.datetime, key: ec.EllipticCurvePrivateKey, extensions: bytes
    ) -> bytes:
        head, milliseconds = struct.pack("!BB", 0, 0), struct.pack("!Q", int(at.timestamp() * 1000))
        issuer_hash = hashlib.sha256(keys.public_der(by.key)).digest()
        entry = struct.pack("!H", 1) + issuer_hash + len(precertificate).to_bytes(3, "big") + precertificate
        signature = keys.sign(key, head + milliseconds + entry + _sized(extensions))
        one = b"\0" + keys.key_id(self.ct_key) + milliseconds + _sized(extensions) + b"\x04\x03" + _sized(signature)
        return der.octets(_sized(_sized(one)))


def _sized(raw: bytes) -> bytes:
    return struct.pack("!H", len(raw)) + raw


def _base(
    public_key: object,
    issuer: x509.Name,
    signing_key: ec.EllipticCurvePrivateKey,
    serial: int,
    start: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().issuer_name(issuer).public_key(public_key).serial_number(serial)  # type: ignore[arg-type]
    builder = builder.not_valid_before(start).not_valid_after(end)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)  # type: ignore[arg-type]
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    return builder.add_extension(authority_id, critical=False)


def _sign(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return builder.sign(key, keys.curve_hash(key), ecdsa_deterministic=True)


def _name(common_name: str) -> x509.Name:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "fake.example")
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(identity: str | x509.GeneralName) -> x509.GeneralName:
    if isinstance(identity, x509.GeneralName):
        return identity
    is_uri = "://" in identity
    return x509.UniformResourceIdentifier(identity) if is_uri else x509.RFC822Name(identity)


def _key_usage(**allowed: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})
