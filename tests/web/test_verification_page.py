"""The report of a verification, for every kind of outcome."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer.oci.evidence import Kind
from cgexplorer.store.models import PolicyRow, TrustRoot
from tests.store import factories as make

pytestmark = pytest.mark.django_db
BRANCH = make.IDENTITY.replace("main", "codex/issue-41")
CERTIFICATE = {
    "sha256": "ab" * 32, "subjects": [make.IDENTITY], "issuer": make.ISSUER, "authority": "O=sigstore.dev",
    "serial": "7435", "not_before": "2026-07-16T08:07:48Z", "not_after": "2026-07-16T08:17:48Z",
    "extensions": [
        {"oid": "1.3.6.1.4.1.57264.1.2", "name": "GitHub Workflow Trigger", "value": "push"},
        {"oid": "1.3.6.1.4.1.57264.1.12", "name": "Source Repository URI", "value": "https://github.com/acme/images"},
        {"oid": "1.3.6.1.4.1.57264.1.21", "name": "Run Invocation URI", "value": "javascript:alert(1)"},
    ],
    "pem": "-----BEGIN CERTIFICATE-----",
}  # fmt: skip
ENTRY = {
    "log_id": "c0d23d6a" * 8, "log_name": "https://rekor.sigstore.dev", "log_index": 2181460833,
    "kind": "dsse 0.0.1", "integrated_at": "2026-07-16T08:08:01Z", "proof": "signed entry timestamp",
}  # fmt: skip


def check(name: str, outcome: str = "passed", expected: str = "as it should be", found: str = "as it is"):
    return {"name": name, "outcome": outcome, "expected": expected, "found": found}


PASSED = [check(name) for name in ("format", "log-entry", "certificate-chain", "identity", "signature", "subject")]


def policy(**fields) -> PolicyRow:
    values = {"name": "ours", "pattern": "cgr.dev/chainguard/*", "identity": make.IDENTITY}
    return PolicyRow.objects.create(**{**values, "issuer": make.ISSUER, **fields})


def report(client: Client, manifest, run=None):
    arguments = [manifest.image.name, manifest.digest] + ([run.pk] if run else [])
    response = client.get(reverse("verification-run" if run else "verification", args=arguments))
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def verified():
    manifest = make.manifest(make.image())
    root = TrustRoot.objects.create(sha256="cd" * 32, name="Sigstore public good", payload=make.payload(b"root"))
    run = make.run(manifest, trust_root=root)
    rules = policy()
    for kind in (Kind.SIGNATURE, Kind.ATTESTATION):
        make.verdict(
            make.evidence(manifest, kind=kind), run, checks=PASSED, policy=rules, certificate=CERTIFICATE,
            log_entries=[ENTRY], trusted_root_sha256=root.sha256,
            predicate_type=make.SPDX if kind is Kind.ATTESTATION else "",
        )  # fmt: skip
    return manifest


def test_a_verified_digest_shows_what_cosign_would_say(client: Client, verified) -> None:
    text = report(client, verified)
    assert "The cosign claims were validated" in text
    assert "Existence of the claims in the transparency log was verified offline" in text
    assert "The code-signing certificate was verified using trusted certificate authority certificates" in text
    assert "12 of 12 checks passed on 2 pieces of evidence" in text


def test_the_certificate_shows_every_extension_by_name(client: Client, verified) -> None:
    text = report(client, verified)
    for extension in CERTIFICATE["extensions"]:
        assert extension["name"] in text
    assert 'href="https://github.com/acme/images"' in text
    assert 'href="javascript:' not in text


def test_the_commands_check_exactly_this_digest(client: Client, verified) -> None:
    text = report(client, verified)
    assert f"cgr.dev/chainguard/go@{verified.digest}" in text
    assert f"--certificate-identity={make.IDENTITY}" in text
    assert "cosign verify-attestation" in text
    assert "--type=https://spdx.dev/Document" in text
    assert "the pipe hides the exit code" in text
    for forbidden in ("triangulate", "cosign copy", "download sbom", "--offline", "--platform", "--trusted-root"):
        assert forbidden not in text


def test_a_failed_check_comes_first_and_only_the_difference_is_marked(client: Client) -> None:
    manifest = make.manifest(make.image(), state="signer-not-allowed")
    run = make.run(manifest, state="signer-not-allowed", reason="A branch build signed it.")
    make.verdict(
        make.evidence(manifest, kind=Kind.SIGNATURE, identity=BRANCH), run, state="signer-not-allowed",
        checks=[check("format"), check("identity", "failed", make.IDENTITY, BRANCH)], policy=policy(),
    )  # fmt: skip
    text = report(client, manifest)
    assert text.index("2. Signer") < text.index("1. Size and strict parse")
    assert "refs/heads/<ins>main</ins>" in text
    assert "refs/heads/<del>codex/issue-41</del>" in text
    assert "The cosign claims were validated" not in text
    assert "What you can do" in text


def test_without_a_policy_the_commands_say_that_nobody_chose_the_signer(client: Client) -> None:
    manifest = make.manifest(make.image())
    run = make.run(manifest, state="no-policy")
    make.verdict(make.evidence(manifest, kind=Kind.SIGNATURE), run, state="no-policy", checks=PASSED)
    text = report(client, manifest)
    assert "No policy names this image" in text
    assert "No policy holds here" in text
    assert "What cosign would say" not in text


def test_a_sample_root_is_plainly_labelled(client: Client) -> None:
    manifest = make.manifest(make.image("samples.example/nginx"))
    root = TrustRoot.objects.create(sha256="ef" * 32, name="sample", is_sample=True, payload=make.payload(b"sample"))
    run = make.run(manifest, trust_root=root)
    make.verdict(make.evidence(manifest, kind=Kind.SIGNATURE), run, checks=PASSED, policy=policy(trust_root=root))
    text = report(client, manifest)
    assert "sample root" in text
    assert "It says nothing about any real image" in text
    assert "--trusted-root=trusted_root.json" in text
    assert client.get(reverse("trusted-root", args=[root.sha256])).content == b"sample"


def test_what_could_not_be_read_is_named(client: Client) -> None:
    manifest = make.manifest(make.image())
    make.run(manifest, state="could-not-check", problems=[{"place": "referrers", "reason": "timed out"}])
    text = report(client, manifest)
    assert "referrers could not be read" in text
    assert "timed out" in text


def test_a_digest_that_was_never_verified_says_so(client: Client) -> None:
    assert "Never verified" in report(client, make.manifest(make.image(), state=""))


def test_the_report_is_also_json(client: Client, verified) -> None:
    run = verified.runs.get()
    for name, more in (("verification-json", []), ("verification-run-json", [run.pk])):
        answer = json.loads(client.get(reverse(name, args=[verified.image.name, verified.digest, *more])).content)
        assert answer["schema"] == "cgexplorer.verification/1"
        assert answer["state"] == "verified"
        (subject,) = answer["subjects"]
        assert (subject["digest"], subject["platform"]) == (verified.digest, "linux/amd64")
        assert [one["kind"] for one in subject["evidence"]] == ["signature", "attestation"]
        assert subject["evidence"][1]["predicate_type"] == make.SPDX
        assert subject["evidence"][0]["checks"][0] == PASSED[0]
        assert subject["evidence"][0]["policy"] == {"name": "ours", "version": 1}


def test_an_older_run_keeps_its_own_report(client: Client, verified) -> None:
    older = make.run(verified, state="invalid", reason="The log entry was made for another certificate.")
    make.run(verified)
    assert "made for another certificate" in report(client, verified, older)


def test_a_run_has_a_short_link(client: Client, verified) -> None:
    run = verified.runs.get()
    response = client.get(reverse("run", args=[run.pk]))
    assert response["Location"] == reverse("verification-run", args=[verified.image.name, verified.digest, run.pk])


def test_a_run_of_another_digest_is_not_found(client: Client, verified) -> None:
    other = make.run(make.manifest(verified.image, "other"))
    path = reverse("verification-run", args=[verified.image.name, verified.digest, other.pk])
    assert client.get(path).status_code == 404


def test_what_a_signer_says_is_only_text(client: Client) -> None:
    naughty = "<script>alert(1)</script>"
    manifest = make.manifest(make.image())
    run = make.run(manifest, state="invalid", reason=naughty, problems=[{"place": naughty, "reason": naughty}])
    extension = {"oid": naughty, "name": naughty, "value": naughty}
    make.verdict(
        make.evidence(manifest, identity=naughty, predicate_type=naughty), run, state="invalid", reason=naughty,
        identity=naughty, checks=[check("identity", "failed", naughty, naughty + "x")],
        certificate={**CERTIFICATE, "subjects": [naughty], "authority": naughty, "pem": naughty, "serial": naughty,
                     "extensions": [extension]},
        log_entries=[{**ENTRY, "log_name": naughty, "kind": naughty, "proof": naughty}],
    )  # fmt: skip
    text = report(client, manifest)
    assert naughty not in text
    assert "&lt;script&gt;" in text


def test_much_evidence_takes_no_more_queries_than_little(client: Client, django_assert_max_num_queries) -> None:
    manifest = make.manifest(make.image())
    run = make.run(manifest)
    for _ in range(20):
        make.verdict(make.evidence(manifest), run, checks=PASSED)
    with django_assert_max_num_queries(20):
        report(client, manifest)
