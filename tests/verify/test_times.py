"""When it was signed, and what a policy may demand of that: a timestamp, a key's period, nothing but a certificate."""

from __future__ import annotations

import base64
import datetime as dt
import json

import msgspec
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import State
from tests.fakes.sigstore import evidence_of, keys
from tests.fakes.sigstore.authority import make_ca
from tests.verify.world import (
    ALICE,
    DIGEST,
    KEY,
    KEY_POLICY,
    NOW,
    SIGNED_ON,
    SIGSTORE,
    Case,
    failed,
    noted,
    policy,
    root,
)  # fmt: skip

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
NO_LOG = policy(require_log=False)
YEAR = 525_600  # minutes


def keyed(**changed: object) -> Policy:
    return msgspec.structs.replace(KEY_POLICY, **changed)  # type: ignore[arg-type]


# -- no log ----------------------------------------------------------------------------------------------------------
def test_without_log_and_time_a_certificate_that_is_valid_now_counts_and_the_verdict_says_so() -> None:
    lasting = SIGSTORE.leaf(minutes=YEAR)
    verdict = Case(SIGSTORE.signature(DIGEST, lasting, log=False), NO_LOG).ask()
    assert verdict.state is State.VERIFIED
    assert "no time of signing is proven" in verdict.reason
    assert (verdict.signed_at, verdict.time_source) == (None, "")
    chain = next(check for check in verdict.checks if check.name == "certificate-chain")
    assert chain.expected.endswith("valid now")
    assert f"{NOW:%Y-%m-%d %H:%M:%S} UTC" in chain.found


def test_without_log_a_timestamp_says_when_the_certificate_must_have_been_valid() -> None:
    verdict = Case(SIGSTORE.signature(DIGEST, ALICE, log=False, timestamp=True), NO_LOG).ask()
    assert (verdict.state, verdict.reason) == (State.VERIFIED, f"Signed by {verdict.identity}.")
    assert verdict.signed_at == SIGNED_ON + MINUTE


def test_a_lasting_certificate_ends_all_the_same() -> None:
    evidence = SIGSTORE.signature(DIGEST, SIGSTORE.leaf(minutes=60), log=False)
    assert Case(evidence, NO_LOG, now=SIGNED_ON + HOUR).ask().state is State.VERIFIED
    assert failed(Case(evidence, NO_LOG, now=SIGNED_ON + HOUR + MINUTE).ask()) == {"certificate-chain"}


def test_where_a_log_is_required_nothing_is_checked_as_of_now() -> None:
    lasting = SIGSTORE.leaf(minutes=YEAR)
    assert failed(Case(SIGSTORE.signature(DIGEST, lasting, log=False)).ask()) == {"log-entry"}
    timeless = SIGSTORE.bundle(DIGEST, lasting, v2=True)
    del timeless["verificationMaterial"]["timestampVerificationData"]
    assert failed(Case(evidence_of(timeless, DIGEST, Kind.SIGNATURE)).ask()) == {"timestamp"}


def test_a_bad_timestamp_is_not_forgiven_because_the_certificate_is_valid_now() -> None:
    evidence = SIGSTORE.signature(DIGEST, SIGSTORE.leaf(minutes=YEAR), log=False, timestamp=True)
    broken = msgspec.structs.replace(
        evidence, annotations=evidence.annotations | {"dev.sigstore.cosign/rfc3161timestamp": _empty_token()}
    )
    assert failed(Case(broken, NO_LOG).ask()) == {"timestamp"}


def test_a_signature_without_a_proven_time_is_stale_under_a_maximum_age() -> None:
    evidence = SIGSTORE.signature(DIGEST, SIGSTORE.leaf(minutes=YEAR), log=False)
    assert Case(evidence, policy(require_log=False, max_age_s=10**9)).ask().state is State.VERIFIED_STALE


def timestamped(evidence: Evidence, token: bytes) -> Evidence:
    return noted(evidence, timestamp=json.dumps({"SignedRFC3161Timestamp": keys.b64(token)}))


def _empty_token() -> str:
    return '{"SignedRFC3161Timestamp": ""}'


# -- timestamps ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "evidence",
    [
        SIGSTORE.signature(DIGEST, ALICE, timestamp=True),
        SIGSTORE.attestation(DIGEST, ALICE, timestamp=True),
        evidence_of(SIGSTORE.bundle(DIGEST, ALICE, v2=True), DIGEST, Kind.SIGNATURE),
    ],
    ids=["signature", "attestation", "bundle"],
)
def test_a_required_timestamp_that_is_there_is_enough(evidence: Evidence) -> None:
    assert Case(evidence, policy(require_timestamp=True)).ask().state is State.VERIFIED


def test_cosign_3_timestamps_the_signature_in_an_attestation_where_cosign_2_does_the_envelope() -> None:
    attestation = noted(SIGSTORE.attestation(DIGEST, ALICE), log=None)
    signature = base64.b64decode(json.loads(attestation.content)["signatures"][0]["sig"])
    for covered in (signature, attestation.content):
        verdict = Case(timestamped(attestation, SIGSTORE.tsa.token(covered, SIGNED_ON + MINUTE)), NO_LOG).ask()
        assert (verdict.state, verdict.signed_at) == (State.VERIFIED, SIGNED_ON + MINUTE)


def test_a_timestamp_by_an_authority_that_the_trust_root_does_not_know_is_ignored_beside_a_log() -> None:
    at, usage = SIGNED_ON + MINUTE, ExtendedKeyUsageOID.TIME_STAMPING
    signature = keys.sign(ALICE.key, SIGSTORE.simple_signing(DIGEST))
    unknown = make_ca("elsewhere", SIGSTORE.start, at + HOUR, serial=77, seed="elsewhere", usage=usage)
    token = SIGSTORE.tsa.token(signature, at, by=unknown)
    logged = timestamped(SIGSTORE.signature(DIGEST, ALICE), token)
    assert Case(logged).ask().time_source == "transparency log"
    assert failed(Case(logged, policy(require_timestamp=True)).ask()) == {"timestamp"}
    lone = timestamped(SIGSTORE.signature(DIGEST, ALICE, log=False), token)
    assert failed(Case(lone, NO_LOG).ask()) == {"timestamp"}  # beside nothing else it is not passed over
    without = root(tsa=False)
    assert Case(logged, verifier=without).ask().state is State.VERIFIED
    assert failed(Case(lone, NO_LOG, verifier=without).ask()) == {"timestamp"}


# -- the period of a key ---------------------------------------------------------------------------------------------
def test_a_key_may_sign_within_its_period_both_ends_included() -> None:
    for evidence in (SIGSTORE.signature(DIGEST, KEY), SIGSTORE.signature(DIGEST, KEY, log=False, timestamp=True)):
        at = SIGNED_ON + MINUTE
        for period in ({"not_before": at}, {"not_after": at}, {"not_before": at, "not_after": at}):
            assert Case(evidence, keyed(require_log=False, **period)).ask().state is State.VERIFIED


def test_who_signs_outside_the_period_is_not_allowed_and_the_verdict_says_when_it_was() -> None:
    verdict = Case(SIGSTORE.signature(DIGEST, KEY), keyed(not_after=SIGNED_ON)).ask()
    assert verdict.state is State.SIGNER_NOT_ALLOWED
    assert "not after 2026-07-01 12:00:00 UTC" in verdict.reason
    assert "signed 2026-07-01 12:01:00 UTC" in verdict.reason


def test_an_unknown_time_cannot_lie_in_a_period() -> None:
    evidence = SIGSTORE.signature(DIGEST, KEY, log=False)
    assert Case(evidence, keyed(require_log=False)).ask().state is State.VERIFIED
    verdict = Case(evidence, keyed(require_log=False, not_before=SIGSTORE.start)).ask()
    assert failed(verdict) == {"key-period"}
    assert "no time of signing that a log or a timestamp authority proves" in verdict.reason


def test_a_period_that_cannot_be_met_is_the_policys_fault() -> None:
    for period in (
        {"not_before": SIGNED_ON, "not_after": SIGNED_ON - HOUR},
        {"not_before": SIGNED_ON.replace(tzinfo=None)},
    ):
        verdict = Case(SIGSTORE.signature(DIGEST, KEY), keyed(**period)).ask()
        assert (verdict.state, failed(verdict)) == (State.COULD_NOT_CHECK, {"policy"})
