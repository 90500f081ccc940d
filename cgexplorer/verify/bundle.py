"""Sigstore bundles v0.1 to v0.3, read as strictly as protobuf JSON is: unknown fields and other spellings are refused.

Source: sigstore/protobuf-specs `sigstore_bundle.proto`; which fields a version must or must not have is its comment.
"""

from __future__ import annotations

import re

import msgspec

from cgexplorer.verify import strict
from cgexplorer.verify.errors import Fault, Malformed
from cgexplorer.verify.material import (
    MAX_LOG_ENTRIES,
    MAX_TIMESTAMPS,
    Content,
    Material,
    OfferedEntry,
    Proof,
    entry_from_body,
    pae,
    read_certificate,
)

_VERSIONS = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": 1,
    "application/vnd.dev.sigstore.bundle+json;version=0.2": 2,
    "application/vnd.dev.sigstore.bundle+json;version=0.3": 3,
    "application/vnd.dev.sigstore.bundle.v0.3+json": 3,
}
_INTEGER = re.compile(r"-?[0-9]{1,19}")


# Protobuf JSON: a member that is null is one that is not there, so what may be absent may be null.
class _Wire(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    pass


class _Certificate(_Wire):
    raw_bytes: str


class _Chain(_Wire):
    certificates: list[_Certificate]


class _PublicKey(_Wire):
    hint: str | None = None


class _LogId(_Wire):
    key_id: str


class _KindVersion(_Wire):
    kind: str
    version: str


class _Promise(_Wire):
    signed_entry_timestamp: str


class _Checkpoint(_Wire):
    envelope: str


class _Proof(_Wire):
    root_hash: str
    tree_size: int | str
    log_index: int | str = 0
    hashes: list[str] = []
    checkpoint: _Checkpoint | None = None


class _Entry(_Wire):
    log_id: _LogId
    kind_version: _KindVersion
    canonicalized_body: str
    log_index: int | str | None = None
    integrated_time: int | str | None = None
    inclusion_promise: _Promise | None = None
    inclusion_proof: _Proof | None = None


class _Timestamp(_Wire):
    signed_timestamp: str


class _Timestamps(_Wire):
    rfc3161_timestamps: list[_Timestamp] = msgspec.field(default_factory=list, name="rfc3161Timestamps")


class _VerificationMaterial(_Wire):
    certificate: _Certificate | None = None
    x509_certificate_chain: _Chain | None = msgspec.field(default=None, name="x509CertificateChain")
    public_key: _PublicKey | None = None
    tlog_entries: list[_Entry] | None = None
    timestamp_verification_data: _Timestamps | None = None


class _MessageDigest(_Wire):
    digest: str
    algorithm: str


class _MessageSignature(_Wire):
    signature: str
    message_digest: _MessageDigest | None = None


class _Signature(_Wire):
    sig: str
    keyid: str | None = None


class _Envelope(_Wire):
    payload: str
    payload_type: str
    signatures: list[_Signature]


class _Bundle(_Wire):
    media_type: str
    verification_material: _VerificationMaterial
    message_signature: _MessageSignature | None = None
    dsse_envelope: _Envelope | None = None


def read(raw: bytes, artifact: bytes | None, sha256: bytes) -> Material:
    """A bundle. `sha256` is that of the artifact, should it be over one. Raises Malformed, Fault when unknown."""
    wire = strict.json_object(raw, "the bundle")
    media_type = wire.get("mediaType")
    if not isinstance(media_type, str) or media_type not in _VERSIONS:
        raise Fault("a Sigstore bundle v0.1, v0.2 or v0.3", f"media type {str(media_type)[:80]!r}", unsupported=True)
    try:
        bundle = msgspec.convert(wire, _Bundle)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the latter: half a surrogate pair
        raise Malformed(f"the bundle cannot be read: {error}") from None
    version, parts = _VERSIONS[media_type], bundle.verification_material
    certificate_der = _certificate(parts, version)
    entries = parts.tlog_entries or []
    if len(entries) > MAX_LOG_ENTRIES:
        raise Malformed(f"the bundle has {len(entries)} log entries, {MAX_LOG_ENTRIES} are allowed")
    timestamps = parts.timestamp_verification_data.rfc3161_timestamps if parts.timestamp_verification_data else []
    if len(timestamps) > MAX_TIMESTAMPS:
        raise Malformed(f"the bundle has {len(timestamps)} timestamps, {MAX_TIMESTAMPS} are allowed")
    payload, payload_type, message, claimed = b"", "", artifact or b"", None
    if (bundle.dsse_envelope is None) == (bundle.message_signature is None):
        raise Malformed("the bundle must hold either an envelope or a message signature")
    if bundle.dsse_envelope is not None:
        if len(bundle.dsse_envelope.signatures) != 1:
            raise Malformed(f"the envelope has {len(bundle.dsse_envelope.signatures)} signatures, one is allowed")
        payload_type = bundle.dsse_envelope.payload_type
        if not payload_type.isprintable():
            raise Malformed("the payload type has control characters")
        payload = strict.base64_bytes(bundle.dsse_envelope.payload, "the envelope's payload")
        signature = strict.base64_bytes(bundle.dsse_envelope.signatures[0].sig, "the envelope's signature")
        message = pae(payload_type, payload)
        content, artifact_sha256 = Content.DSSE, b""
    else:
        assert bundle.message_signature is not None  # noqa: S101  (tells mypy what the test above has proved)
        signature = strict.base64_bytes(bundle.message_signature.signature, "the message signature")
        content, claimed = Content.MESSAGE, _message_digest(bundle.message_signature)
        artifact_sha256 = sha256
        payload = message
    if not signature:
        raise Malformed("the signature is empty")
    return Material(
        content=content,
        signature=signature,
        message=message,
        payload=payload,
        payload_type=payload_type,
        envelope=None,
        artifact_sha256=artifact_sha256,
        claimed_sha256=claimed,
        certificate=read_certificate(certificate_der) if certificate_der else None,
        certificate_der=certificate_der,
        entries=tuple(_entry(item, version) for item in entries),
        timestamps=tuple(strict.base64_bytes(item.signed_timestamp, "a timestamp") for item in timestamps),
        timestamped=(signature,),
    )


def _certificate(parts: _VerificationMaterial, version: int) -> bytes:
    """DER of the signing certificate, b"" for a bundle that only hints at a key."""
    given = [parts.certificate, parts.x509_certificate_chain, parts.public_key]
    if sum(item is not None for item in given) != 1:
        raise Malformed("the bundle must hold exactly one of certificate, chain and key hint")
    if parts.public_key is not None:
        return b""
    if (version == 3) != (parts.certificate is not None):
        raise Malformed(f"a v0.{version} bundle holds its certificate in the other field")
    if parts.certificate is not None:
        return _der(parts.certificate)
    chain = parts.x509_certificate_chain
    if chain is None or not 1 <= len(chain.certificates) <= 10:
        raise Malformed("the certificate chain is empty or too long")
    for item in chain.certificates[1:]:
        # Never used, as the trusted root has the chain; a root here only serves to make somebody believe it.
        other = read_certificate(strict.base64_bytes(item.raw_bytes, "a certificate of the chain"))
        if other.issuer == other.subject:
            raise Malformed("the certificate chain holds a root certificate")
    return _der(chain.certificates[0])


def _der(certificate: _Certificate) -> bytes:
    if (
        not certificate.raw_bytes
    ):  # GHSA-fx35-mq7g-6g98: a bundle whose certificate is empty is not one signed with a key
        raise Malformed("the certificate is empty")
    return strict.base64_bytes(certificate.raw_bytes, "the certificate")


def _entry(wire: _Entry, version: int) -> OfferedEntry:
    offered = wire.inclusion_proof
    if offered is None and version > 1:
        raise Malformed(f"a v0.{version} bundle must prove inclusion in the log")
    if wire.inclusion_promise is None and version == 1:
        raise Malformed("a v0.1 bundle must hold a signed entry timestamp")
    if offered is not None and version > 1 and not (offered.checkpoint and offered.checkpoint.envelope):
        raise Malformed("the inclusion proof has no checkpoint")
    proof = None
    if offered is not None:
        proof = Proof(
            index=_integer(offered.log_index, "the proof's log index"),
            tree_size=_integer(offered.tree_size, "the proof's tree size"),
            root_hash=strict.base64_bytes(offered.root_hash, "the proof's root hash"),
            hashes=tuple(strict.base64_bytes(item, "a proof hash") for item in offered.hashes[:64]),
            checkpoint=offered.checkpoint.envelope if offered.checkpoint else "",
        )
    promise = wire.inclusion_promise
    return entry_from_body(
        body_base64=wire.canonicalized_body,
        log_id=strict.base64_bytes(wire.log_id.key_id, "the log id"),
        index=None if wire.log_index is None else _integer(wire.log_index, "the log index"),
        integrated_time=_integer(wire.integrated_time or 0, "the integrated time") or None,
        signed_entry_timestamp=strict.base64_bytes(promise.signed_entry_timestamp, "the promise") if promise else None,
        proof=proof,
        claimed_kind=f"{wire.kind_version.kind} {wire.kind_version.version}"[:60],
    )


def _message_digest(signature: _MessageSignature) -> bytes | None:
    if signature.message_digest is None:
        return None
    if signature.message_digest.algorithm != "SHA2_256":
        raise Fault("a SHA2_256 message digest", signature.message_digest.algorithm[:40], unsupported=True)
    return strict.base64_bytes(signature.message_digest.digest, "the message digest")


def _integer(value: int | str, what: str) -> int:
    """Protobuf JSON writes 64-bit integers as strings and reads both."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise Malformed(f"{what} is not a number")
    number = int(value)
    if not 0 <= number < 2**63:
        raise Malformed(f"{what} is out of range")
    return number
