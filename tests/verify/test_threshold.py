"""How many distinct signers a policy asks for, and what becomes of an image that has fewer."""

from __future__ import annotations

import datetime as dt

import pytest

from cgexplorer.oci.evidence import Discovery, Evidence, Kind
from cgexplorer.verify import signer, summary
from cgexplorer.verify.errors import Fault
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import Check, State, Verdict
from tests.fakes.sigstore import SIGN, evidence_of
from tests.verify.attacks_threshold import ANY_OF_US, BOB, CAROL, KEYS, TWO
from tests.verify.world import ALICE, DIGEST, KEY, NOW, SIGNED_ON, SIGSTORE, VERIFIER, failed, policy

DAY_S = 86_400
BOBS_BUNDLE = evidence_of(SIGSTORE.bundle(DIGEST, BOB), DIGEST, Kind.SIGNATURE)


def judged(*evidence: Evidence, by: Policy = TWO) -> tuple[Verdict, ...]:
    return VERIFIER.verify_image(evidence, DIGEST, by, now=NOW)


def threshold(verdict: Verdict) -> Check:
    return verdict.checks[-1]


@pytest.mark.parametrize("second", [SIGSTORE.signature(DIGEST, BOB), BOBS_BUNDLE], ids=["classic", "bundle"])
def test_two_distinct_signers_are_two_in_whatever_form(second: Evidence) -> None:
    verdicts = judged(SIGSTORE.signature(DIGEST, ALICE), second)
    assert {one.state for one in verdicts} == {State.VERIFIED}
    assert threshold(verdicts[0]).found == f"2: {verdicts[0].identity}, bob@example.test"


def test_too_few_signers_are_named_with_how_many_are_expected() -> None:
    (verdict,) = judged(SIGSTORE.signature(DIGEST, BOB))
    assert (verdict.state, failed(verdict)) == (State.SIGNER_NOT_ALLOWED, {"threshold"})
    assert "too few signed: expected 2 distinct signers" in verdict.reason
    assert "found 1: bob@example.test" in verdict.reason
    assert verdict.statement is not None  # it is still his claim, and may be read as such


def test_an_image_short_of_signers_is_not_verified_and_neither_is_what_is_attested_of_it() -> None:
    short = judged(SIGSTORE.signature(DIGEST, ALICE), SIGSTORE.attestation(DIGEST, ALICE))
    assert [one.state for one in short] == [State.SIGNER_NOT_ALLOWED] * 2
    assert summary.combine(short, Discovery(DIGEST))[0] is State.SIGNER_NOT_ALLOWED
    met = judged(SIGSTORE.signature(DIGEST, ALICE), BOBS_BUNDLE, SIGSTORE.attestation(DIGEST, CAROL))
    assert {one.state for one in met} == {State.VERIFIED}


def test_who_is_refused_for_another_reason_keeps_that_reason() -> None:
    mallory = SIGSTORE.leaf("mallory@example.test")
    verdicts = judged(SIGSTORE.signature(DIGEST, ALICE), SIGSTORE.signature(DIGEST, mallory))
    assert [failed(one) for one in verdicts] == [{"threshold"}, {"identity"}]


def test_signers_who_signed_too_long_ago_make_a_met_threshold_stale() -> None:
    rules = policy(identity="", identity_regexp=ANY_OF_US, threshold=2, max_age_s=29 * DAY_S)
    recently = SIGNED_ON + dt.timedelta(days=20)
    fresh = SIGSTORE.signature(
        DIGEST, SIGSTORE.leaf("carol@example.test", at=recently), at=recently + dt.timedelta(minutes=1)
    )
    old, older = SIGSTORE.signature(DIGEST, ALICE), SIGSTORE.signature(DIGEST, BOB)
    assert [one.state for one in judged(fresh, old, by=rules)] == [State.VERIFIED_STALE] * 2
    assert "Only 1 of the 2 signers" in judged(fresh, old, by=rules)[0].reason
    assert {one.state for one in judged(old, older, by=rules)} == {State.VERIFIED_STALE}
    assert {one.state for one in judged(old, by=rules)} == {State.SIGNER_NOT_ALLOWED}


def test_without_a_threshold_one_signer_is_enough_and_the_check_says_that_nobody_asked() -> None:
    (verdict,) = judged(SIGSTORE.signature(DIGEST, ALICE), by=policy())
    assert verdict.state is State.VERIFIED
    assert threshold(verdict).found == "no policy asks for several signers"


def test_annotations_are_asked_of_signatures_and_not_of_attestations() -> None:
    rules = policy(identity="", identity_regexp=ANY_OF_US, threshold=2, annotations=(("env", "prod"),))
    payload = SIGSTORE.statement(DIGEST, SIGN, annotations={"env": "prod"})
    evidence = (
        SIGSTORE.signature(DIGEST, ALICE, optional={"env": "prod"}),
        evidence_of(SIGSTORE.bundle(DIGEST, BOB, payload=payload), DIGEST, Kind.SIGNATURE),
        SIGSTORE.attestation(DIGEST, ALICE),
    )
    assert {one.state for one in judged(*evidence, by=rules)} == {State.VERIFIED}
    assert failed(judged(evidence[0], SIGSTORE.signature(DIGEST, BOB), by=rules)[1]) == {"annotations"}
    assert failed(judged(evidence[0], SIGSTORE.signature(DIGEST, BOB), by=rules)[0]) == {"threshold"}


@pytest.mark.parametrize("log", [True, False])
def test_several_keys_are_several_signers(log: bool) -> None:
    signed = [SIGSTORE.signature(DIGEST, one, log=log) for one in KEYS]
    pems = "".join(one.public_pem for one in KEYS)
    for threshold_, count, state in ((1, 1, State.VERIFIED), (2, 2, State.VERIFIED), (3, 2, State.SIGNER_NOT_ALLOWED)):
        rules = Policy(key_pem=pems, threshold=threshold_, require_log=log)
        for some in (signed[:count], signed[-count:]):
            verdicts = judged(*some, by=rules)
            assert {one.state for one in verdicts} == {state}
            assert len({one.identity for one in verdicts}) == count
    stranger = judged(SIGSTORE.signature(DIGEST, KEY, log=log), by=Policy(key_pem=pems, require_log=log))[0]
    assert failed(stranger) == ({"identity"} if log else {"signature"})


def test_a_key_that_is_there_twice_or_beside_something_else_is_refused() -> None:
    first, second, _ = (one.public_pem for one in KEYS)
    for pem in (first * 2, first + "and\n" + second, first + SIGSTORE.leaf().pem.decode(), first * 33):
        with pytest.raises(Fault):
            signer.check_policy(Policy(key_pem=pem))
    with pytest.raises(Fault, match="one key, as cosign takes it"):
        signer.check_policy(Policy(key_pem=first + second, whole_match=False))


@pytest.mark.parametrize(
    "rules",
    [
        policy(threshold=2),
        Policy(key_pem=KEY.public_pem, threshold=2),
        policy(identity="", identity_regexp=ANY_OF_US, threshold=-1),
        policy(identity="", identity_regexp=ANY_OF_US, threshold=101),
    ],
    ids=["one identity", "one key", "negative", "more than are read"],
)
def test_a_threshold_that_cannot_be_met_is_refused(rules: Policy) -> None:
    with pytest.raises(Fault):
        signer.check_policy(rules)
