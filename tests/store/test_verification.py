"""Reports of verification runs, and what changed between two of them."""

from __future__ import annotations

import pytest

from cgexplorer.oci.evidence import Kind
from cgexplorer.store.models import PolicyRow, TrustRoot
from cgexplorer.store.queries import attestations, fleet_licenses, payloads, signers, verification
from tests.store import factories as make

pytestmark = pytest.mark.django_db
PASSED = {"name": "signature", "outcome": "passed", "expected": "a signature", "found": "valid"}
FAILED = {"name": "identity", "outcome": "failed", "expected": "main", "found": "branch"}


def test_there_is_no_report_before_the_first_run() -> None:
    assert verification.report(make.manifest(make.image())) is None


def test_a_run_of_another_digest_is_not_shown() -> None:
    one, other = make.manifest(make.image(), "1"), make.manifest(make.image(), "2")
    run = make.run(other)
    assert verification.report(one, run.pk) is None


def test_the_newest_run_is_the_report() -> None:
    manifest = make.manifest(make.image())
    make.run(manifest)
    newest = make.run(manifest, state="invalid")
    report = verification.report(manifest)
    assert report is not None
    assert report.run == newest


def test_evidence_with_a_failed_check_comes_first_and_its_failed_check_too() -> None:
    manifest = make.manifest(make.image())
    good, bad = make.evidence(manifest, kind=Kind.SIGNATURE), make.evidence(manifest)
    run = make.run(manifest)
    make.verdict(good, run, checks=[PASSED])
    make.verdict(bad, run, state="signer-not-allowed", checks=[PASSED, FAILED])
    report = verification.report(manifest)
    assert report is not None
    first = report.judged[0]
    assert first.title == "SPDX attestation"
    assert [place for place, _ in first.failed_first] == [2, 1]
    assert (report.passed, report.ran) == (2, 3)


def test_what_changed_names_state_signer_and_evidence() -> None:
    manifest = make.manifest(make.image())
    kept, gone = make.evidence(manifest, kind=Kind.SIGNATURE), make.evidence(manifest)
    first = make.run(manifest)
    make.verdict(kept, first)
    make.verdict(gone, first)
    second = make.run(manifest, state="signer-not-allowed")
    make.verdict(kept, second, state="signer-not-allowed", identity="somebody else")
    found = [(one.what, one.before, one.after) for one in verification.changes(first, second)]
    assert found == [
        ("Verdict", "verified", "signer-not-allowed"),
        ("Signature", "verified", "signer-not-allowed"),
        ("Signature, signer", make.IDENTITY, "somebody else"),
        ("SPDX attestation", "there", "not there any more"),
    ]


def test_a_run_with_the_same_answers_changes_nothing() -> None:
    manifest = make.manifest(make.image())
    evidence = make.evidence(manifest)
    runs = [make.run(manifest), make.run(manifest)]
    for run in runs:
        make.verdict(evidence, run)
    assert verification.changes(*runs) == ()


def test_another_policy_version_is_a_change() -> None:
    manifest = make.manifest(make.image())
    evidence = make.evidence(manifest)
    runs = [make.run(manifest), make.run(manifest)]
    for version, run in enumerate(runs, 1):
        policy = PolicyRow.objects.create(name="p", version=version, current=version == 2, pattern="cgr.dev/*")
        make.verdict(evidence, run, policy=policy)
    (change,) = verification.changes(*runs)
    assert (change.before, change.after) == ("p v1", "p v2")


@pytest.mark.parametrize(
    ("state", "readable"), [("verified", True), ("no-policy", True), ("signer-not-allowed", True), ("invalid", False)]
)
def test_contents_are_read_only_when_the_signature_holds(state: str, readable: bool) -> None:
    statement = make.payload(b'{"_type": "t", "predicateType": "p", "subject": [], "predicate": {"a":  1}}')
    evidence = make.evidence(make.manifest(make.image()), state=state, payload=statement)
    assert attestations.may_be_read(evidence) is readable
    assert (attestations.header(evidence) is not None) is readable


def test_a_predicate_is_cut_out_byte_by_byte() -> None:
    statement = make.payload(b'{"predicateType": "p", "predicate": {"a":  1.50,\n"b": "\\u00e9"} }')
    evidence = make.evidence(make.manifest(make.image()), payload=statement)
    assert payloads.predicate(evidence) == b'{"a":  1.50,\n"b": "\\u00e9"}'


def test_the_most_trusted_attestation_of_a_type_is_chosen() -> None:
    manifest = make.manifest(make.image())
    good = make.evidence(manifest)
    make.evidence(manifest, state="invalid")
    found = attestations.attestation(manifest, (make.SPDX,))
    assert found is not None
    assert found.pk == good.pk


def test_an_envelope_is_the_slice_of_its_bundle() -> None:
    stored = make.payload(b'{"mediaType": "x", "dsseEnvelope": {"payload":  "e30="}}')
    evidence = make.evidence(make.manifest(make.image()), form="bundle", content=stored)
    assert attestations.envelope(evidence) == b'{"payload":  "e30="}'
    assert attestations.bundle(evidence) == payloads.content(stored)


def test_signers_are_listed_with_what_they_signed() -> None:
    manifest = make.manifest(make.image())
    make.evidence(manifest)
    make.evidence(manifest, state="invalid", identity="nobody")
    (signer,) = signers.signers()
    assert (signer.identity, signer.state, signer.images, signer.evidence) == (make.IDENTITY, "verified", 1, 1)
    assert (signer.example_image, signer.example_digest) == (manifest.image.name, manifest.digest)


def test_licences_are_those_of_verified_current_images() -> None:
    image = make.image()
    make.sbom(make.manifest(image, "1"), make.package("1", license="MIT"), make.package("2"))
    make.sbom(make.manifest(image, "2"), make.package("3", license="GPL-3.0-only"), searchable=False)
    assert [(use.expression, use.packages, use.images) for use in fleet_licenses.uses().all] == [
        ("MIT", 1, 1),
        ("", 1, 1),
    ]


def test_a_check_that_ended_otherwise_is_a_change_with_what_was_found() -> None:
    manifest = make.manifest(make.image())
    evidence = make.evidence(manifest)
    runs = [make.run(manifest), make.run(manifest)]
    make.verdict(evidence, runs[0], checks=[PASSED])
    make.verdict(evidence, runs[1], checks=[{**PASSED, "outcome": "failed", "found": "does not verify"}])
    assert [(one.what, one.before, one.after) for one in verification.changes(*runs)] == [
        ("SPDX attestation, signature check", "passed: valid", "failed: does not verify")
    ]


def test_a_log_entry_that_is_no_longer_known_is_a_change() -> None:
    manifest = make.manifest(make.image())
    evidence = make.evidence(manifest)
    entry = {"log_id": "ab" * 32, "log_index": 7, "kind": "dsse 0.0.1", "integrated_at": None}
    runs = [make.run(manifest), make.run(manifest)]
    make.verdict(evidence, runs[0], log_entries=[entry | {"log_name": "https://log", "proof": "inclusion proof"}])
    make.verdict(evidence, runs[1], log_entries=[entry | {"log_name": "", "proof": ""}])
    assert [(one.what, one.before, one.after) for one in verification.changes(*runs)] == [
        ("SPDX attestation, log entry", "7 in https://log, inclusion proof", "7 in abababababababab, not proven")
    ]


def test_another_trust_root_is_told_once_for_all_evidence() -> None:
    manifest = make.manifest(make.image())
    roots = [
        TrustRoot.objects.create(sha256=sign * 64, name="ours", payload=make.payload(sign.encode())) for sign in "ab"
    ]
    evidence = [make.evidence(manifest), make.evidence(manifest)]
    runs = [make.run(manifest, trust_root=root) for root in roots]
    for run in runs:
        for one in evidence:
            make.verdict(one, run, trusted_root_sha256=run.trust_root.sha256)
    assert [one.what for one in verification.changes(*runs)] == ["Trust root"]


def test_the_root_of_one_policy_that_changed_is_told_for_its_evidence() -> None:
    manifest = make.manifest(make.image())
    evidence = make.evidence(manifest)
    runs = [make.run(manifest), make.run(manifest)]
    for run, root in zip(runs, "ab", strict=True):
        make.verdict(evidence, run, trusted_root_sha256=root * 64)
    assert [(one.what, one.before, one.after) for one in verification.changes(*runs)] == [
        ("SPDX attestation, trust root", "a" * 12, "b" * 12)
    ]
