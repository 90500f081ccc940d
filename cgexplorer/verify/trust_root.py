"""Whom we trust: the CAs, CT logs, transparency logs and timestamp authorities of one Sigstore instance.

Source: sigstore/protobuf-specs `TrustedRoot`. The bytes are named by their sha256, which goes into every verdict.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from cgexplorer.verify import keys, strict
from cgexplorer.verify.errors import Malformed, TrustRootError, UnusableKey
from cgexplorer.verify.keys import PublicKey

PUBLIC_GOOD = "Sigstore public good"
# Of the root shipped with the pinned sigstore wheel, fetched by its authors through TUF. A new wheel must be looked at.
PUBLIC_GOOD_SHA256 = "6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66"
PUBLIC_GOOD_FILE = "_store/https%3A%2F%2Ftuf-repo-cdn.sigstore.dev/trusted_root.json"
STAGING_SHA256 = "81f5af777952d2c3955062ad56924c05ca916b5d49f3a0bce945faa475a8b1cc"
STAGING_FILE = "_store/https%3A%2F%2Ftuf-repo-cdn.sigstage.dev/trusted_root.json"
MAX_BYTES = 4 << 20

_CODE_SIGNING = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
_KEY_DETAILS: dict[str, tuple[hashes.HashAlgorithm | None, bool]] = {  # name -> (hash, PSS)
    "PKIX_ECDSA_P256_SHA_256": (hashes.SHA256(), False),
    "PKIX_ECDSA_P384_SHA_384": (hashes.SHA384(), False),
    "PKIX_ECDSA_P521_SHA_512": (hashes.SHA512(), False),
    "PKIX_ED25519": (None, False),
    "PKIX_RSA_PKCS1V15_2048_SHA256": (hashes.SHA256(), False),
    "PKIX_RSA_PKCS1V15_3072_SHA256": (hashes.SHA256(), False),
    "PKIX_RSA_PKCS1V15_4096_SHA256": (hashes.SHA256(), False),
    "PKIX_RSA_PSS_2048_SHA256": (hashes.SHA256(), True),
    "PKIX_RSA_PSS_3072_SHA256": (hashes.SHA256(), True),
    "PKIX_RSA_PSS_4096_SHA256": (hashes.SHA256(), True),
}


@dataclass(frozen=True, slots=True)
class Period:
    """When a key or an authority is trusted; both ends included, an absent end is open."""

    start: dt.datetime | None
    end: dt.datetime | None

    def covers(self, moment: dt.datetime) -> bool:
        return (self.start is None or self.start <= moment) and (self.end is None or moment <= self.end)

    def __str__(self) -> str:
        return f"{self.start or 'always'} to {self.end or 'today'}"


@dataclass(frozen=True, slots=True)
class Log:
    """A transparency log or a CT log. `key` is None when its kind is unknown to this verifier."""

    log_id: bytes
    name: str  # base URL
    key: PublicKey | None
    key_details: str
    period: Period
    checkpoint_key_id: bytes  # its first four bytes name the log's key in a checkpoint


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority or a timestamp authority: its certificates, the issuing one first, the root last."""

    name: str
    chain: tuple[x509.Certificate, ...]
    period: Period


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """One trusted root, read strictly. Make it with `load` or `public_good`."""

    name: str
    sha256: str  # hex, of the bytes it was read from
    logs: dict[bytes, Log]
    ct_logs: dict[bytes, Log]
    certificate_authorities: tuple[Authority, ...]
    timestamp_authorities: tuple[Authority, ...]


class _Range(msgspec.Struct, frozen=True):
    start: dt.datetime
    end: dt.datetime | None = None


class _Key(msgspec.Struct, rename="camel"):
    raw_bytes: str
    key_details: str
    valid_for: _Range | None = None


class _LogId(msgspec.Struct, rename="camel"):
    key_id: str


class _Log(msgspec.Struct, rename="camel"):
    public_key: _Key
    log_id: _LogId
    checkpoint_key_id: _LogId | None = None
    base_url: str = ""
    hash_algorithm: str = "SHA2_256"


class _Certificate(msgspec.Struct, rename="camel"):
    raw_bytes: str


class _Chain(msgspec.Struct):
    certificates: list[_Certificate]


class _Authority(msgspec.Struct, rename="camel"):
    cert_chain: _Chain
    uri: str = ""
    valid_for: _Range | None = None


class _TrustedRoot(msgspec.Struct, rename="camel"):
    media_type: str
    tlogs: list[_Log] = []
    certificate_authorities: list[_Authority] = []
    ctlogs: list[_Log] = []
    timestamp_authorities: list[_Authority] = []


def load(raw: bytes, name: str = "") -> TrustRoot:
    """Read a `trusted_root.json`. Raises TrustRootError with what is wrong and where."""
    if len(raw) > MAX_BYTES:
        raise TrustRootError(f"The trusted root is larger than {MAX_BYTES} bytes.")
    try:
        wire = msgspec.convert(strict.json_object(raw, "the trusted root"), _TrustedRoot)
        if not wire.media_type.startswith("application/vnd.dev.sigstore.trustedroot"):
            raise TrustRootError(f"This is {wire.media_type[:80]!r}, not a Sigstore trusted root.")
        root = TrustRoot(
            name=name,
            sha256=hashlib.sha256(raw).hexdigest(),
            logs=_logs(wire.tlogs),
            ct_logs=_logs(wire.ctlogs),
            certificate_authorities=tuple(_linked(_authority(item)) for item in wire.certificate_authorities),
            timestamp_authorities=tuple(map(_authority, wire.timestamp_authorities)),
        )
    except (Malformed, UnusableKey, msgspec.ValidationError, UnicodeEncodeError) as error:
        raise TrustRootError(f"The trusted root cannot be read: {error}.") from error
    # A private instance may do without any one of these; a check that needs it fails.
    if not (root.certificate_authorities or root.logs or root.timestamp_authorities):
        raise TrustRootError("The trusted root names no authority and no log, so nothing could be verified with it.")
    return root


@cache
def public_good() -> TrustRoot:
    """The root of Sigstore's public instance, shipped inside the pinned `sigstore` package and checked by its hash.

    Raises TrustRootError when the package ships another one: look at the new root before trusting it.
    """
    return _shipped(public_good_bytes(), PUBLIC_GOOD, PUBLIC_GOOD_SHA256)


def public_good_bytes() -> bytes:
    """The file that `public_good` reads, as shipped and not yet checked; it goes into evidence bundles."""
    return package_file(PUBLIC_GOOD_FILE)


@cache
def staging() -> TrustRoot:
    """The root of Sigstore's staging instance, for the conformance suite. As `public_good`."""
    return _shipped(package_file(STAGING_FILE), "Sigstore staging", STAGING_SHA256)


def package_file(path: str) -> bytes:
    """A file of the installed `sigstore` package, as it lies there: compare its sha256 before believing it."""
    return importlib.resources.files("sigstore").joinpath(*path.split("/")).read_bytes()


def _shipped(raw: bytes, name: str, sha256: str) -> TrustRoot:
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise TrustRootError(
            f"The sigstore package ships the trusted root sha256:{found}, not the one that this version of "
            f"cgexplorer was released with (sha256:{sha256}). Install the pinned requirements."
        )
    return load(raw, name)


def _logs(wire: list[_Log]) -> dict[bytes, Log]:
    logs: dict[bytes, Log] = {}
    for item in wire:
        log_id = strict.base64_bytes(item.log_id.key_id, "a log id")
        if log_id in logs or len(log_id) < 4:
            raise Malformed("two logs have the same id" if log_id in logs else "a log id is too short")
        details, raw = item.public_key.key_details, strict.base64_bytes(item.public_key.raw_bytes, "a log key")
        known = _KEY_DETAILS.get(details)
        key = keys.from_der(raw, known[0], pss=known[1]) if known and item.hash_algorithm == "SHA2_256" else None
        hint = strict.base64_bytes(item.checkpoint_key_id.key_id, "a log id") if item.checkpoint_key_id else log_id
        logs[log_id] = Log(log_id, item.base_url, key, details, _period(item.public_key.valid_for), hint)
    return logs


def _authority(wire: _Authority) -> Authority:
    try:
        chain = tuple(
            x509.load_der_x509_certificate(base64.b64decode(item.raw_bytes, validate=True))
            for item in wire.cert_chain.certificates
        )
    except ValueError:
        raise Malformed("an authority's certificate is not X.509") from None
    if not chain:
        raise Malformed(f"the authority {wire.uri[:80]!r} has no certificate")
    return Authority(wire.uri, chain, _period(wire.valid_for))


def _linked(authority: Authority) -> Authority:
    """A CA whose certificates each issued the one before. Checked once here, so that each verdict need not; the dates,
    which depend on the time of signing, are checked for each verdict."""
    for issued, issuer in zip(authority.chain, authority.chain[1:], strict=False):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise Malformed(f"a certificate of {authority.name[:80]!r} is not issued by the next one") from None
    for depth, certificate in enumerate(authority.chain):
        try:
            known: dict[type, Any] = {type(item.value): item.value for item in certificate.extensions}
            basic, usage = known[x509.BasicConstraints], known[x509.KeyUsage]
        except (ValueError, KeyError):
            raise Malformed(f"a certificate of {authority.name[:80]!r} does not say that it is a CA") from None
        if not basic.ca or not usage.key_cert_sign or (basic.path_length is not None and basic.path_length < depth):
            raise Malformed(f"a certificate of {authority.name[:80]!r} may not issue certificates")
        if not _CODE_SIGNING & set(known.get(x509.ExtendedKeyUsage, _CODE_SIGNING)):
            raise Malformed(f"a certificate of {authority.name[:80]!r} may not issue certificates for code signing")
        if x509.NameConstraints in known:
            raise Malformed(f"a certificate of {authority.name[:80]!r} has name constraints, which are not supported")
    return authority


def _period(wire: _Range | None) -> Period:
    """Always, where the root names no period; a period without a start is refused, as protobuf-specs demands one."""
    if wire is None:
        return Period(None, None)
    for moment in (wire.start, wire.end):
        if moment is not None and moment.tzinfo is None:
            raise Malformed("a validity period has no time zone")
    return Period(wire.start, wire.end)
