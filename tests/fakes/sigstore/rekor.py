"""Transparency logs: Rekor v1 (SET, proof, checkpoint) and v2 (Ed25519, no SET). Entries in every kind they log."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from typing import Any

from tests.fakes.sigstore import keys
from tests.fakes.sigstore.keys import Signer, b64

type Entry = dict[str, Any]


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _sha256(raw: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(raw).hexdigest()}


def hashedrekord_001(payload: bytes, signature: bytes, signer: Signer) -> Entry:
    key = {"content": b64(signer.pem)}
    spec = {"data": {"hash": _sha256(payload)}, "signature": {"content": b64(signature), "publicKey": key}}
    return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}


def dsse_001(envelope: bytes, signer: Signer) -> Entry:
    wire = json.loads(envelope)
    signatures = [{"signature": item["sig"], "verifier": b64(signer.pem)} for item in wire["signatures"]]
    payload = base64.b64decode(wire["payload"])
    spec = {"envelopeHash": _sha256(envelope), "payloadHash": _sha256(payload), "signatures": signatures}
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}


def intoto_001(envelope: bytes, signer: Signer) -> Entry:
    payload = base64.b64decode(json.loads(envelope)["payload"])
    content = {"hash": _sha256(envelope), "payloadHash": _sha256(payload)}
    return {"apiVersion": "0.0.1", "kind": "intoto", "spec": {"content": content, "publicKey": b64(signer.pem)}}


def intoto_002(envelope: bytes, signer: Signer) -> Entry:
    wire = json.loads(envelope)
    payload = base64.b64decode(wire["payload"])
    signatures = [{"sig": b64(item["sig"].encode()), "publicKey": b64(signer.pem)} for item in wire["signatures"]]
    inner = {"payloadType": wire["payloadType"], "signatures": signatures}
    content = {"envelope": inner, "hash": _sha256(envelope), "payloadHash": _sha256(payload)}
    return {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": content}}


def _verifier_v2(signer: Signer) -> dict[str, Any]:
    if signer.certificate is not None:
        key = {"x509Certificate": {"rawBytes": b64(signer.certificate_der)}}
    else:
        key = {"publicKey": {"rawBytes": b64(keys.public_der(signer.key))}}
    return {"keyDetails": "PKIX_ECDSA_P256_SHA_256", **key}


def hashedrekord_002(message: bytes, signature: bytes, signer: Signer) -> Entry:
    data = {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(message).digest())}
    inner = {"data": data, "signature": {"content": b64(signature), "verifier": _verifier_v2(signer)}}
    return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": inner}}


def dsse_002(payload: bytes, signature: bytes, signer: Signer) -> Entry:
    digest = {"algorithm": "SHA2_256", "digest": b64(hashlib.sha256(payload).digest())}
    signatures = [{"content": b64(signature), "verifier": _verifier_v2(signer)}]
    inner = {"payloadHash": digest, "signatures": signatures}
    return {"apiVersion": "0.0.2", "kind": "dsse", "spec": {"dsseV002": inner}}


class TransparencyLog:
    """A log that only grows. `append` answers a TransparencyLogEntry in protobuf JSON."""

    def __init__(self, host: str, key: keys.PrivateKey, *, v2: bool = False) -> None:
        self.host, self.key, self.v2 = host, key, v2
        self._leaves = [b"filler-%d" % number for number in range(5)]

    @property
    def log_id(self) -> bytes:
        if self.v2:  # C2SP signed-note: a hash of the name, the algorithm and the raw key
            return hashlib.sha256(self.host.encode() + b"\n\x01" + keys.public_der(self.key)[-32:]).digest()
        return keys.key_id(self.key)

    def append(
        self,
        entry: Entry,
        at: dt.datetime,
        *,
        set_key: keys.PrivateKey | None = None,
        note_key: keys.PrivateKey | None = None,
    ) -> dict[str, Any]:
        """Log an entry. With `set_key` or `note_key` somebody else signs the SET or the checkpoint."""
        body = compact(entry)
        self._leaves.append(body)
        index, size = len(self._leaves) - 1, len(self._leaves)
        root_hash, path = merkle_proof(self._leaves, index)
        origin = self.host if self.v2 else f"{self.host} - 1234567890"
        note = f"{origin}\n{size}\n{b64(root_hash)}\n"
        signed_note = b64(self.log_id[:4] + keys.sign(note_key or self.key, note.encode()))
        logged: dict[str, Any] = {
            "logIndex": str(index),
            "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": entry["kind"], "version": entry["apiVersion"]},
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(root_hash),
                "treeSize": str(size),
                "hashes": [b64(item) for item in path],
                "checkpoint": {"envelope": f"{note}\n\u2014 {self.host} {signed_note}\n"},
            },
            "canonicalizedBody": b64(body),
        }
        if not self.v2:
            seconds = int(at.timestamp())
            covered = {"body": b64(body), "integratedTime": seconds, "logID": self.log_id.hex(), "logIndex": index}
            signed = keys.sign(set_key or self.key, compact(covered))
            logged["integratedTime"] = str(seconds)
            logged["inclusionPromise"] = {"signedEntryTimestamp": b64(signed)}
        return logged


def annotation(logged: dict[str, Any]) -> str:
    """The entry as cosign writes it into `dev.sigstore.cosign/bundle`."""
    payload = {
        "body": logged["canonicalizedBody"],
        "integratedTime": int(logged["integratedTime"]),
        "logIndex": int(logged["logIndex"]),
        "logID": base64.b64decode(logged["logId"]["keyId"]).hex(),
    }
    return json.dumps({"SignedEntryTimestamp": logged["inclusionPromise"]["signedEntryTimestamp"], "Payload": payload})


def merkle_proof(leaves: list[bytes], index: int) -> tuple[bytes, list[bytes]]:
    """RFC 6962 root hash and audit path."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest(), []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        left, path = merkle_proof(leaves[:split], index)
        right = merkle_proof(leaves[split:], 0)[0]
        path.append(right)
    else:
        left = merkle_proof(leaves[:split], 0)[0]
        right, path = merkle_proof(leaves[split:], index - split)
        path.append(left)
    return hashlib.sha256(b"\1" + left + right).digest(), path
