"""Fuzz targets of the verifier: whole evidence, and each reader of a part by itself.

The oracle is the payload, not the bundle's bytes, which are malleable: `verified` may be said only of what the honest
signer of the throwaway Sigstore has signed, and of nobody else.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify import as_bundle, certificate, keys, log_binding, log_entry, material, signer, trust_root
from cgexplorer.verify import statement as statements
from cgexplorer.verify.as_bundle import NotABundle
from cgexplorer.verify.errors import Fault, Malformed, TrustRootError, UnusableKey
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.timestamp import TimestampAuthorities
from cgexplorer.verify.verdict import State, Verdict
from cgexplorer.verify.verifier import Verifier
from scripts.fuzz_documents import DIGEST, Broken, Target, dumped
from tests.fakes.sigstore import GITHUB, SPDX, WORKFLOW, FakeSigstore, evidence_of

SIGNED_ON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
NOW = SIGNED_ON + dt.timedelta(days=30)
ARTIFACT = b"an artifact"
SIGSTORE = FakeSigstore(SIGNED_ON)
ROOT_BYTES = SIGSTORE.trusted_root()
ROOT = trust_root.load(ROOT_BYTES)
VERIFIER = Verifier(ROOT)
ALICE, KEY = SIGSTORE.leaf(), SIGSTORE.keypair()
POLICY = Policy(name="fuzz", issuer=GITHUB, identity=WORKFLOW)
SIGNATURE = SIGSTORE.signature(DIGEST, ALICE, timestamp=True)
ATTESTATION = SIGSTORE.attestation(DIGEST, ALICE)
LOG = "dev.sigstore.cosign/bundle"
_AUTHORITIES = certificate.Authorities(ROOT)
_TIMESTAMPS = TimestampAuthorities(ROOT.timestamp_authorities)
_REKOR = ROOT.logs[SIGSTORE.rekor.log_id]

BUNDLES = tuple(
    map(
        dumped,
        (
            SIGSTORE.bundle(DIGEST, ALICE),
            SIGSTORE.bundle(DIGEST, ALICE, SPDX, timestamp=True),
            SIGSTORE.bundle(DIGEST, ALICE, SPDX, v2=True),
            SIGSTORE.bundle(DIGEST, ALICE, SPDX, v2=True, kind_v2="dsse_002"),
            SIGSTORE.bundle(DIGEST, ALICE, version=1),
            SIGSTORE.bundle(DIGEST, ALICE, version=2, timestamp=True),
            SIGSTORE.bundle(DIGEST, KEY),
        ),
    )
)
ARTIFACT_BUNDLES = tuple(
    dumped(SIGSTORE.bundle(DIGEST, ALICE, artifact=ARTIFACT, version=version, v2=v2))
    for version, v2 in ((1, False), (2, False), (3, False), (3, True))
)
_ENTRIES = tuple(
    dumped(json.loads(raw)["verificationMaterial"]["tlogEntries"][0]) for raw in BUNDLES + ARTIFACT_BUNDLES
)


def _signed() -> frozenset[str]:
    """Hashes of all payloads that Alice has signed here."""
    asked = [evidence_of(raw, DIGEST, kind) for raw in BUNDLES for kind in Kind] + [SIGNATURE, ATTESTATION]
    verdicts = [VERIFIER.verify(item, DIGEST, POLICY, now=NOW) for item in asked]
    verdicts += [VERIFIER.verify_bundle(raw, ARTIFACT, POLICY, now=NOW) for raw in ARTIFACT_BUNDLES]
    verdicts += [VERIFIER.verify_bundle(raw, digests.of(ARTIFACT), POLICY, now=NOW) for raw in ARTIFACT_BUNDLES]
    return frozenset(item.payload_sha256 for item in verdicts if item.state is State.VERIFIED)


SIGNED = _signed()


def judge(verdict: Verdict) -> None:
    """Raises Broken for `verified` over what was not signed, and when a parser's own exception got through."""
    if verdict.state is State.VERIFIED and (verdict.payload_sha256 not in SIGNED or verdict.identity != WORKFLOW):
        raise Broken(f"verified: {verdict.identity} over {verdict.payload_sha256}")
    if "parser" in verdict.reason:
        raise Broken(verdict.reason)
    msgspec.json.encode(verdict)  # no half characters: it can be stored and sent


def _bundle(raw: bytes) -> None:
    for kind in Kind:
        judge(VERIFIER.verify(evidence_of(raw, DIGEST, kind), DIGEST, POLICY, now=NOW))


def _artifact_bundle(raw: bytes) -> None:
    for artifact in (ARTIFACT, digests.of(ARTIFACT)):
        judge(VERIFIER.verify_bundle(raw, artifact, POLICY, now=NOW))


def _classic(evidence: Evidence) -> None:
    judge(VERIFIER.verify(evidence, DIGEST, POLICY, now=NOW))
    as_bundle.from_classic(evidence)


def _layer(raw: bytes) -> None:
    """A layer whose bytes are not those that were signed."""
    of = SIGNATURE if raw[:12] == SIGNATURE.content[:12] else ATTESTATION
    _classic(msgspec.structs.replace(of, content=raw))


def _annotations(raw: bytes) -> None:
    """A layer's annotations as JSON; text that is none stands for its log annotation."""
    try:
        notes = msgspec.json.decode(raw, type=dict[str, str])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        notes = SIGNATURE.annotations | {LOG: raw.decode("utf-8", "replace")}
    _classic(msgspec.structs.replace(SIGNATURE, annotations=notes))


def _statement(raw: bytes) -> None:
    dsse = b"critical" not in raw
    statements.read(
        material.Material(
            content=material.Content.DSSE if dsse else material.Content.SIMPLE_SIGNING,
            signature=b"-", message=raw, payload=raw, payload_type=statements.INTOTO if dsse else "", envelope=None,
            artifact_sha256=b"", claimed_sha256=None, certificate=None, certificate_der=b"", entries=(), timestamps=(),
            timestamped=(),
        ),
        DIGEST,
    )  # fmt: skip


def _certificate(raw: bytes) -> None:
    """Each step by itself: a certificate that one refuses goes on to the next."""
    read = material.read_certificate(raw)
    steps: tuple[Callable[[], object], ...] = (
        lambda: signer.check_issuer(certificate.describe(read), POLICY),
        lambda: certificate.check_usage(read),
        lambda: keys.of_certificate(read).signed(b"-" * 70, b"message"),
        lambda: _AUTHORITIES.chain(read, (SIGNED_ON,)),
        lambda: certificate.check_sct(read, ROOT.certificate_authorities[0], ROOT),
    )
    for step in steps:
        try:
            step()
        except (Fault, Malformed, UnusableKey):
            continue


def _entry(raw: bytes) -> None:
    """A transparency log entry of a bundle, in the bundle that it may belong to."""
    head, tail = BUNDLES[0].split(_ENTRIES[0])
    judge(VERIFIER.verify(evidence_of(head + raw + tail, DIGEST, Kind.SIGNATURE), DIGEST, POLICY, now=NOW))


def _entry_body(raw: bytes) -> None:
    entry = material.entry_from_body(
        body_base64=base64.b64encode(raw).decode(), log_id=_REKOR.log_id, index=1, integrated_time=1,
        signed_entry_timestamp=b"-", proof=None, claimed_kind=None,
    )  # fmt: skip
    log_entry.offered(entry, ROOT)
    log_binding.read(entry)


def _checkpoint(raw: bytes) -> None:
    log_entry._check_checkpoint(raw.decode("utf-8", "replace"), _REKOR)


def _timestamp(raw: bytes) -> None:
    _TIMESTAMPS.check(raw, (_STAMPED,))


def _key(raw: bytes) -> None:
    for read in (lambda: keys.from_der(raw), lambda: keys.from_pem(raw.decode("utf-8", "replace"))):
        try:
            read().signed(b"-" * 64, b"message")
        except UnusableKey:
            continue


def _pattern(raw: bytes) -> None:
    pattern = raw.decode("utf-8", "surrogateescape")
    signer.check_policy(Policy(issuer_regexp=pattern, identity_regexp=pattern, whole_match=bool(raw[:1] > b"a")))


def _inside(raw: bytes, *path: str | int) -> bytes:
    value = json.loads(raw)
    for step in path:
        value = value[step]
    return base64.b64decode(value) if isinstance(value, str) else dumped(value)


_MATERIAL = "verificationMaterial"
_BODIES = tuple(_inside(entry, "canonicalizedBody") for entry in _ENTRIES)
_NOTES = tuple(json.loads(entry)["inclusionProof"]["checkpoint"]["envelope"].encode() for entry in _ENTRIES)
_TOKEN = _inside(BUNDLES[1], _MATERIAL, "timestampVerificationData", "rfc3161Timestamps", 0, "signedTimestamp")
_STAMPED = _inside(BUNDLES[1], "dsseEnvelope", "signatures", 0, "sig")
_STATEMENTS = (*(_inside(raw, "dsseEnvelope", "payload") for raw in BUNDLES[:2]), SIGNATURE.content)
_CERTIFICATES = (
    ALICE.certificate_der,
    SIGSTORE.leaf("someone@example.test", "https://accounts.example.test").certificate_der,
    *(
        _inside(ROOT_BYTES, part, 0, "certChain", "certificates", 0, "rawBytes")
        for part in ("certificateAuthorities", "timestampAuthorities")
    ),
)
_KEYS = (
    _inside(ROOT_BYTES, "tlogs", 0, "publicKey", "rawBytes"),
    _inside(ROOT_BYTES, "tlogs", 1, "publicKey", "rawBytes"),
)

TARGETS = (
    Target("bundle", _bundle, (), BUNDLES),
    Target("bundle over a file", _artifact_bundle, (), ARTIFACT_BUNDLES),
    Target("classic layer", _layer, (NotABundle,), (ATTESTATION.content, SIGNATURE.content)),
    Target(
        "classic annotations",
        _annotations,
        (NotABundle,),
        (dumped(SIGNATURE.annotations), SIGNATURE.annotations[LOG].encode()),
    ),
    Target("statement", _statement, (Fault,), _STATEMENTS),
    Target("certificate", _certificate, (Malformed,), _CERTIFICATES),
    Target("log entry", _entry, (), _ENTRIES),
    Target("log entry's body", _entry_body, (Malformed, Fault), _BODIES),
    Target("checkpoint", _checkpoint, (Fault,), _NOTES),
    Target("timestamp", _timestamp, (Fault,), (_TOKEN,)),
    Target("key", _key, (), (*_KEYS, KEY.public_pem.encode())),
    Target("trusted root", trust_root.load, (TrustRootError,), (ROOT_BYTES,)),
    Target("pattern", _pattern, (Fault,), (b"^https://github\\.com/a/[a-z]+@.*$", b"(a|b){1,3}")),
)
