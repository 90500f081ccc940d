"""Classic signatures and attestations rewritten as bundles: the same claim, and the same verdict."""

from __future__ import annotations

import base64
import datetime as dt
import json

import msgspec
import pytest

from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify import as_bundle
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import State, Verdict
from tests.fakes.sigstore import evidence_of, keys
from tests.verify.world import (
    ALICE,
    DIGEST,
    KEY,
    KEY_POLICY,
    LOG,
    NOW,
    POLICY,
    SIGNED_ON,
    SIGSTORE,
    VERIFIER,
    noted,
    policy,
)  # fmt: skip


def judged(classic: Evidence, policy: Policy = POLICY) -> Verdict:
    """Our verdict on the rewritten bundle, as a lone file beside what it signs."""
    artifact = classic.content if classic.kind is Kind.SIGNATURE else DIGEST
    return VERIFIER.verify_bundle(as_bundle.from_classic(classic), artifact, policy, now=NOW)


@pytest.mark.parametrize(
    ("classic", "policy"),
    [
        (SIGSTORE.signature(DIGEST, ALICE), POLICY),
        (SIGSTORE.signature(DIGEST, ALICE, timestamp=True), POLICY),
        (SIGSTORE.signature(DIGEST, KEY), KEY_POLICY),
        (SIGSTORE.attestation(DIGEST, ALICE), POLICY),
        (SIGSTORE.attestation(DIGEST, ALICE, timestamp=True), POLICY),
        (SIGSTORE.attestation(DIGEST, ALICE, kind="intoto_002"), POLICY),
        (SIGSTORE.attestation(DIGEST, KEY), KEY_POLICY),
    ],
    ids=["signature", "with timestamp", "key", "attestation", "timestamp over the envelope", "intoto 0.0.2", "att key"],
)
def test_a_rewritten_bundle_verifies_as_its_original_did(classic: Evidence, policy: Policy) -> None:
    assert VERIFIER.verify(classic, DIGEST, policy, now=NOW).state is State.VERIFIED
    verdict = judged(classic, policy)
    assert (verdict.state, verdict.reason) == (State.VERIFIED, verdict.reason)


def test_a_rewritten_attestation_is_one_beside_an_image_too() -> None:
    raw = as_bundle.from_classic(SIGSTORE.attestation(DIGEST, ALICE))
    verdict = VERIFIER.verify(evidence_of(raw, DIGEST, Kind.ATTESTATION), DIGEST, POLICY, now=NOW)
    assert verdict.state is State.VERIFIED


@pytest.mark.parametrize("classic", [SIGSTORE.signature(DIGEST, ALICE), SIGSTORE.attestation(DIGEST, ALICE)])
def test_rewriting_does_not_heal_a_false_log_entry(classic: Evidence) -> None:
    entry = json.loads(classic.annotations[LOG])
    entry["Payload"]["integratedTime"] += 1
    false = msgspec.structs.replace(classic, annotations=classic.annotations | {LOG: json.dumps(entry)})
    assert judged(false).state is State.INVALID


def test_rewriting_does_not_heal_a_changed_payload() -> None:
    classic = SIGSTORE.signature(DIGEST, ALICE)
    changed = msgspec.structs.replace(
        classic, content=classic.content.replace(b"registry.example", b"registry.invalid")
    )
    assert judged(changed).state is State.INVALID


def test_what_only_exact_envelope_bytes_prove_is_no_bundle() -> None:
    with pytest.raises(as_bundle.NotABundle, match=r"intoto 0\.0\.1"):
        as_bundle.from_classic(SIGSTORE.attestation(DIGEST, ALICE, kind="intoto_001"))


def test_a_timestamp_over_the_envelope_alone_is_no_bundle() -> None:
    classic = SIGSTORE.attestation(DIGEST, ALICE, timestamp=True)
    notes = {name: text for name, text in classic.annotations.items() if name != LOG}
    with pytest.raises(as_bundle.NotABundle, match="timestamp over its envelope"):
        as_bundle.from_classic(msgspec.structs.replace(classic, annotations=notes))


def test_a_timestamp_over_the_signature_in_an_envelope_goes_along() -> None:
    classic = noted(SIGSTORE.attestation(DIGEST, ALICE), log=None)
    signature = base64.b64decode(json.loads(classic.content)["signatures"][0]["sig"])
    token = SIGSTORE.tsa.token(signature, SIGNED_ON + dt.timedelta(minutes=1))
    classic = noted(classic, timestamp=json.dumps({"SignedRFC3161Timestamp": keys.b64(token)}))
    assert judged(classic, policy(require_log=False)).time_source == "timestamp authority"


@pytest.mark.parametrize("layout", ["", " \n"], ids=["compact", "padded"])
def test_an_envelope_lies_in_the_bundle_as_it_was_stored(layout: str) -> None:
    classic = SIGSTORE.attestation(DIGEST, ALICE, kind="intoto_002")
    stored = classic.content.replace(b"{", b"{" + layout.encode())
    assert stored in as_bundle.from_classic(msgspec.structs.replace(classic, content=stored))


def test_an_envelope_with_more_in_it_than_a_bundle_may_have_is_written_anew() -> None:
    classic = SIGSTORE.attestation(DIGEST, ALICE, kind="intoto_002")
    more = msgspec.structs.replace(classic, content=classic.content[:-1] + b', "comment": ""}')
    assert VERIFIER.verify(more, DIGEST, POLICY, now=NOW).state is State.VERIFIED
    assert judged(more).state is State.VERIFIED


def test_unreadable_bytes_are_no_bundle() -> None:
    classic = SIGSTORE.attestation(DIGEST, ALICE)
    with pytest.raises(as_bundle.NotABundle, match="cannot be read"):
        as_bundle.from_classic(msgspec.structs.replace(classic, content=b"{"))
