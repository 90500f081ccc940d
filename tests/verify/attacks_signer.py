"""Properly logged attacks that only the checks of policy, certificate or signer can stop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify.certificate import OTHER_NAME
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import CheckName
from cgexplorer.verify.verifier import Verifier
from tests.fakes.sigstore import GITHUB, WORKFLOW, Issuer, der, evidence_of, keys, make_ca
from tests.verify.world import (
    ALICE,
    DIGEST,
    KEY,
    KEY_POLICY,
    SIGNED_ON,
    SIGSTORE,
    STRANGER,
    TIMESTAMP,
    VERIFIER,
    Case,
    entry,
    noted,
    policy,
    root,
)

BEFORE = (SIGSTORE.start, SIGNED_ON - dt.timedelta(days=1))
HOUR = dt.timedelta(hours=1)


def by(what: Policy | None = None, /, *, at: dt.datetime | None = None, signer: Any = None, **leaf: Any) -> Case:
    """A classic signature by a leaf that is made as told; the honest policy unless another is given."""
    made = signer or SIGSTORE.leaf(**leaf)
    return Case(SIGSTORE.signature(DIGEST, made, at=at), what or policy())


def policies() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "no issuer", lambda: by(Policy(identity=WORKFLOW))
    yield "no identity", lambda: by(Policy(issuer=GITHUB))
    yield "nothing at all", lambda: by(Policy())
    for pattern in (".*", "^.*$", ".+", "(.*)", "(?s).*", "[^#]*", "a?.*"):
        yield (
            f"everybody's pattern {pattern}",
            lambda pattern=pattern: by(Policy(issuer=GITHUB, identity_regexp=pattern)),
        )
    yield "everybody's issuer pattern", lambda: by(Policy(issuer_regexp=".*", identity=WORKFLOW))
    yield (
        "a timestamp is required and none is believed",
        lambda: Case(
            SIGSTORE.signature(DIGEST, ALICE, timestamp=True),
            policy(require_timestamp=True, use_signed_timestamps=False),
        ),
    )
    yield "a threshold of no signer", lambda: by(policy(threshold=0))
    yield "a period without a key", lambda: by(policy(not_before=SIGSTORE.start))
    yield "a pattern too long", lambda: by(Policy(issuer=GITHUB, identity_regexp="https://.*" + "a?" * 260))


def chains() -> Iterator[tuple[str, Callable[[], Case]]]:
    start, end = SIGSTORE.start, SIGSTORE.end
    false_root = make_ca("fake root", start, end, serial=1, seed="mallory root")
    false_ca = make_ca("fake intermediate", start, end, serial=2, seed="mallory", issuer=false_root)
    short = make_ca(
        "short intermediate",
        start,
        SIGNED_ON + dt.timedelta(seconds=30),
        serial=9,
        seed="short",
        issuer=SIGSTORE.ca.root,
    )
    leaf_as_ca = Issuer(ALICE.key, ALICE.certificate)  # type: ignore[arg-type]
    yield "a CA of the same names", lambda: by(by=false_ca)
    yield "a stranger's CA", lambda: by(by=STRANGER.ca.intermediate)
    yield "a leaf that issues certificates", lambda: by(by=leaf_as_ca)
    yield "signed after the certificate's end", lambda: by(at=SIGNED_ON + HOUR)
    yield "signed before the certificate's start", lambda: by(at=SIGNED_ON - dt.timedelta(minutes=2))
    yield "CA not trusted at that time", lambda: Case(SIGSTORE.signature(DIGEST, ALICE), verifier=root(ca_for=BEFORE))
    yield (
        "CVE-2026-24122: intermediate expired at the time of signing",
        lambda: Case(
            SIGSTORE.signature(DIGEST, SIGSTORE.leaf(by=short)),
            verifier=root(chain=(short.certificate, SIGSTORE.ca.root.certificate)),
        ),
    )
    yield "one of two verified times too late", two_times
    waived = policy(require_log=False)
    yield (
        "neither log nor timestamp, expired by now",
        lambda: Case(SIGSTORE.signature(DIGEST, ALICE, log=False), waived),
    )
    yield (
        "only a timestamp, and the policy counts none",
        lambda: Case(
            SIGSTORE.signature(DIGEST, ALICE, log=False, timestamp=True),
            policy(require_log=False, use_signed_timestamps=False),
        ),
    )
    yield "neither log nor timestamp, by a stranger's CA", lambda: unproven(by=STRANGER.ca.intermediate)
    yield "neither log nor timestamp, CA not trusted now", lambda: unproven(verifier=root(ca_for=BEFORE))


def unproven(*, verifier: Verifier = VERIFIER, **leaf: Any) -> Case:
    """By a certificate that lasts for a year, without any proof of time."""
    evidence = SIGSTORE.signature(DIGEST, SIGSTORE.leaf(minutes=525_600, **leaf), log=False)
    return Case(evidence, policy(require_log=False), verifier=verifier)


def two_times() -> Case:
    evidence = SIGSTORE.signature(DIGEST, ALICE)
    late = SIGSTORE.signature(DIGEST, ALICE, at=SIGNED_ON + HOUR, log=False, timestamp=True)
    return Case(noted(evidence, timestamp=late.annotations["dev.sigstore.cosign/rfc3161timestamp"]))


def transparency() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "no timestamp of a CT log", lambda: by(sct=False)
    yield "timestamp by a stranger's key", lambda: by(sct_key=keys.ecdsa_key("mallory"))
    yield (
        "CT log not trusted at that time",
        lambda: Case(SIGSTORE.signature(DIGEST, ALICE), verifier=root(ct_for=BEFORE)),
    )
    yield "timestamp of another certificate", lambda: by(signer=borrowed_sct())


def borrowed_sct() -> keys.Signer:
    """A certificate by our CA that carries the SCT of another one: the CT log never saw it."""
    other = SIGSTORE.leaf()
    assert other.certificate is not None
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
    sct = other.certificate.extensions.get_extension_for_oid(oid).value.public_bytes()
    return SIGSTORE.leaf(sct=False, extra=x509.UnrecognizedExtension(oid, sct))


def usages() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "a certificate for TLS clients", lambda: by(usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    yield "a certificate for timestamps", lambda: by(usage=ExtendedKeyUsageOID.TIME_STAMPING)
    yield "a certificate without extended usage", lambda: by(usage=None)
    yield "a key that must not sign", lambda: by(digital_signature=False)


def issuers() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "another issuer", lambda: by(issuer="https://evil.example", claims={})
    yield "issuer with a slash more", lambda: by(policy(issuer=GITHUB + "/"))
    yield "issuer in another case", lambda: by(policy(issuer=GITHUB.upper()))
    yield "issuer outside the pattern", lambda: by(policy(issuer="", issuer_regexp="https://accounts\\..+"))
    yield (
        "right pattern beside a wrong exact issuer",
        lambda: by(policy(issuer="https://x.example", issuer_regexp="https://.+")),
    )
    yield "right exact issuer beside a wrong pattern", lambda: by(policy(issuer_regexp="http://.+"))
    yield "the two issuer extensions disagree", lambda: by(issuer_v1="https://evil.example")
    yield "no issuer extension", lambda: by(issuer=None)


def identities() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "another workflow", lambda: by(identity=WORKFLOW.replace("release", "evil"))
    yield "another branch", lambda: by(identity=WORKFLOW.replace("main", "dev"))
    yield "identity with a suffix", lambda: by(identity=WORKFLOW + "2")
    yield "identity in another case", lambda: by(identity=WORKFLOW.replace("images/images", "Images/images"))
    yield (
        "a stored pattern matches the whole value only",
        lambda: by(
            policy(identity="", identity_regexp="https://github.com/chainguard-images/.+"),
            identity="https://evil.example/https://github.com/chainguard-images/x",
        ),
    )
    yield (
        "right pattern beside a wrong exact identity",
        lambda: by(policy(identity="https://x.example", identity_regexp="https://.+")),
    )
    yield "right exact identity beside a wrong pattern", lambda: by(policy(identity_regexp="http://.+"))
    yield "an e-mail address where a workflow is due", lambda: by(identity="erin@example.test")
    yield "a key where an identity is due", lambda: Case(SIGSTORE.signature(DIGEST, KEY))
    yield "an identity where a key is due", lambda: Case(SIGSTORE.signature(DIGEST, ALICE), KEY_POLICY)
    name = x509.OtherName(OTHER_NAME, der.utf8(f"key sha256:{keys.key_id(KEY.key).hex()}"))
    yield "a certificate whose name is that of the key", lambda: by(KEY_POLICY, identity=name)
    yield "another key", lambda: Case(SIGSTORE.signature(DIGEST, SIGSTORE.keypair(seed="mallory")), KEY_POLICY)
    yield (
        "another key in a bundle",
        lambda: Case(
            evidence_of(SIGSTORE.bundle(DIGEST, SIGSTORE.keypair(seed="mallory")), DIGEST, Kind.SIGNATURE), KEY_POLICY
        ),
    )
    yield (
        "GHSA-fx35-mq7g-6g98: the right key inside a certificate",
        lambda: Case(SIGSTORE.signature(DIGEST, SIGSTORE.leaf(key=KEY.key)), KEY_POLICY),
    )


def workflows() -> Iterator[tuple[str, Callable[[], Case]]]:
    for claim in ("trigger", "sha", "name", "repository", "ref"):
        yield f"another workflow {claim}", lambda claim=claim: by(policy(**{f"workflow_{claim}": "other"}))
    yield "no workflow claims at all", lambda: by(policy(workflow_ref="refs/heads/main"), claims={6: None})


def periods() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "signed before the key's period", lambda: keyed(not_before=SIGNED_ON + HOUR)
    yield "GHSA-wqqc-jjcq-vfxm: signed after the key's period", lambda: keyed(not_after=SIGNED_ON)
    yield (
        "the same in a bundle",
        lambda: keyed(evidence_of(SIGSTORE.bundle(DIGEST, KEY), DIGEST, Kind.SIGNATURE), not_after=SIGNED_ON),
    )
    yield (
        "logged in time, timestamped too late",
        lambda: keyed(timestamped(SIGNED_ON + 2 * HOUR), not_after=SIGNED_ON + HOUR),
    )
    nobody = SIGSTORE.signature(DIGEST, KEY, log=False)
    yield "at a time that nobody proves", lambda: keyed(nobody, not_after=SIGNED_ON + HOUR, require_log=False)
    yield (
        "at a time that only a timestamp proves, and none is believed",
        lambda: keyed(
            SIGSTORE.signature(DIGEST, KEY, log=False, timestamp=True),
            not_after=SIGNED_ON + HOUR, require_log=False, use_signed_timestamps=False,
        ),
    )  # fmt: skip
    yield "Rekor v2: at an integrated time that nobody signs", lambda: keyed(outer_time(), not_after=SIGNED_ON + HOUR)


def keyed(evidence: Evidence | None = None, /, **changed: Any) -> Case:
    """By the policy's own key, a minute after SIGNED_ON; the policy says when it may sign."""
    return Case(evidence or SIGSTORE.signature(DIGEST, KEY), msgspec.structs.replace(KEY_POLICY, **changed))


def timestamped(at: dt.datetime) -> Evidence:
    late = SIGSTORE.signature(DIGEST, KEY, at=at, log=False, timestamp=True)
    return noted(SIGSTORE.signature(DIGEST, KEY), timestamp=late.annotations[TIMESTAMP])


def outer_time() -> Evidence:
    bundle = SIGSTORE.bundle(DIGEST, KEY, v2=True)
    del bundle["verificationMaterial"]["timestampVerificationData"]
    entry(bundle)["integratedTime"] = str(int(SIGNED_ON.timestamp()))
    return evidence_of(bundle, DIGEST, Kind.SIGNATURE)


ATTACKS = [
    *((CheckName.POLICY, name, make) for name, make in policies()),
    *((CheckName.CERTIFICATE_CHAIN, name, make) for name, make in chains()),
    *((CheckName.SCT, name, make) for name, make in transparency()),
    *((CheckName.KEY_USAGE, name, make) for name, make in usages()),
    *((CheckName.ISSUER, name, make) for name, make in issuers()),
    *((CheckName.IDENTITY, name, make) for name, make in identities()),
    *((CheckName.WORKFLOW, name, make) for name, make in workflows()),
    *((CheckName.KEY_PERIOD, name, make) for name, make in periods()),
]
