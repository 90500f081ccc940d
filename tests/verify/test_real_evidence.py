"""Zero false rejects on real signatures, zero false accepts when one byte of them changes."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import State
from tests.verify import real
from tests.verify.real import CHAINGUARD, GITHUB_ISSUER, PUBLIC_GOOD
from tests.verify.world import CERTIFICATE, LOG, edited_log, failed, noted

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
POSTGRES_ARM64 = "sha256:c455ec159d05d99ee031d471b8692668562fed8e8c9c37be5e0dbdbee8e5f7b8"


@pytest.fixture(scope="module")
def signatures(shared: Path) -> list[Evidence]:
    return real.signatures_of_2022(shared)


def own_policy(evidence: Evidence) -> Policy:
    """Issuer and identity that the signature itself records."""
    verdict = PUBLIC_GOOD.verify(evidence, evidence.subject, None, now=NOW)
    return Policy(issuer=verdict.issuer, identity=verdict.identity)


def test_all_signatures_of_2022_verify_as_their_signers(signatures: list[Evidence]) -> None:
    verdicts = [PUBLIC_GOOD.verify(item, item.subject, own_policy(item), now=NOW) for item in signatures]
    assert Counter(item.state for item in verdicts) == {State.VERIFIED: 1025}
    assert all(item.identity.startswith("https://github.com/") for item in verdicts)


def test_no_signature_of_2022_is_by_todays_workflow(signatures: list[Evidence]) -> None:
    states = {PUBLIC_GOOD.verify(item, item.subject, CHAINGUARD, now=NOW).state for item in signatures}
    assert states == {State.SIGNER_NOT_ALLOWED}


def test_a_changed_byte_of_any_payload_is_invalid(signatures: list[Evidence]) -> None:
    for number, item in enumerate(signatures):
        content = flipped(item.content, number)
        verdict = PUBLIC_GOOD.verify(msgspec.structs.replace(item, content=content), item.subject, None, now=NOW)
        assert verdict.state is State.INVALID
        assert {"log-binding", "signature"} <= failed(verdict)


def test_a_changed_byte_of_any_certificate_is_invalid(signatures: list[Evidence]) -> None:
    for number, item in enumerate(signatures):
        body = item.annotations[CERTIFICATE].split("-----")[2].strip()
        der = flipped(base64.b64decode(body), number)
        pem = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
        verdict = PUBLIC_GOOD.verify(noted(item, certificate=pem), item.subject, None, now=NOW)
        assert verdict.state in {State.INVALID, State.UNSUPPORTED}
        assert failed(verdict) & {"format", "log-binding"}


def test_a_changed_byte_of_any_signed_entry_timestamp_is_invalid(signatures: list[Evidence]) -> None:
    for number, item in enumerate(signatures):
        promise = flipped(base64.b64decode(json.loads(item.annotations[LOG])["SignedEntryTimestamp"]), number)
        text = base64.b64encode(promise).decode()
        evidence = edited_log(item, lambda wire, text=text: wire.update(SignedEntryTimestamp=text))
        verdict = PUBLIC_GOOD.verify(evidence, item.subject, None, now=NOW)
        assert verdict.state is State.INVALID
        assert failed(verdict) == {"log-entry"}


def test_a_signature_moved_to_another_image_fails_the_subject_check(signatures: list[Evidence]) -> None:
    first, second = signatures[0], signatures[1]
    assert first.subject != second.subject
    assert failed(PUBLIC_GOOD.verify(first, second.subject, own_policy(first), now=NOW)) == {"subject"}


def test_chainguards_postgres_verifies_in_classic_form(shared: Path) -> None:
    verdicts = [PUBLIC_GOOD.verify(e, e.subject, CHAINGUARD, now=NOW) for e in real.chainguard_layout(shared)]
    assert [(item.kind.value, item.predicate_type, item.state.value) for item in verdicts] == [
        ("signature", "", "verified"),
        ("signature", "", "verified"),
        ("attestation", "https://spdx.dev/Document", "verified"),
        ("attestation", "https://slsa.dev/provenance/v1", "verified"),
        ("attestation", "https://apko.dev/image-configuration", "verified"),
    ]
    assert verdicts[2].log_entries[0].log_index == 2181460833
    assert verdicts[2].signed_at == dt.datetime(2026, 7, 16, 8, 8, 1, tzinfo=dt.UTC)


def test_the_predicate_is_sliced_unchanged_out_of_the_payload(shared: Path) -> None:
    evidence = list(real.chainguard_layout(shared))[2]
    statement = PUBLIC_GOOD.verify(evidence, evidence.subject, CHAINGUARD, now=NOW).statement
    assert statement is not None
    assert statement.predicate in statement.payload
    assert json.loads(statement.predicate) == json.loads(statement.payload)["predicate"]
    assert statement.subjects == (POSTGRES_ARM64,)


@pytest.mark.parametrize("name", ["slsa-provenance", "spdx-sbom"])
def test_chainguards_postgres_verifies_as_bundle(shared: Path, name: str) -> None:
    raw = (shared / f"chainguard-postgres/{name}.sigstore.json").read_bytes()
    evidence = Evidence(POSTGRES_ARM64, real.Form.BUNDLE, Kind.ATTESTATION, "", "", raw)
    assert PUBLIC_GOOD.verify(evidence, POSTGRES_ARM64, CHAINGUARD, now=NOW).state is State.VERIFIED


@pytest.mark.parametrize("name", ["index-signature", "arm64-signature"])
def test_a_bundle_over_a_payload_file_verifies_with_the_file(shared: Path, name: str) -> None:
    raw = (shared / f"chainguard-postgres/{name}.sigstore.json").read_bytes()
    payload = (shared / f"chainguard-postgres/{name}-payload.json").read_bytes()
    assert PUBLIC_GOOD.verify_bundle(raw, payload, CHAINGUARD, now=NOW).state is State.VERIFIED
    changed = PUBLIC_GOOD.verify_bundle(raw, payload + b" ", CHAINGUARD, now=NOW)
    assert failed(changed) == {"log-binding", "signature"}


@pytest.mark.parametrize(
    ("version", "kind"), [("v1.4.0", "intoto 0.0.1"), ("v1.9.0", "intoto 0.0.1"), ("v2.0.0", "dsse 0.0.1")]
)
def test_slsa_generators_provenance_verifies_under_a_policy_for_it(shared: Path, version: str, kind: str) -> None:
    generator = (
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml"
    )
    policy = Policy(issuer=GITHUB_ISSUER, identity=f"{generator}@refs/tags/{version}")
    for evidence in real.slsa_layout(shared, version):
        verdict = PUBLIC_GOOD.verify(evidence, evidence.subject, policy, now=NOW)
        assert verdict.state is State.VERIFIED
        assert [entry.kind for entry in verdict.log_entries] == [kind]


def test_bundles_signed_from_a_branch_are_not_allowed_by_a_policy_for_main(shared: Path) -> None:
    policy = Policy(issuer=GITHUB_ISSUER, identity_regexp="https://github\\.com/TommyKammy/.+@refs/heads/main")
    states = Counter()
    for _, evidence in real.ghcr_bundles(shared):
        verdict = PUBLIC_GOOD.verify(evidence, evidence.subject, policy, now=NOW)
        is_main = verdict.identity.endswith("@refs/heads/main")
        assert verdict.state is (State.VERIFIED if is_main else State.SIGNER_NOT_ALLOWED)
        assert failed(verdict) == (set() if is_main else {"identity"})
        states[verdict.state] += 1
    assert states == {State.VERIFIED: 5, State.SIGNER_NOT_ALLOWED: 7}


def flipped(raw: bytes, number: int) -> bytes:
    """The bytes with one bit of one byte changed, another one each time."""
    changed = bytearray(raw)
    changed[(number * 7919) % len(raw)] ^= 1 << number % 8
    return bytes(changed)
