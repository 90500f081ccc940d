"""A classic cosign signature or attestation as a Sigstore bundle v0.1: stock cosign verifies it without a registry.

Only v0.1 may hold a log entry that proves itself with a signed entry timestamp alone, as classic annotations do.
Source: sigstore/protobuf-specs `sigstore_bundle.proto`.
"""

from __future__ import annotations

import base64
import hashlib

import msgspec

from cgexplorer.oci.evidence import Evidence
from cgexplorer.verify import timestamp
from cgexplorer.verify.errors import Fault, Malformed, VerifyError
from cgexplorer.verify.material import Content, Material, OfferedEntry, dsse_parts, read_legacy
from cgexplorer.verify.strict import json_object

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle+json;version=0.1"
# These entries log the envelope as it was stored, byte for byte, and a bundle keeps only its parts.
_OF_THE_ENVELOPE = frozenset({"intoto 0.0.1"})
# What a bundle's envelope may have.
_ENVELOPE, _SIGNATURE = {"payload", "payloadType", "signatures"}, {"sig", "keyid"}


class NotABundle(VerifyError):
    """This signature cannot be written as a bundle. `str(error)` says why."""


def from_classic(evidence: Evidence) -> bytes:
    """The same signature with the same proofs. It says nothing that `evidence` did not say; nothing is verified.

    Raises NotABundle for bytes that cannot be read and for proofs that a bundle has no place for.
    """
    try:
        material = read_legacy(evidence)
    except (Fault, Malformed) as error:
        raise NotABundle(f"It cannot be read: {error}.") from None
    if any(entry.kind in _OF_THE_ENVELOPE for entry in material.entries):
        raise NotABundle("Its log entry is of kind intoto 0.0.1, which a bundle cannot hold.")
    # A bundle's token is over the signature; that of a classic attestation may be over the whole envelope.
    timestamps = [
        token
        for token in material.timestamps
        if material.content is not Content.DSSE or timestamp.is_over(token, material.signature)
    ]
    if material.timestamps and not timestamps and not material.entries:
        raise NotABundle("Only a timestamp over its envelope says when it was signed, which a bundle cannot hold.")
    proofs: dict[str, object] = dict(_signer(material))
    if material.entries:
        proofs["tlogEntries"] = [_log_entry(entry) for entry in material.entries]
    if timestamps:
        proofs["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": _b64(t)} for t in timestamps]}
    return msgspec.json.encode(
        {"mediaType": MEDIA_TYPE, "verificationMaterial": proofs} | _content(material, evidence.content)
    )


def _signer(material: Material) -> dict[str, object]:
    if material.certificate_der:
        return {"x509CertificateChain": {"certificates": [{"rawBytes": _b64(material.certificate_der)}]}}
    return {"publicKey": {"hint": ""}}


def _log_entry(entry: OfferedEntry) -> dict[str, object]:
    """64-bit integers are strings in protobuf JSON."""
    kind, _, version = entry.kind.partition(" ")
    return {
        "logIndex": str(entry.index or 0),
        "logId": {"keyId": _b64(entry.log_id)},
        "kindVersion": {"kind": kind, "version": version},
        "integratedTime": str(entry.integrated_time or 0),
        "inclusionPromise": {"signedEntryTimestamp": _b64(entry.signed_entry_timestamp or b"")},
        "canonicalizedBody": entry.body_base64,
    }


def _content(material: Material, stored: bytes) -> dict[str, object]:
    if material.content is Content.DSSE:
        wire = json_object(stored, "the DSSE envelope")
        if set(wire) == _ENVELOPE and set(wire["signatures"][0]) <= _SIGNATURE:
            return {"dsseEnvelope": msgspec.Raw(stored)}  # as stored, so that anybody can compare the two
        payload_type, payload, signature = dsse_parts(wire)
        signed = {"payload": _b64(payload), "payloadType": payload_type, "signatures": [{"sig": _b64(signature)}]}
        return {"dsseEnvelope": signed}
    digest = {"algorithm": "SHA2_256", "digest": _b64(hashlib.sha256(material.payload).digest())}
    return {"messageSignature": {"messageDigest": digest, "signature": _b64(material.signature)}}


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
