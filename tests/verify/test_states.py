"""Which state a verdict has, and what may be believed of it."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cgexplorer.oci import digest as digests
from cgexplorer.oci.evidence import Discovery, Evidence, Form, Kind, Problem
from cgexplorer.verify import statement, summary, trust_root
from cgexplorer.verify.errors import VerifyError
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import CheckName, Outcome, State, Verdict
from cgexplorer.verify.verifier import Verifier
from tests.fakes.sigstore import SIGN, SPDX, der, evidence_of, rekor
from tests.verify.world import (
    ALICE,
    DIGEST,
    KEY,
    KEY_POLICY,
    NOW,
    POLICY,
    SIGNATURE,
    SIGNED_ON,
    SIGSTORE,
    STRANGER,
    VERIFIER,
    Case,
    entry,
    failed,
    noted,
    policy,
)

DAY_S = 86_400
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def signature() -> Evidence:
    return SIGSTORE.signature(DIGEST, ALICE)


def outcome(verdict: Verdict, name: CheckName) -> Outcome:
    return next(check.outcome for check in verdict.checks if check.name is name)


def test_every_verdict_lists_every_check_once_in_order(signature: Evidence) -> None:
    broken = msgspec.structs.replace(signature, media_type="text/plain")
    for evidence in (signature, broken):
        assert [check.name for check in Case(evidence).ask().checks] == list(CheckName)


def test_a_verified_signature_says_who_when_and_under_which_rules(signature: Evidence) -> None:
    verdict = Case(signature, policy(name="mine", version=7)).ask()
    assert verdict.state is State.VERIFIED
    assert (verdict.identity, verdict.issuer) == (POLICY.identity, POLICY.issuer)
    assert (verdict.signed_at, verdict.time_source) == (SIGNED_ON + MINUTE, "transparency log")
    assert (verdict.policy, verdict.policy_version) == ("mine", 7)
    assert verdict.trusted_root_sha256 == VERIFIER.root.sha256
    assert verdict.statement is not None
    assert verdict.statement.subjects == (DIGEST,)


def test_the_certificate_names_every_extension(signature: Evidence) -> None:
    certificate = Case(signature).ask().certificate
    assert certificate is not None
    named = {item.name: item.value for item in certificate.extensions}
    assert named["GitHub Workflow Trigger"] == "schedule"
    assert named["Source Repository URI"] == "https://github.com/chainguard-images/images"
    assert not any(name.startswith("1.3.6") for name in named)


def test_without_policy_the_signer_is_not_judged(signature: Evidence) -> None:
    verdict = Case(signature, None).ask()
    assert verdict.state is State.NO_POLICY
    assert outcome(verdict, CheckName.ISSUER) is outcome(verdict, CheckName.IDENTITY) is Outcome.NOT_RUN
    assert verdict.identity == POLICY.identity


def test_a_key_that_only_the_log_knows_is_named_but_not_trusted() -> None:
    verdict = Case(SIGSTORE.signature(DIGEST, KEY), None).ask()
    assert verdict.state is State.NO_POLICY
    assert verdict.identity.startswith("key sha256:")


def test_a_key_that_nobody_knows_cannot_be_checked() -> None:
    no_log = policy(require_log=False)
    verdict = Case(SIGSTORE.signature(DIGEST, KEY, log=False), no_log).ask()
    assert verdict.state is State.INVALID
    assert failed(verdict) == {"identity"}
    assert verdict.statement is None


def test_another_signer_is_not_allowed_and_his_statement_is_still_his(signature: Evidence) -> None:
    verdict = Case(signature, policy(identity="https://x.example")).ask()
    assert verdict.state is State.SIGNER_NOT_ALLOWED
    assert verdict.statement is not None
    assert POLICY.identity in verdict.reason


def test_an_invalid_signature_has_no_statement(signature: Evidence) -> None:
    verdict = Case(noted(signature, log=None)).ask()
    assert verdict.state is State.INVALID
    assert verdict.statement is None


def test_an_old_signature_is_stale_and_a_young_one_is_not(signature: Evidence) -> None:
    assert Case(signature, policy(max_age_s=29 * DAY_S)).ask().state is State.VERIFIED_STALE
    assert Case(signature, policy(max_age_s=31 * DAY_S)).ask().state is State.VERIFIED


def test_a_signature_without_time_is_stale_under_a_maximum_age() -> None:
    rules = msgspec.structs.replace(KEY_POLICY, require_log=False, max_age_s=DAY_S)
    assert Case(SIGSTORE.signature(DIGEST, KEY, log=False), rules).ask().state is State.VERIFIED_STALE


def test_a_clock_before_the_signature_cannot_check(signature: Evidence) -> None:
    verdict = Case(signature, now=SIGNED_ON - MINUTE * 10).ask()
    assert verdict.state is State.COULD_NOT_CHECK
    assert failed(verdict) == {"timestamp"}
    assert "clock" in verdict.reason


def test_five_minutes_of_a_wrong_clock_are_forgiven(signature: Evidence) -> None:
    assert Case(signature, now=SIGNED_ON + MINUTE - MINUTE * 5).ask().state is State.VERIFIED


def test_a_wrong_clock_does_not_hide_an_invalid_signature() -> None:
    evidence = SIGSTORE.signature("sha256:" + "cd" * 32, ALICE)
    assert Case(evidence, now=SIGNED_ON - MINUTE * 10).ask().state is State.INVALID


def test_an_unusable_policy_is_not_the_signatures_fault(signature: Evidence) -> None:
    verdict = Case(signature, policy(identity="", identity_regexp="(")).ask()
    assert verdict.state is State.COULD_NOT_CHECK
    assert failed(verdict) == {"policy"}


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2,1}", "(?=x)", "\\1", "*"])
def test_a_broken_pattern_is_named(pattern: str, signature: Evidence) -> None:
    assert pattern in Case(signature, policy(identity="", identity_regexp=pattern)).ask().reason


@pytest.mark.parametrize("pattern", ["\ud800", "a\0"])
def test_a_pattern_that_is_no_text_is_an_answer_too(pattern: str, signature: Evidence) -> None:
    state = Case(signature, policy(identity="", identity_regexp=pattern)).ask().state
    assert state in {State.COULD_NOT_CHECK, State.SIGNER_NOT_ALLOWED}


@pytest.mark.parametrize("name", ["someone", "erin!example"])
def test_a_user_name_as_identity_is_read_from_an_other_name(name: str) -> None:
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
    signer = SIGSTORE.leaf(x509.OtherName(oid, der.utf8(name)), "https://issuer.example")
    verdict = Case(SIGSTORE.signature(DIGEST, signer), Policy(issuer="https://issuer.example", identity=name)).ask()
    assert (verdict.state, verdict.identity) == (State.VERIFIED, name)


def test_a_pattern_made_to_explode_is_answered(signature: Evidence) -> None:
    verdict = Case(signature, policy(identity="", identity_regexp="(([a-z./:@-])+)+!")).ask()
    assert verdict.state is State.SIGNER_NOT_ALLOWED


def test_cosigns_flags_search_anywhere_and_a_stored_policy_does_not(signature: Evidence) -> None:
    part = policy(identity="", identity_regexp="chainguard-images")
    assert Case(signature, part).ask().state is State.SIGNER_NOT_ALLOWED
    assert Case(signature, msgspec.structs.replace(part, whole_match=False)).ask().state is State.VERIFIED


def log_of_tomorrow() -> Verifier:
    return Verifier(trust_root.load(SIGSTORE.trusted_root().replace(b"PKIX_ECDSA_P256_SHA_256", b"ML_DSA_65", 1)))


def unknown_kind() -> Evidence:
    payload = SIGSTORE.simple_signing(DIGEST)
    logged = rekor.hashedrekord_001(payload, b"", ALICE) | {"kind": "rekord"}
    return SIGSTORE.signature(DIGEST, ALICE, logged=SIGSTORE.rekor.append(logged, SIGNED_ON + MINUTE))


JOSE = Evidence(DIGEST, Form.LEGACY, Kind.SIGNATURE, "", "application/jose+json", b"", {SIGNATURE: ""})
BUNDLE_OF_TOMORROW = b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.9+json"}'
OVER_BYTES = SIGSTORE.bundle(DIGEST, ALICE, artifact=b"a manifest")


@pytest.mark.parametrize(
    ("case", "check"),
    [
        (Case(JOSE), "format"),
        (Case(evidence_of(BUNDLE_OF_TOMORROW, DIGEST, Kind.SIGNATURE)), "format"),
        (Case(unknown_kind()), "log-binding"),
        (Case(evidence_of(OVER_BYTES, DIGEST, Kind.SIGNATURE), digest=digests.of(b"a manifest")), "type"),
        (Case(SIGSTORE.signature(DIGEST, SIGSTORE.leaf(key=ec.derive_private_key(7, ec.SECP256K1())))), "key-usage"),
        (Case(SIGSTORE.signature(DIGEST, ALICE), verifier=log_of_tomorrow()), "log-entry"),
    ],
    ids=["media type", "bundle version", "log entry kind", "signature over bytes", "key kind", "log key kind"],
)
def test_an_unknown_form_is_unsupported_by_name(case: Case, check: str) -> None:
    verdict = case.ask()
    assert failed(verdict) == {check}
    assert verdict.state is State.UNSUPPORTED


def test_an_attestation_may_have_any_predicate_type_but_cosigns_own() -> None:
    assert Case(SIGSTORE.attestation(DIGEST, ALICE, "https://example.test/x/v1")).ask().state is State.VERIFIED
    assert failed(Case(SIGSTORE.attestation(DIGEST, ALICE, SIGN)).ask()) == {"type"}


@pytest.mark.parametrize("kind", ["dsse_001", "intoto_001", "intoto_002"])
def test_every_kind_of_entry_for_a_classic_attestation_is_known(kind: str) -> None:
    evidence = SIGSTORE.attestation(DIGEST, ALICE, kind=kind, timestamp=True)
    verdict = Case(evidence, predicate_type=SPDX).ask()
    assert verdict.state is State.VERIFIED
    assert verdict.time_source == "transparency log and timestamp authority"


@pytest.mark.parametrize("kind", ["hashedrekord_002", "dsse_002"])
def test_rekor_v2_takes_its_time_from_the_timestamp(kind: str) -> None:
    bundle = SIGSTORE.bundle(DIGEST, ALICE, v2=True, kind_v2=kind)
    del entry(bundle)["logIndex"]
    verdict = Case(evidence_of(bundle, DIGEST, Kind.SIGNATURE)).ask()
    assert (verdict.state, verdict.time_source) == (State.VERIFIED, "timestamp authority")
    assert verdict.log_entries[0].log_index == int(entry(bundle)["inclusionProof"]["logIndex"])
    assert verdict.log_entries[0].integrated_at is None


@pytest.mark.parametrize("version", [1, 2, 3])
def test_bundles_of_every_version_verify(version: int) -> None:
    bundle = SIGSTORE.bundle(DIGEST, ALICE, version=version)
    assert Case(evidence_of(bundle, DIGEST, Kind.SIGNATURE)).ask().state is State.VERIFIED


def test_an_entry_of_an_unknown_log_beside_a_known_one_does_no_harm() -> None:
    bundle, other = SIGSTORE.bundle(DIGEST, ALICE), STRANGER.bundle(DIGEST, ALICE)
    bundle["verificationMaterial"]["tlogEntries"].append(entry(other))
    verdict = Case(evidence_of(bundle, DIGEST, Kind.SIGNATURE)).ask()
    assert verdict.state is State.VERIFIED
    assert [item.log_name for item in verdict.log_entries] == ["https://rekor.fake.example"]


def test_a_key_policy_verifies_every_form() -> None:
    for evidence in (
        SIGSTORE.signature(DIGEST, KEY),
        SIGSTORE.attestation(DIGEST, KEY, kind="intoto_001"),
        evidence_of(SIGSTORE.bundle(DIGEST, KEY), DIGEST, Kind.SIGNATURE),
        evidence_of(SIGSTORE.bundle(DIGEST, KEY, v2=True), DIGEST, Kind.SIGNATURE),
    ):
        assert Case(evidence, KEY_POLICY).ask().state is State.VERIFIED


def test_a_foreign_exception_becomes_an_invalid_verdict_with_its_name(
    signature: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(statement, "read", explode)
    verdict = Case(signature).ask()
    assert (verdict.state, failed(verdict)) == (State.INVALID, {"format"})
    assert "ZeroDivisionError" in verdict.reason


def test_a_digest_that_is_none_is_the_callers_fault(signature: Evidence) -> None:
    with pytest.raises(VerifyError):
        VERIFIER.verify(signature, "sha512:00", POLICY, now=NOW)


def test_one_verifier_serves_many_threads(signature: Evidence) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert {item.state for item in pool.map(lambda _: Case(signature).ask(), range(40))} == {State.VERIFIED}


def test_of_several_policies_the_one_that_is_met_decides(signature: Evidence) -> None:
    others = (policy(name="first", identity="https://x.example"), policy(name="second"), KEY_POLICY)
    assert VERIFIER.verify_any(signature, DIGEST, others, now=NOW).policy == "second"
    assert VERIFIER.verify_any(signature, DIGEST, (), now=NOW).state is State.NO_POLICY


def judged(*policies: Policy | None) -> list[Verdict]:
    return [Case(SIGSTORE.signature(DIGEST, ALICE), item).ask() for item in policies]


def test_one_good_signature_makes_a_digest_verified() -> None:
    verdicts = judged(policy(identity="https://x.example"), POLICY)
    assert summary.combine(verdicts, Discovery(DIGEST))[0] is State.VERIFIED
    unread = Discovery(DIGEST, problems=(Problem("referrers", "no answer"),))
    assert summary.combine(verdicts, unread)[0] is State.VERIFIED


def test_unsigned_needs_proof_of_absence() -> None:
    assert summary.combine([], Discovery(DIGEST))[0] is State.UNSIGNED
    state, reason = summary.combine([], Discovery(DIGEST, problems=(Problem("referrers", "no answer"),)))
    assert state is State.COULD_NOT_CHECK
    assert "referrers" in reason


def test_what_was_not_read_might_hold_the_good_signature() -> None:
    unread = Discovery(DIGEST, problems=(Problem("referrers", "no answer"),))
    state, reason = summary.combine(judged(policy(identity="https://x.example")), unread)
    assert state is State.COULD_NOT_CHECK
    assert "not the allowed one" in reason


def test_attestations_do_not_make_an_image_signed() -> None:
    verdict = Case(SIGSTORE.attestation(DIGEST, ALICE)).ask()
    assert summary.combine([verdict], Discovery(DIGEST))[0] is State.UNSIGNED
    assert summary.combine([verdict], Discovery(DIGEST), Kind.ATTESTATION)[0] is State.VERIFIED


def test_no_other_state_is_called_verified() -> None:
    for state in set(State) - {State.VERIFIED}:
        verdict = msgspec.structs.replace(judged(POLICY)[0], state=state)
        assert summary.combine([verdict], Discovery(DIGEST))[0] is state
