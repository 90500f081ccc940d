"""Does the log entry log this signature, by this key, over this payload? Three cosign CVEs in four years were here.

CVE-2022-23649, CVE-2022-36056, CVE-2026-22703. Sources: Rekor `pkg/types/*` schemas; rekor-tiles `rekor_v2.proto`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from cgexplorer.verify import strict
from cgexplorer.verify.errors import Fault, Malformed
from cgexplorer.verify.material import Content, Material, OfferedEntry

CERTIFICATE = "CERTIFICATE"
PUBLIC_KEY = "PUBLIC KEY"
_LARGER = frozenset({"sha384", "sha512"})
_V2_HASHES = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


@dataclass(frozen=True, slots=True)
class Logged:
    """What an entry says, in one shape for all kinds."""

    label: str  # CERTIFICATE or PUBLIC KEY
    der: bytes  # of the signer
    signature: bytes | None  # None: this kind holds none (intoto 0.0.1)
    hashes: tuple[tuple[str, str, str], ...]  # (over what, algorithm, hex)
    dsse: bool  # logs the parts of a DSSE envelope, not a hash of any signed bytes
    payload_type: str | None = None
    needs_envelope: bool = False


class _Hash(msgspec.Struct):
    algorithm: str
    value: str

    def over(self, what: str) -> tuple[str, str, str]:
        return what, self.algorithm, self.value


class _Content(msgspec.Struct):
    content: str


class _HashData(msgspec.Struct):
    hash: _Hash


class _HashedRekordSignature(msgspec.Struct, rename="camel"):
    content: str
    public_key: _Content


class _HashedRekord(msgspec.Struct):
    data: _HashData
    signature: _HashedRekordSignature


class _DsseSignature(msgspec.Struct):
    signature: str
    verifier: str


class _Dsse(msgspec.Struct, rename="camel"):
    envelope_hash: _Hash
    payload_hash: _Hash
    signatures: list[_DsseSignature]


class _IntotoSignature(msgspec.Struct, rename="camel"):
    sig: str
    public_key: str


class _IntotoEnvelope(msgspec.Struct, rename="camel"):
    payload_type: str
    signatures: list[_IntotoSignature]


class _IntotoContent(msgspec.Struct, rename="camel"):
    hash: _Hash | None = None
    payload_hash: _Hash | None = None
    envelope: _IntotoEnvelope | None = None


class _Intoto(msgspec.Struct, rename="camel"):
    content: _IntotoContent
    public_key: str = ""


class _V2Digest(msgspec.Struct):
    algorithm: str
    digest: str

    def over(self, what: str) -> tuple[str, str, str]:
        return what, _V2_HASHES.get(self.algorithm, self.algorithm), strict.base64_bytes(self.digest, "a digest").hex()


class _RawBytes(msgspec.Struct, rename="camel"):
    raw_bytes: str


class _V2Verifier(msgspec.Struct, rename="camel"):
    x509_certificate: _RawBytes | None = msgspec.field(default=None, name="x509Certificate")
    public_key: _RawBytes | None = None


class _V2Signature(msgspec.Struct):
    content: str
    verifier: _V2Verifier


class _V2HashedRekord(msgspec.Struct):
    data: _V2Digest
    signature: _V2Signature


class _V2Dsse(msgspec.Struct, rename="camel"):
    payload_hash: _V2Digest
    signatures: list[_V2Signature]


def _hashedrekord_001(spec: object) -> Logged:
    wire = msgspec.convert(spec, _HashedRekord)
    signature = strict.base64_bytes(wire.signature.content, "the logged signature")
    label, der = _pem(wire.signature.public_key.content)
    return Logged(label, der, signature, (wire.data.hash.over("message"),), dsse=False)


def _dsse_001(spec: object) -> Logged:
    wire = msgspec.convert(spec, _Dsse)
    one = _only(wire.signatures)
    label, der = _pem(one.verifier)
    hashes = (wire.payload_hash.over("payload"), wire.envelope_hash.over("envelope"))
    return Logged(label, der, strict.base64_bytes(one.signature, "the logged signature"), hashes, dsse=True)


def _intoto_001(spec: object) -> Logged:
    """Holds no signature, so only the hash of the exact envelope binds it."""
    wire = msgspec.convert(spec, _Intoto)
    if wire.content.hash is None:
        raise Malformed("an intoto 0.0.1 entry without envelope hash")
    label, der = _pem(wire.public_key)
    payload = (wire.content.payload_hash.over("payload"),) if wire.content.payload_hash else ()
    return Logged(label, der, None, (wire.content.hash.over("envelope"), *payload), dsse=True, needs_envelope=True)


def _intoto_002(spec: object) -> Logged:
    wire = msgspec.convert(spec, _Intoto)
    if wire.content.envelope is None or wire.content.payload_hash is None:
        raise Malformed("an intoto 0.0.2 entry without envelope or payload hash")
    one = _only(wire.content.envelope.signatures)
    label, der = _pem(one.public_key)
    # Rekor's Go type is []byte holding the base64 text, so JSON encodes it a second time.
    text = strict.base64_bytes(one.sig, "the logged signature").decode("ascii", "replace")
    signature = strict.base64_bytes(text, "the logged signature")
    hashes = (wire.content.payload_hash.over("payload"),)
    return Logged(label, der, signature, hashes, dsse=True, payload_type=wire.content.envelope.payload_type)


def _hashedrekord_002(spec: object) -> Logged:
    wire = msgspec.convert(spec["hashedRekordV002"], _V2HashedRekord)  # type: ignore[index]
    label, der = _v2_verifier(wire.signature.verifier)
    signature = strict.base64_bytes(wire.signature.content, "the logged signature")
    return Logged(label, der, signature, (wire.data.over("message"),), dsse=False)


def _dsse_002(spec: object) -> Logged:
    wire = msgspec.convert(spec["dsseV002"], _V2Dsse)  # type: ignore[index]
    one = _only(wire.signatures)
    label, der = _v2_verifier(one.verifier)
    signature = strict.base64_bytes(one.content, "the logged signature")
    return Logged(label, der, signature, (wire.payload_hash.over("payload"),), dsse=True)


_READERS: Mapping[str, Callable[[object], Logged]] = MappingProxyType(
    {
        "hashedrekord 0.0.1": _hashedrekord_001,
        "dsse 0.0.1": _dsse_001,
        "intoto 0.0.1": _intoto_001,
        "intoto 0.0.2": _intoto_002,
        "hashedrekord 0.0.2": _hashedrekord_002,
        "dsse 0.0.2": _dsse_002,
    }
)


def read(entry: OfferedEntry) -> Logged:
    """What the entry says. Raises Fault: `unsupported` for a kind that is unknown."""
    if entry.claimed_kind != entry.kind:
        raise Fault(f"an entry of kind {entry.claimed_kind}, as the bundle says", entry.kind)
    reader = _READERS.get(entry.kind)
    if reader is None:
        raise Fault("a known kind of log entry: " + ", ".join(_READERS), entry.kind, unsupported=True)
    try:
        return reader(entry.spec)
    except (Malformed, msgspec.ValidationError, KeyError, UnicodeEncodeError) as error:
        raise Fault(f"a log entry of kind {entry.kind}", f"unreadable: {error}"[:160]) from None


def check(entry: OfferedEntry, logged: Logged, material: Material, signer: tuple[str, bytes]) -> None:
    """Every hash, the signature and the signer's key or certificate must be those of the material. Raises Fault."""
    # A bundle's envelope may be logged as any bytes are, by its encoding; of a stored one cosign knows no such entry.
    fits = material.content is Content.DSSE if logged.dsse else material.envelope is None
    if not fits:
        raise Fault(f"an entry for a {material.content}", f"{entry.kind}, which logs something else")
    if logged.needs_envelope and material.envelope is None:
        raise Fault("an entry that holds the signature", f"{entry.kind}, which binds only stored envelope bytes")
    for what, algorithm, value in logged.hashes:
        if what == "envelope" and material.envelope is None:
            continue  # a bundle does not keep the envelope's exact bytes; payload and signature bind it
        actual = material.digest(what, algorithm)
        if actual is None and material.content is Content.MESSAGE and not material.message and algorithm in _LARGER:
            raise Fault(f"the artifact itself, logged by its {algorithm}", "its SHA-256 only", unsupported=True)
        if actual is None or actual != value:
            raise Fault(f"the logged {what} {algorithm}:{value[:16]}…", f"{algorithm[:10]}:{(actual or 'none')[:16]}…")
    if logged.signature is not None and logged.signature != material.signature:
        raise Fault("the signature that was logged", "another signature")
    if logged.payload_type is not None and logged.payload_type != material.payload_type:
        raise Fault(f"the logged payload type {logged.payload_type[:60]!r}", repr(material.payload_type[:60]))
    if (logged.label, logged.der) != signer:
        what = "certificate" if logged.label == CERTIFICATE else "key"
        raise Fault(f"the {what} that was logged", f"another {'key' if signer[0] == PUBLIC_KEY else 'certificate'}")


def _only[T](items: list[T]) -> T:
    if len(items) != 1:
        raise Malformed(f"the entry logs {len(items)} signatures, exactly one is allowed")
    return items[0]


def _pem(text: str) -> tuple[str, bytes]:
    label, der = strict.pem_block(strict.base64_bytes(text, "the logged key").decode("latin-1"), "the logged key")
    if label not in (CERTIFICATE, PUBLIC_KEY):
        raise Malformed(f"the logged key is a {label}")
    return label, der


def _v2_verifier(wire: _V2Verifier) -> tuple[str, bytes]:
    if wire.x509_certificate is not None and wire.public_key is None:
        return CERTIFICATE, strict.base64_bytes(wire.x509_certificate.raw_bytes, "the logged certificate")
    if wire.public_key is not None and wire.x509_certificate is None:
        return PUBLIC_KEY, strict.base64_bytes(wire.public_key.raw_bytes, "the logged key")
    raise Malformed("the entry must log exactly one of certificate and key")
