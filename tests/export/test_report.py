"""The report of what is stored: everything that a reader needs to judge it, in JSON, as text and on the page."""

from __future__ import annotations

import datetime as dt
import json
import platform
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from cgexplorer import ingest
from cgexplorer.export import report as reports
from cgexplorer.store.models import Manifest, TrustRoot, TrustUpdate
from cgexplorer.store.queries import verification
from cgexplorer.store.record.policies import PolicyFields, policy
from cgexplorer.verify import report as shapes
from cgexplorer.verify import report_schema, text
from tests.fakes.sigstore import GITHUB, WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NAME, NOW, allow, fetch, signed_image, sigstore

pytestmark = pytest.mark.django_db
ENFORCE, SYNCER, BUILDER = "https://issuer.enforce.dev", "720909c9/b6461e99", "720909c9/af12bc34"


def stored() -> Manifest:
    fetch(signed_image())
    return Manifest.objects.get()


def told(manifest: Manifest) -> Any:
    """The report as a script reads it, after it was held against the schema."""
    found = json.loads(shapes.to_json(reports.report(manifest, NAME)))
    jsonschema.validate(found, report_schema.schema(), jsonschema.Draft202012Validator)
    return found["subjects"][0]


def root() -> TrustRoot:
    return TrustRoot.objects.get(name="throwaway")


def test_the_policy_that_decided_and_the_others_that_were_asked_are_named() -> None:
    allow()
    other = PolicyFields(pattern="registry.example/*", issuer=GITHUB, identity="https://github.com/other/workflow")
    policy("another", other, root())
    signature = told(stored())["evidence"][0]
    assert signature["policy"] == {"name": "test", "version": 1}
    (tried,) = signature["tried"]
    assert (tried["name"], tried["version"], tried["state"]) == ("another", 1, "signer-not-allowed")
    assert "expected https://github.com/other/workflow" in tried["reason"]


def test_a_verdict_from_before_others_were_kept_says_that_it_does_not_know() -> None:
    allow()
    manifest = stored()
    found = verification.report(manifest)
    assert found is not None
    judged = reports.evidence_row(msgspec.structs.replace(found.judged[0], tried=None))
    assert judged.tried is None


def test_the_tools_that_verified_are_named_with_their_versions() -> None:
    allow()
    tools = told(stored())["tools"]
    assert set(tools) == {"cgexplorer", "sigstore", "cryptography", "Python"}
    assert tools["Python"] == platform.python_version()


def test_the_trust_root_is_named_by_its_hash() -> None:
    allow()
    (named,) = told(stored())["trusted_roots"]
    assert (named["name"], named["sha256"], named["source"]) == ("throwaway", root().sha256, "imported")


def test_the_trust_root_is_told_as_it_stood_at_the_run() -> None:
    """A later refresh of the same root does not change the report of an earlier run."""
    allow()
    manifest = stored()
    old, later = (NOW + dt.timedelta(hours=hours) for hours in (-5, 5))
    for at in (old, later):
        TrustUpdate.objects.create(
            name="throwaway", source="refreshed", trust_root=TrustRoot.objects.get(name="throwaway"), at=at,
            expires_at=at + dt.timedelta(days=7),
        )  # fmt: skip
    (named,) = told(manifest)["trusted_roots"]
    assert [dt.datetime.fromisoformat(named[what]) for what in ("refreshed_at", "metadata_expires_at")] == [
        old,
        old + dt.timedelta(days=7),
    ]
    said = text.render(reports.report(manifest, NAME))
    assert f"refreshed {old:%Y-%m-%d %H:%M} UTC, its metadata good until" in said


def test_the_run_before_is_named_with_what_changed_since() -> None:
    allow()
    manifest = stored()
    first = manifest.runs.get()
    allow(f"{WORKFLOW}-other")
    ingest.reverify(manifest, now=LATER)
    manifest.refresh_from_db()
    previous = told(manifest)["previous"]
    assert (previous["run"], previous["state"]) == (first.pk, "verified")
    changes = {(one["what"], one["before"], one["after"]) for one in previous["changes"]}
    assert {
        ("Verdict", "verified", "signer-not-allowed"),
        ("Signature", "verified", "signer-not-allowed"),
        ("Signature, policy", "test v1", "test v2"),
        ("Signature, identity check", f"passed: {WORKFLOW}", f"failed: {WORKFLOW}"),
    } <= changes


def test_the_first_run_has_none_before_it() -> None:
    allow()
    assert told(stored())["previous"] is None


def test_the_commands_name_the_digest_of_the_platform_and_quote_what_is_hostile() -> None:
    hostile = "https://github.com/$(id)/'`;workflow"
    allow(hostile)
    manifest = stored()
    commands = told(manifest)["commands"]
    assert [one["title"] for one in commands] == ["Signature", "SPDX attestation"]
    for one in commands:
        words = shlex.split(one["command"])
        assert words[-1] == f"{NAME}@{manifest.digest}"
        assert f"--certificate-identity={hostile}" in words


@pytest.mark.parametrize(("uidp", "place"), [(SYNCER, 1), (BUILDER, 2)])
def test_of_two_ids_that_a_policy_allows_the_one_that_signed_is_named(client: Client, uidp: str, place: int) -> None:
    allow()
    pattern = rf"https://issuer\.enforce\.dev/({SYNCER}|{BUILDER})"
    two = PolicyFields(pattern="registry.example/app", issuer=ENFORCE, identity_regexp=pattern)
    policy("private", two, root())
    source = signed_image()
    digest = source.resolve("app", "latest")
    one = sigstore()
    source.attach(one.signature(digest, one.leaf(f"{ENFORCE}/{uidp}", ENFORCE)))
    fetch(source)
    manifest = Manifest.objects.get()
    matched = [row["identity_matched"] for row in told(manifest)["evidence"] if row["state"] == "verified"]
    assert matched == [f"{uidp}, alternative {place} of 2"]
    page = client.get(reverse("verification", args=[NAME, manifest.digest])).content.decode()
    assert f"{uidp}, alternative {place} of 2" in page


def test_the_text_says_what_the_json_says() -> None:
    allow()
    manifest = stored()
    ingest.reverify(manifest, now=LATER)
    report = reports.report(manifest, NAME)
    said = text.render(report)
    subject = report.subjects[0]
    for row in subject.evidence:
        assert row.certificate is not None
        for wanted in (
            row.reason, row.trusted_root_sha256, row.certificate.sha256, row.time_source,
            *row.certificate.extensions, *row.certificate.extensions.values(), *(one.name for one in row.checks),
            *(value for entry in row.log_entries for value in (str(entry.log_index), entry.log_name, entry.kind)),
        ):  # fmt: skip
            assert wanted in said
    for wanted in (*subject.cosign_says, *subject.tools.values(), "test v1", "nothing changed"):
        assert wanted in said
    assert said.index(subject.cosign_says[0]) < said.index(subject.digest)


def test_the_text_of_a_signer_who_is_not_allowed_has_none_of_cosigns_sentences() -> None:
    allow()
    source = signed_image()
    allow(f"{WORKFLOW}-other")
    fetch(source)
    said = text.render(reports.report(Manifest.objects.get(), NAME))
    assert "claims were validated" not in said
    assert "✗ identity" in said


def test_the_report_is_a_link_away_as_text(client: Client) -> None:
    allow()
    manifest = stored()
    said = client.get(reverse("verification-text", args=[NAME, manifest.digest]))
    assert said["Content-Type"].startswith("text/plain")
    assert said.content.decode() == text.render(reports.run_report(verification.report(manifest)))


def test_the_schema_is_a_link_away(client: Client) -> None:
    assert client.get(reverse("verification-schema")).json() == report_schema.schema()


def test_the_report_on_a_real_image_meets_the_schema(shared: Path) -> None:
    call_command("import_layout", str(shared / "chainguard-postgres/oci-layout"), "--as", "cgr.dev/chainguard/postgres")
    subject = told(Manifest.objects.get(platform="linux/arm64", payload__isnull=False))
    assert len(subject["cosign_says"]) == 3
    assert len(subject["commands"]) > 1


def test_what_is_asked_of_a_github_workflow_is_left_out_for_chainguards_own_issuer(client: Client) -> None:
    allow()
    policy(
        "private", PolicyFields(pattern="registry.example/app", issuer=ENFORCE, identity=f"{ENFORCE}/{SYNCER}"), root()
    )
    source, one = MemorySource(), sigstore()
    digest = source.push_image("latest")
    source.attach(one.signature(digest, one.leaf(f"{ENFORCE}/{SYNCER}", ENFORCE)))
    fetch(source)
    address = [NAME, Manifest.objects.get().digest]
    page = client.get(reverse("verification", args=address)).content.decode()
    said = client.get(reverse("verification-text", args=address)).content.decode()
    assert "Verified." in page
    assert not [word for word in ("GitHub", "Workflow", "workflow") if word in page[page.index('id="report"') :]]
    assert "workflow" not in said.partition("Do the signed documents")[0].lower()


def test_what_is_asked_of_a_github_workflow_stays_for_others(client: Client) -> None:
    allow()
    page = client.get(reverse("verification", args=[NAME, stored().digest])).content.decode()
    assert "GitHub claims that the policy asks for" in page
    assert "Certificate’s workflow = provenance’s workflow" in page
