"""Cross-checks of what is stored: only of evidence whose signature holds, on the page and in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.predicates import APKO, CYCLONEDX, SLSA_V1, SPDX
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import cross_checks, verification
from tests.fakes.sigstore import WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import allow, fetch, sign, signed_image, sigstore, spdx

pytestmark = pytest.mark.django_db
POSTGRES = "cgr.dev/chainguard/postgres"


def outcomes(manifest: Manifest) -> dict[str, str]:
    report = verification.report(manifest)
    assert report is not None
    return {row.name.value: row.outcome.value for row in cross_checks.of(report)}


def attested_image(*attested: tuple[str, Any], by: str = WORKFLOW, **config: Any) -> MemorySource:
    """Signed, with the SBOM of one apk and these (predicate type, predicate); `by` signs the last of them."""
    one, source = sigstore(), MemorySource()
    digest = source.push_image("latest", **config)
    sign(source, digest)
    claims = ((SPDX, spdx("openssl@3.3.1-r0")), *attested)
    signers = [WORKFLOW] * (len(claims) - 1) + [by]
    source.attach(
        *(
            one.attestation(digest, one.leaf(identity), predicate_type, predicate=predicate)
            for (predicate_type, predicate), identity in zip(claims, signers, strict=True)
        )
    )
    return source


@pytest.fixture
def postgres(shared: Path, capsys: pytest.CaptureFixture[str]) -> Manifest:
    call_command("import_layout", str(shared / "chainguard-postgres" / "oci-layout"), "--as", f"{POSTGRES}:18.4")
    capsys.readouterr()
    return Manifest.objects.get(image__name=POSTGRES, platform="linux/arm64")


def test_the_documents_of_a_real_image_agree(postgres: Manifest) -> None:
    report = verification.report(postgres)
    assert report is not None
    found = {row.name.value: row for row in cross_checks.of(report)}
    assert {name: row.outcome.value for name, row in found.items()} == {
        "digest": "passed",
        "reference": "passed",
        "apko-packages": "passed",
        "slsa-packages": "passed",
        "sbom-formats": "not-run",
        "image-configuration": "passed",
        "signer": "passed",
        "commit": "not-run",
        "workflow": "not-run",
        "run": "not-run",
    }
    for name, where in (("apko-packages", "configuration"), ("slsa-packages", "provenance")):
        assert found[name].expected == f"56 in the {where}"
        assert found[name].found == "56 in the SBOM, 0 missing on either side"
    assert found["image-configuration"].found == "equal; apko added PATH and SSL_CERT_FILE"
    assert found["commit"].found == "the SLSA statement names no source commit"


@pytest.mark.parametrize(("version", "run"), [("v1.4.0", "not-run"), ("v1.9.0", "passed"), ("v2.0.0", "passed")])
def test_real_provenance_of_a_reusable_workflow_agrees_with_its_certificate(
    shared: Path, capsys: pytest.CaptureFixture[str], version: str, run: str
) -> None:
    layout = shared / "slsa-container-layouts" / version / "container_workflow_dispatch"
    call_command("import_layout", str(layout), "--as", "ghcr.io/slsa-framework/example:1")
    (found,) = (rows for one in Manifest.objects.all() if (rows := outcomes(one)))
    assert (found["commit"], found["workflow"], found["run"]) == ("passed", "passed", run)


def test_the_page_and_the_report_show_the_same_rows(
    postgres: Manifest, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    page = client.get(reverse("verification", args=[POSTGRES, postgres.digest])).content.decode()
    assert "Cross-checks between the documents" in page
    call_command("verify", f"{POSTGRES}@{postgres.digest}", "--format", "json")
    (subject,) = json.loads(capsys.readouterr().out)["subjects"]
    assert [one["name"] for one in subject["cross_checks"]] == list(outcomes(postgres))
    for one in subject["cross_checks"]:
        assert one["found"] in page


def test_every_sample_agrees_unless_somebody_else_signed_it() -> None:
    call_command("load_samples", verbosity=0)
    said = [outcomes(one) for one in Manifest.objects.exclude(platform="")]
    # A bundle says no name, and no sample has a second SBOM.
    silent = ("reference", "sbom-formats")
    complete = [one for one in said if {one[name] for name in one if name not in silent} == {"passed"}]
    failed = {
        (one.state, name)
        for one in Manifest.objects.all()
        for name, outcome in outcomes(one).items()
        if outcome == "failed"
    }
    assert len(complete) == 10
    # The fork signs what it copied: statements of the original, with a certificate of its own.
    assert failed == {("signer-not-allowed", "workflow"), ("signer-not-allowed", "run")}


def test_evidence_whose_signature_does_not_hold_is_not_compared() -> None:
    fetch(signed_image())
    assert set(outcomes(Manifest.objects.get())) == set()


def test_a_contradiction_is_told_but_changes_no_state() -> None:
    allow()
    fetch(attested_image((APKO, {"contents": {"packages": ["openssl=3.3.1-r0", "curl=8.1-r0"]}})))
    manifest = Manifest.objects.get()
    assert outcomes(manifest)["apko-packages"] == "failed"
    assert manifest.state == "verified"


def test_the_document_of_the_allowed_signer_is_compared_whatever_else_is_pushed() -> None:
    allow()
    good, other = ({"contents": {"packages": [name]}} for name in ("openssl=3.3.1-r0", "curl=8.1-r0"))
    fetch(attested_image((APKO, good), (APKO, other), by="https://mallory.example"))
    found = outcomes(Manifest.objects.get())
    assert found["apko-packages"] == "passed"
    assert found["signer"] == "failed"


def bom(*purls: str) -> dict[str, Any]:
    names = [(purl, *purl.partition("?")[0].rpartition("/")[2].split("@")) for purl in purls]
    components = [{"type": "library", "purl": purl, "name": name, "version": at} for purl, name, at in names]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}


@pytest.mark.parametrize(
    ("purls", "outcome", "found"),
    [
        # Other qualifiers name the same package.
        (("pkg:apk/wolfi/openssl@3.3.1-r0",), "passed", "1 in CycloneDX, 0 missing on either side"),
        (("pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64&distro=wolfi",), "passed", "1 in CycloneDX, 0 missing"),
        (("pkg:apk/wolfi/openssl@3.3.2-r0",), "failed",
         "1 in CycloneDX; only in SPDX: pkg:apk/wolfi/openssl@3.3.1-r0;"
         " only in CycloneDX: pkg:apk/wolfi/openssl@3.3.2-r0"),
    ],
)  # fmt: skip
def test_both_formats_of_a_digest_are_compared(
    client: Client, purls: tuple[str, ...], outcome: str, found: str
) -> None:
    allow()
    fetch(attested_image((CYCLONEDX, bom(*purls))))
    manifest = Manifest.objects.get()
    report = verification.report(manifest)
    assert report is not None
    row = next(row for row in cross_checks.of(report) if row.name == "sbom-formats")
    assert (row.outcome, row.expected, row.found[: len(found)]) == (outcome, "1 in SPDX", found)
    page = client.get(reverse("verification", args=[manifest.image.name, manifest.digest])).content.decode()
    assert "SPDX packages = CycloneDX packages" in page
    assert found in page


def test_an_sbom_that_cannot_be_read_is_not_compared_with_the_other_format() -> None:
    allow()
    fetch(attested_image((CYCLONEDX, {"bomFormat": "CycloneDX", "specVersion": 10**20})))
    assert outcomes(Manifest.objects.get())["sbom-formats"] == "not-run"


def test_a_predicate_that_cannot_be_read_is_not_compared() -> None:
    allow()
    fetch(attested_image((APKO, ["no", "object"]), (SLSA_V1, {"neither": "nor"})))
    found = outcomes(Manifest.objects.get())
    assert {found[name] for name in ("apko-packages", "slsa-packages", "commit", "run")} == {"not-run"}


def test_provenance_of_another_run_than_the_certificate_fails_the_row_of_the_run() -> None:
    allow()
    repository = "https://github.com/chainguard-images/images"
    dependency = {"uri": f"git+{repository}", "digest": {"gitCommit": "a" * 40}}
    provenance = {
        "buildDefinition": {"buildType": "https://x.example", "resolvedDependencies": [dependency]},
        "runDetails": {
            "metadata": {"invocationId": f"{repository}/actions/runs/2/attempts/1"},
            "builder": {"id": "https://x.example"},
        },
    }
    fetch(attested_image((SLSA_V1, provenance)))
    found = outcomes(Manifest.objects.get())
    assert (found["run"], found["commit"], found["workflow"]) == ("failed", "passed", "not-run")


def test_hostile_texts_stay_text_on_the_page(client: Client) -> None:
    allow()
    naughty = "<script>alert(1)</script>"
    fetch(attested_image((APKO, {"entrypoint": {"command": naughty}, "contents": {"packages": [naughty]}})))
    manifest = Manifest.objects.get()
    page = client.get(reverse("verification", args=[manifest.image.name, manifest.digest])).content.decode()
    assert naughty not in page
    assert "&lt;script&gt;" in page


def test_an_image_with_only_a_signature_has_one_signer_and_nothing_to_compare() -> None:
    allow()
    source = MemorySource()
    sign(source, source.push_image("latest"))
    fetch(source)
    found = outcomes(Manifest.objects.get())
    assert {name for name, outcome in found.items() if outcome != "not-run"} == {"reference", "signer"}
