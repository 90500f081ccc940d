"""What verification says. Only `verifier.verify` makes these."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec

from cgexplorer.oci.evidence import Form, Kind


class State(StrEnum):
    """Closed set; green is only VERIFIED."""

    VERIFIED = "verified"
    VERIFIED_STALE = "verified-stale"
    SIGNER_NOT_ALLOWED = "signer-not-allowed"
    INVALID = "invalid"
    UNSIGNED = "unsigned"
    UNSUPPORTED = "unsupported"
    COULD_NOT_CHECK = "could-not-check"
    NO_POLICY = "no-policy"


class CheckName(StrEnum):
    """In the order in which they run."""

    FORMAT = "format"  # size and strict parse
    POLICY = "policy"  # the policy itself is sane
    LOG_ENTRY = "log-entry"  # known log, SET or inclusion proof
    LOG_BINDING = "log-binding"  # the entry logs this signature, key and payload
    TIMESTAMP = "timestamp"  # RFC 3161, and: some verified time exists
    CERTIFICATE_CHAIN = "certificate-chain"  # to a trusted CA, at every verified time
    SCT = "sct"  # certificate is in a trusted CT log
    KEY_USAGE = "key-usage"  # code signing; strong key
    ISSUER = "issuer"
    IDENTITY = "identity"
    WORKFLOW = "workflow"  # GitHub claims that the policy asks for
    KEY_PERIOD = "key-period"  # signed while the policy lets its key sign
    SIGNATURE = "signature"  # over payload or DSSE PAE
    SUBJECT = "subject"  # signed digest = manifest digest
    TYPE = "type"  # payload type, statement type, predicate type
    ANNOTATIONS = "annotations"
    THRESHOLD = "threshold"  # enough distinct signers of the image


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not-run"


class Check(msgspec.Struct, frozen=True):
    name: CheckName
    outcome: Outcome
    expected: str
    found: str


class LogEntry(msgspec.Struct, frozen=True):
    """Facts of a log entry that was verified (or, on `invalid`, of what was offered)."""

    log_id: str  # hex
    log_name: str  # base URL in the trust root, "" when unknown
    log_index: int | None  # proven index: inner one for Rekor v2
    kind: str  # "hashedrekord 0.0.1"
    integrated_at: dt.datetime | None
    proof: str  # "signed entry timestamp", "inclusion proof", or both joined by " and "


class Extension(msgspec.Struct, frozen=True):
    oid: str
    name: str  # Fulcio's name: "GitHub Workflow Trigger", "Build Signer URI", …
    value: str


class Certificate(msgspec.Struct, frozen=True):
    sha256: str  # hex of the DER
    subjects: tuple[str, ...]  # SANs
    issuer: str  # OIDC issuer from the extensions
    authority: str  # distinguished name of the CA
    serial: str  # hex
    not_before: dt.datetime
    not_after: dt.datetime
    extensions: tuple[Extension, ...]
    pem: str


class Statement(msgspec.Struct, frozen=True):
    """The signed claim. Bytes are those under the signature; parse `predicate` from `payload`."""

    payload: bytes  # decoded: in-toto statement or simple-signing JSON
    payload_type: str
    statement_type: str  # "https://in-toto.io/Statement/v1", "" for simple signing
    predicate_type: str  # "" for simple signing
    subjects: tuple[str, ...]  # sha256 digests
    predicate: bytes  # JSON bytes of the predicate, sliced unchanged out of the payload; b"" for simple signing


class Verdict(msgspec.Struct, frozen=True):
    state: State
    reason: str  # one sentence: what, why, what next
    checks: tuple[Check, ...]
    form: Form
    kind: Kind  # as the verified contents say; as stored when they could not be read
    identity: str = ""  # certificate SAN, or "key sha256:…"
    issuer: str = ""
    key_sha256: str = ""  # hex, of the SubjectPublicKeyInfo that the signature was checked with
    signed_at: dt.datetime | None = None  # verified time only
    time_source: str = ""  # "transparency log", "timestamp authority"
    log_entries: tuple[LogEntry, ...] = ()
    certificate: Certificate | None = None
    payload_sha256: str = ""  # hex of the signed payload, "" when unreadable
    predicate_type: str = ""
    policy: str = ""
    policy_version: int = 0
    trusted_root_sha256: str = ""
    statement: Statement | None = (
        None  # only when signature, log, certificate and subject hold; `state` says whether the signer is allowed
    )

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome is Outcome.FAILED)
