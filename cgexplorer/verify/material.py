"""One signature with all its proofs, the same shape whatever form it was stored in. Nothing here is believed yet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from cgexplorer.oci.evidence import Evidence
from cgexplorer.verify import strict
from cgexplorer.verify.errors import Fault, Malformed, printable

MAX_CONTENT_BYTES = 128 << 20
MAX_ANNOTATION_BYTES = 1 << 20  # a Rekor entry with its certificate is about 5 kB
MAX_LOG_ENTRIES = 32
MAX_TIMESTAMPS = 32

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
CERTIFICATE_ANNOTATION = "dev.sigstore.cosign/certificate"
LOG_ANNOTATION = "dev.sigstore.cosign/bundle"
TIMESTAMP_ANNOTATION = "dev.sigstore.cosign/rfc3161timestamp"


class Content(StrEnum):
    """What the signature is over."""

    SIMPLE_SIGNING = "simple signing payload"
    DSSE = "DSSE envelope"
    MESSAGE = "artifact"


@dataclass(frozen=True, slots=True)
class Proof:
    """An inclusion proof as offered (RFC 6962)."""

    index: int
    tree_size: int
    root_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str  # signed note, "" when absent


@dataclass(frozen=True, slots=True)
class OfferedEntry:
    """A log entry as offered, beside the signature that it claims to log."""

    log_id: bytes
    index: int | None  # outer index; authenticated only by a SET
    integrated_time: int | None  # seconds since 1970; authenticated only by a SET
    signed_entry_timestamp: bytes | None
    proof: Proof | None
    body_base64: str
    body: bytes
    kind: str  # "hashedrekord 0.0.1", as the body says
    claimed_kind: str  # as the bundle around it says; equal to `kind` for annotations
    spec: Any


@dataclass(frozen=True)
class Material:
    content: Content
    signature: bytes
    message: bytes  # what the signature is over: payload or PAE; b"" for an artifact that is not at hand
    payload: bytes
    payload_type: str
    envelope: bytes | None  # exact stored bytes of a legacy attestation
    artifact_sha256: bytes  # b"" for other contents than an artifact
    claimed_sha256: bytes | None  # messageDigest of a bundle
    certificate: x509.Certificate | None
    certificate_der: bytes
    entries: tuple[OfferedEntry, ...]
    timestamps: tuple[bytes, ...]
    timestamped: tuple[bytes, ...]  # an RFC 3161 token must cover one of these

    @cached_property
    def message_sha256(self) -> bytes:
        return self.artifact_sha256 or hashlib.sha256(self.message).digest()

    @cached_property
    def payload_sha256(self) -> str:
        """Hex; "" for an artifact that is not at hand."""
        return hashlib.sha256(self.payload).hexdigest() if self.payload else ""

    def digest(self, over: str, algorithm: str) -> str | None:
        """Hex digest of a part by name, None when the bytes are not at hand."""
        if over == "message" and algorithm == "sha256":
            return self.message_sha256.hex()
        if over == "payload" and algorithm == "sha256":
            return self.payload_sha256 or self.artifact_sha256.hex()
        part = {"payload": self.payload, "envelope": self.envelope, "message": self.message}[over]
        if part is None or (self.content is Content.MESSAGE and not self.message):
            return None
        return hashlib.new(algorithm, part).hexdigest() if algorithm in ("sha256", "sha384", "sha512") else None


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE pre-authentication encoding. Lengths count bytes. Source: secure-systems-lab/dsse, protocol.md."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_legacy(evidence: Evidence) -> Material:
    """A layer of `sha256-<hex>.sig` or `.att`. Raises Malformed, or Fault for a form that is unknown."""
    notes = evidence.annotations
    for name in (SIGNATURE_ANNOTATION, CERTIFICATE_ANNOTATION, LOG_ANNOTATION, TIMESTAMP_ANNOTATION):
        if len(notes.get(name, "")) > MAX_ANNOTATION_BYTES:
            raise Malformed(f"the annotation {name} is too large")
    if SIGNATURE_ANNOTATION not in notes:
        raise Malformed("the layer has no signature annotation")
    certificate_der = b""
    if notes.get(CERTIFICATE_ANNOTATION):
        label, certificate_der = strict.pem_block(notes[CERTIFICATE_ANNOTATION], "the certificate annotation")
        if label != "CERTIFICATE":  # GHSA-fx35-mq7g-6g98: never fall through from a bad certificate to a raw key
            raise Malformed(f"the certificate annotation holds a {label}")
    entries = (_annotated_entry(notes[LOG_ANNOTATION]),) if notes.get(LOG_ANNOTATION) else ()
    token = notes.get(TIMESTAMP_ANNOTATION)
    timestamps = (_annotated_timestamp(token),) if token else ()
    envelope = None
    if evidence.media_type == SIMPLE_SIGNING:
        signature = strict.base64_bytes(notes[SIGNATURE_ANNOTATION], "the signature annotation")
        payload, payload_type, message = evidence.content, SIMPLE_SIGNING, evidence.content
        timestamped: tuple[bytes, ...] = (signature,)
    elif evidence.media_type == DSSE_ENVELOPE:
        envelope = evidence.content
        wire = strict.json_object(envelope, "the DSSE envelope")
        payload_type, payload, signature = dsse_parts(wire)
        message = pae(payload_type, payload)
        timestamped = (envelope, signature)  # cosign 2 has the envelope timestamped, cosign 3 the signature in it
    else:
        raise Fault("a signature or attestation layer", f"media type {evidence.media_type[:80]!r}", unsupported=True)
    if not signature:
        raise Malformed("the signature is empty")
    return Material(
        content=Content.SIMPLE_SIGNING if envelope is None else Content.DSSE,
        signature=signature,
        message=message,
        payload=payload,
        payload_type=payload_type,
        envelope=envelope,
        artifact_sha256=b"",
        claimed_sha256=None,
        certificate=read_certificate(certificate_der) if certificate_der else None,
        certificate_der=certificate_der,
        entries=entries,
        timestamps=timestamps,
        timestamped=timestamped,
    )


def read_certificate(der: bytes) -> x509.Certificate:
    """A certificate all of whose parts can be read. Raises Malformed."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.extensions, certificate.issuer, certificate.subject, certificate.serial_number  # lazy: ask now
        certificate.public_key()
    except UnsupportedAlgorithm:
        return certificate  # the key usage check calls it unsupported
    except Exception as error:  # hostile DER: the library raises half a dozen unrelated types
        raise Malformed(f"the certificate is not X.509: {type(error).__name__} {str(error)[:80]}") from None
    return certificate


def dsse_parts(wire: dict[str, Any]) -> tuple[str, bytes, bytes]:
    """(payload type, payload, signature) of an envelope with exactly one signature."""
    signatures, payload_type = wire.get("signatures"), wire.get("payloadType")
    if not isinstance(payload_type, str) or not payload_type.isprintable() or not isinstance(signatures, list):
        raise Malformed("this is not a DSSE envelope")
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise Malformed(f"the envelope has {len(signatures)} signatures, exactly one is allowed")
    strict.refuse_twins(signatures[0], "the envelope's signature")
    payload = strict.base64_bytes(wire.get("payload"), "the envelope's payload")
    return payload_type, payload, strict.base64_bytes(signatures[0].get("sig"), "the envelope's signature")


def entry_from_body(
    *,
    body_base64: object,
    log_id: bytes,
    index: int | None,
    integrated_time: int | None,
    signed_entry_timestamp: bytes | None,
    proof: Proof | None,
    claimed_kind: str | None,
) -> OfferedEntry:
    body = strict.base64_bytes(body_base64, "the log entry's body")
    wire = strict.json_object(body, "the log entry's body")
    kind, version, spec = wire.get("kind"), wire.get("apiVersion"), wire.get("spec")
    if not (isinstance(kind, str) and isinstance(version, str) and isinstance(spec, dict)):
        raise Malformed("the log entry's body names no kind, version and spec")
    named = printable(f"{kind} {version}"[:60])
    return OfferedEntry(
        log_id=log_id,
        index=index,
        integrated_time=integrated_time,
        signed_entry_timestamp=signed_entry_timestamp,
        proof=proof,
        body_base64=str(body_base64),
        body=body,
        kind=named,
        claimed_kind=named if claimed_kind is None else claimed_kind,
        spec=spec,
    )


class _Payload(
    msgspec.Struct, rename={"log_index": "logIndex", "integrated_time": "integratedTime", "log_id": "logID"}
):
    body: str
    integrated_time: int
    log_index: int
    log_id: str


class _LogAnnotation(msgspec.Struct, rename="pascal"):
    signed_entry_timestamp: str
    payload: _Payload


def _annotated_entry(text: str) -> OfferedEntry:
    what = "the transparency log annotation"
    wire = strict.json_object(text.encode(), what)
    if isinstance(wire.get("Payload"), dict):
        strict.refuse_twins(wire["Payload"], what)
    try:
        bundle = msgspec.convert(wire, _LogAnnotation)
        log_id = bytes.fromhex(bundle.payload.log_id)
    except (msgspec.ValidationError, ValueError) as error:
        raise Malformed(f"{what} cannot be read: {error}") from None
    if not (0 <= bundle.payload.log_index < 2**63 and 0 <= bundle.payload.integrated_time < 2**63):
        raise Malformed(f"{what} has a number that is out of range")
    return entry_from_body(
        body_base64=bundle.payload.body,
        log_id=log_id,
        index=bundle.payload.log_index,
        integrated_time=bundle.payload.integrated_time,
        signed_entry_timestamp=strict.base64_bytes(bundle.signed_entry_timestamp, "the signed entry timestamp"),
        proof=None,
        claimed_kind=None,
    )


def _annotated_timestamp(text: str) -> bytes:
    wire = strict.json_object(text.encode(), "the timestamp annotation")
    return strict.base64_bytes(wire.get("SignedRFC3161Timestamp"), "the timestamp annotation")
