"""A throwaway Sigstore, offline and complete: CA, CT log, Rekor v1 and v2, timestamp authority, trusted root.

    sigstore = FakeSigstore(now=datetime(2026, 7, 1, tzinfo=UTC))
    verifier = Verifier(trust_root.load(sigstore.trusted_root()))
    evidence = sigstore.signature("sha256:…", sigstore.leaf())

The same seed, time and calls give the same bytes. Faults are made, not mocked: what an attacker would do is a
parameter.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cgexplorer.oci.evidence import Evidence, Form, Kind
from tests.fakes.sigstore import keys, rekor
from tests.fakes.sigstore.authority import GITHUB, WORKFLOW, CertificateAuthority, Issuer, make_ca
from tests.fakes.sigstore.keys import Signer, b64
from tests.fakes.sigstore.rekor import TransparencyLog
from tests.fakes.sigstore.tsa import TimestampAuthority

__all__ = ["GITHUB", "INTOTO", "SIGN", "SPDX", "WORKFLOW", "FakeSigstore", "Issuer", "Signer", "evidence_of", "make_ca"]

INTOTO = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
SPDX = "https://spdx.dev/Document"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MINUTE = dt.timedelta(minutes=1)

type Period = tuple[dt.datetime, dt.datetime | None]


def pae(payload_type: str, payload: bytes) -> bytes:
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def evidence_of(bundle: dict[str, Any] | bytes, digest: str, kind: Kind) -> Evidence:
    """A bundle as a registry would offer it beside the image."""
    raw = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    return Evidence(digest, Form.BUNDLE, kind, "sha256:" + "0" * 64, BUNDLE, raw)


class FakeSigstore:
    def __init__(self, now: dt.datetime, *, name: str = "fake.example", seed: str = "cgexplorer") -> None:
        self.now, self.name = now.replace(microsecond=0), name
        decade = dt.timedelta(days=3650)
        self.start, self.end = self.now - decade, self.now + decade
        seed = f"{seed} {name} "
        self.ca = CertificateAuthority(seed, self.start, self.end)
        self.tsa = TimestampAuthority(seed, self.start, self.end)
        self.rekor = TransparencyLog(f"rekor.{name}", keys.ecdsa_key(seed + "rekor"))
        self.rekor2 = TransparencyLog(f"log2.{name}", keys.ed25519_key(seed + "rekor2"), v2=True)

    # -- the trust root -------------------------------------------------------------------------------------------
    def trusted_root(
        self,
        *,
        ca_for: Period | None = None,
        log_for: Period | None = None,
        ct_for: Period | None = None,
        tsa_for: Period | None = None,
        chain: tuple[x509.Certificate, ...] | None = None,
        tsa: bool = True,
    ) -> bytes:
        """`trusted_root.json` of this instance; the periods say when each part is trusted."""
        name = self.name
        ct_id, tsa_chain = keys.key_id(self.ca.ct_key), (self.tsa.leaf.certificate, self.tsa.root.certificate)
        logs = (
            (self.rekor, "PKIX_ECDSA_P256_SHA_256"),
            (self.rekor2, "PKIX_ED25519"),
        )
        root = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self._log(item.host, item.key, details, item.log_id, log_for) for item, details in logs],
            "certificateAuthorities": [self._authority(f"fulcio.{name}", chain or self.ca.chain, ca_for)],
            "ctlogs": [self._log(f"ct.{name}", self.ca.ct_key, "PKIX_ECDSA_P256_SHA_256", ct_id, ct_for)],
            "timestampAuthorities": [self._authority(f"tsa.{name}", tsa_chain, tsa_for)] if tsa else [],
        }
        return json.dumps(root, indent=1).encode()

    def _log(
        self, host: str, key: keys.PrivateKey, details: str, log_id: bytes, period: Period | None
    ) -> dict[str, Any]:
        public_key = {"rawBytes": b64(keys.public_der(key)), "keyDetails": details, "validFor": self._range(period)}
        named = {"baseUrl": f"https://{host}", "hashAlgorithm": "SHA2_256"}
        return named | {"publicKey": public_key, "logId": {"keyId": b64(log_id)}}

    def _authority(self, host: str, chain: tuple[x509.Certificate, ...], period: Period | None) -> dict[str, Any]:
        certificates = [{"rawBytes": b64(item.public_bytes(Encoding.DER))} for item in chain]
        return {
            "subject": {"organization": self.name, "commonName": host},
            "uri": f"https://{host}",
            "certChain": {"certificates": certificates},
            "validFor": self._range(period),
        }

    def _range(self, period: Period | None) -> dict[str, str]:
        start, end = period or (self.start, None)
        return {"start": start.isoformat()} | ({"end": end.isoformat()} if end else {})

    # -- signers --------------------------------------------------------------------------------------------------
    def leaf(
        self,
        identity: str | x509.GeneralName = WORKFLOW,
        issuer: str | None = GITHUB,
        *,
        at: dt.datetime | None = None,
        **how: Any,
    ) -> Signer:
        """A keyless signer with a fresh ten-minute certificate; `how` as in `CertificateAuthority.leaf`."""
        return self.ca.leaf(identity, issuer, at or self.now, **how)

    def keypair(self, key: keys.PrivateKey | None = None, *, seed: str = "keypair") -> Signer:
        return Signer(key or keys.ecdsa_key(f"{self.name} {seed}"))

    # -- what is signed -------------------------------------------------------------------------------------------
    @staticmethod
    def simple_signing(
        digest: str,
        *,
        reference: str = "registry.example/app",
        kind: str = "cosign container image signature",
        optional: dict[str, str] | None = None,
    ) -> bytes:
        critical = {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": digest},
            "type": kind,
        }
        return json.dumps({"critical": critical, "optional": optional}, separators=(",", ":")).encode()

    @staticmethod
    def statement(
        digest: str,
        predicate_type: str = SPDX,
        predicate: object = None,
        *,
        statement_type: str = "https://in-toto.io/Statement/v0.1",
        name: str = "registry.example/app",
        annotations: dict[str, str] | None = None,
    ) -> bytes:
        subject: dict[str, Any] = {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
        if annotations is not None:
            subject["annotations"] = annotations
        claim = {"_type": statement_type, "predicateType": predicate_type, "subject": [subject]}
        return json.dumps(claim | {"predicate": {} if predicate is None else predicate}).encode()

    @staticmethod
    def envelope(payload: bytes, signer: Signer, payload_type: str = INTOTO) -> bytes:
        signature = keys.sign(signer.key, pae(payload_type, payload))
        signed = {"payloadType": payload_type, "payload": b64(payload)}
        return json.dumps(
            signed | {"signatures": [{"keyid": "", "sig": b64(signature)}]}, separators=(",", ":")
        ).encode()

    # -- what cosign stores ---------------------------------------------------------------------------------------
    def signature(
        self,
        digest: str,
        signer: Signer,
        *,
        at: dt.datetime | None = None,
        payload: bytes | None = None,
        log: bool = True,
        timestamp: bool = False,
        logged: dict[str, Any] | None = None,
        optional: dict[str, str] | None = None,
    ) -> Evidence:
        """A classic `.sig` layer. `logged` puts another log entry beside it."""
        at = at or self.now + MINUTE
        payload = self.simple_signing(digest, optional=optional) if payload is None else payload
        signature = keys.sign(signer.key, payload)
        notes = {"dev.cosignproject.cosign/signature": b64(signature)} | self._certificate_notes(signer)
        if log:
            entry = logged or self.rekor.append(rekor.hashedrekord_001(payload, signature, signer), at)
            notes["dev.sigstore.cosign/bundle"] = rekor.annotation(entry)
        if timestamp:
            token = {"SignedRFC3161Timestamp": b64(self.tsa.token(signature, at))}
            notes["dev.sigstore.cosign/rfc3161timestamp"] = json.dumps(token)
        return Evidence(digest, Form.LEGACY, Kind.SIGNATURE, "sha256:" + "0" * 64, SIMPLE_SIGNING, payload, notes)

    def attestation(
        self,
        digest: str,
        signer: Signer,
        predicate_type: str = SPDX,
        predicate: object = None,
        *,
        kind: str = "dsse_001",
        at: dt.datetime | None = None,
        payload: bytes | None = None,
        payload_type: str = INTOTO,
        timestamp: bool = False,
    ) -> Evidence:
        """A classic `.att` layer, logged as Rekor `kind`: dsse_001, intoto_001 or intoto_002."""
        at = at or self.now + MINUTE
        payload = self.statement(digest, predicate_type, predicate) if payload is None else payload
        envelope = self.envelope(payload, signer, payload_type)
        entry = self.rekor.append(getattr(rekor, kind)(envelope, signer), at)
        notes = {"dev.cosignproject.cosign/signature": "", "dev.sigstore.cosign/bundle": rekor.annotation(entry)}
        notes |= {"predicateType": predicate_type} | self._certificate_notes(signer)
        if timestamp:
            token = {"SignedRFC3161Timestamp": b64(self.tsa.token(envelope, at))}
            notes["dev.sigstore.cosign/rfc3161timestamp"] = json.dumps(token)
        return Evidence(digest, Form.LEGACY, Kind.ATTESTATION, "sha256:" + "0" * 64, DSSE_ENVELOPE, envelope, notes)

    def _certificate_notes(self, signer: Signer) -> dict[str, str]:
        if signer.certificate is None:
            return {}
        chain = "".join(item.public_bytes(Encoding.PEM).decode() for item in self.ca.chain)
        return {"dev.sigstore.cosign/certificate": signer.pem.decode(), "dev.sigstore.cosign/chain": chain}

    def bundle(
        self,
        digest: str,
        signer: Signer,
        predicate_type: str = SIGN,
        predicate: object = None,
        *,
        at: dt.datetime | None = None,
        v2: bool = False,
        kind_v2: str = "hashedrekord_002",
        timestamp: bool = False,
        payload: bytes | None = None,
        artifact: bytes | None = None,
        version: int = 3,
    ) -> dict[str, Any]:
        """A Sigstore bundle over a statement, or over the bytes of an `artifact`. Rekor v2 always adds a timestamp."""
        at = at or self.now + MINUTE
        wire: dict[str, Any] = {"mediaType": f"application/vnd.dev.sigstore.bundle+json;version=0.{version}"}
        if version == 3:
            wire["mediaType"] = BUNDLE
        proofs: dict[str, Any] = {}
        if signer.certificate is None:
            proofs["publicKey"] = {"hint": b64(keys.key_id(signer.key))}
        else:
            certificate = {"rawBytes": b64(signer.certificate_der)}
            proofs |= (
                {"certificate": certificate}
                if version == 3
                else {"x509CertificateChain": {"certificates": [certificate]}}
            )
        wire["verificationMaterial"] = proofs
        if artifact is not None:
            message = payload = artifact
            signature = keys.sign(signer.key, artifact)
            digest_of_message = {"algorithm": "SHA2_256", "digest": b64(_sha256(artifact))}
            wire["messageSignature"] = {"messageDigest": digest_of_message, "signature": b64(signature)}
            entry = rekor.hashedrekord_001(artifact, signature, signer)
        else:
            if payload is None:
                new = "https://in-toto.io/Statement/v1"
                payload = self.statement(digest, predicate_type, predicate, statement_type=new)
            envelope = self.envelope(payload, signer)
            wire["dsseEnvelope"] = json.loads(envelope)
            message, signature = pae(INTOTO, payload), _signature_of(wire["dsseEnvelope"])
            entry = rekor.dsse_001(envelope, signer)
        if v2:
            over = message if kind_v2 == "hashedrekord_002" else payload
            entry = getattr(rekor, kind_v2)(over, signature, signer)
        proofs["tlogEntries"] = [(self.rekor2 if v2 else self.rekor).append(entry, at)]
        if timestamp or v2:
            tokens = [{"signedTimestamp": b64(self.tsa.token(signature, at))}]
            proofs["timestampVerificationData"] = {"rfc3161Timestamps": tokens}
        return wire


def _sha256(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _signature_of(envelope: dict[str, Any]) -> bytes:
    return base64.b64decode(envelope["signatures"][0]["sig"])
