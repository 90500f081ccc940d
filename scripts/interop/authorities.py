"""Keys and certificate authorities of the private Sigstore, each as the file that its server wants to read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASSWORD = "pw"
_START = dt.timedelta(hours=1)
_LIFE = dt.timedelta(days=30)


@dataclass(frozen=True)
class Certified:
    key: CertificateIssuerPrivateKeyTypes
    certificate: x509.Certificate


def make(folder: Path) -> None:
    """Everything: Fulcio's chain, the timestamp authority's, and the keys of the three logs."""
    folder.mkdir(parents=True, exist_ok=True)
    fulcio_root = authority("private root")
    fulcio = issue(
        "private intermediate", fulcio_root, ec.SECP384R1(), is_ca=True, usage=ExtendedKeyUsageOID.CODE_SIGNING
    )
    # Fulcio's `fileca` wants an encrypted PKCS#8 key.
    write_key(folder / "fulcio.key", fulcio.key, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode()))
    write_chain(folder / "fulcio-chain.pem", fulcio, fulcio_root)
    write_chain(folder / "fulcio-root.pem", fulcio_root)
    tsa_root = authority("timestamp root")
    tsa = issue("timestamp authority", tsa_root, ec.SECP256R1(), usage=ExtendedKeyUsageOID.TIME_STAMPING)
    write_key(folder / "tsa.key", tsa.key)
    write_chain(folder / "tsa-chain.pem", tsa, tsa_root)
    write_key(folder / "rekor.key", ec.generate_private_key(ec.SECP256R1()))
    # ct_server refuses a key without password, and reads only the traditional PEM form of one.
    encrypted = BestAvailableEncryption(PASSWORD.encode())
    write_key(folder / "ct.key", ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL, encrypted)
    write_key(folder / "tiles.key", ed25519.Ed25519PrivateKey.generate())


def authority(name: str) -> Certified:
    """A self-signed root."""
    key = ec.generate_private_key(ec.SECP384R1())
    return Certified(key, _sign(name, key, name, key, is_ca=True, path_length=1))


def issue(
    name: str,
    parent: Certified,
    curve: ec.EllipticCurve,
    *,
    is_ca: bool = False,
    usage: x509.ObjectIdentifier,
    emails: tuple[str, ...] = (),
    hosts: tuple[str, ...] = (),
) -> Certified:
    """A certificate for one purpose by this parent."""
    key = ec.generate_private_key(curve)
    names = [*map(x509.RFC822Name, emails), *map(x509.DNSName, hosts)]
    by = parent.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    certificate = _sign(name, key, str(by), parent.key, is_ca=is_ca, path_length=0, usage=usage, names=names)
    return Certified(key, certificate)


def write_key(
    path: Path,
    key: PrivateKeyTypes,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> None:
    """The private key, and its public half beside it as `.pub`."""
    path.write_bytes(key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_suffix(".pub").write_bytes(public)


def write_chain(path: Path, *chain: Certified) -> None:
    path.write_bytes(b"".join(one.certificate.public_bytes(Encoding.PEM) for one in chain))


def _sign(
    name: str,
    key: CertificateIssuerPrivateKeyTypes,
    by: str,
    with_key: CertificateIssuerPrivateKeyTypes,
    *,
    is_ca: bool,
    path_length: int,
    usage: x509.ObjectIdentifier | None = None,
    names: list[x509.GeneralName] | None = None,
) -> x509.Certificate:
    start = dt.datetime.now(dt.UTC) - _START
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(by))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFE)
        .add_extension(x509.BasicConstraints(is_ca, path_length if is_ca else None), critical=True)
        .add_extension(_key_usage(is_ca=is_ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(with_key.public_key()), critical=False)
    )
    if usage is not None:  # RFC 3161 wants the usage of a timestamp authority to be critical
        critical = usage == ExtendedKeyUsageOID.TIME_STAMPING
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=critical)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(with_key, hashes.SHA384())


def _name(common_name: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example.test")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    others = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, **others)
