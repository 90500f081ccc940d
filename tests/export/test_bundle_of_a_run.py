"""The evidence bundle of a run that is not the newest, and what a bundle's script says that cosign does not ask."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cgexplorer import export, ingest
from cgexplorer.export.cosign import unasked
from cgexplorer.store.models import Manifest, PolicyRow, VerificationRun
from cgexplorer.store.record.policies import PolicyFields, policy
from tests.export.bundles import unpacked, verify_sh
from tests.fakes.sigstore import GITHUB, WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NAME, NOW, allow, attest, fetch, sign, signed_image, sigstore, spdx

pytestmark = pytest.mark.django_db


def content(manifest: Manifest, run: VerificationRun | None = None) -> dict[str, bytes]:
    file = io.BytesIO()
    export.write(manifest, file, run)
    with zipfile.ZipFile(file) as found:
        return {name: found.read(name) for name in found.namelist()}


@pytest.fixture
def twice() -> Manifest:
    """Verified, and then not any more: the policy changed."""
    allow()
    fetch(signed_image())
    manifest = Manifest.objects.get()
    allow(f"{WORKFLOW}-other")
    ingest.reverify(manifest, now=LATER)
    manifest.refresh_from_db()
    return manifest


def first(manifest: Manifest) -> VerificationRun:
    return manifest.runs.earliest("pk")


def test_an_older_run_is_exported_as_it_was_judged_then(twice: Manifest) -> None:
    then, now = (json.loads(content(twice, run)["report.json"]) for run in (first(twice), None))
    assert (then["state"], now["state"]) == ("verified", "signer-not-allowed")
    assert then["subjects"][0]["run"]["number"] == first(twice).pk
    assert {one["policy"]["version"] for one in then["subjects"][0]["evidence"]} == {1}


def test_the_policy_beside_an_older_run_is_the_version_that_decided_then(twice: Manifest) -> None:
    (rules,) = json.loads(content(twice, first(twice))["policy.json"])["policies"]
    assert rules["rules"]["identity"] == WORKFLOW


def test_the_script_of_an_older_run_asks_what_was_asked_then(twice: Manifest, tmp_path: Path) -> None:
    for number, (run, expected) in enumerate([(first(twice), 0), (None, 1)]):
        folder = tmp_path / str(number)
        for name, raw in content(twice, run).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(raw)
        assert verify_sh(folder, "true").returncode == expected


def test_the_readme_says_of_which_run_it_is(twice: Manifest) -> None:
    assert f"as of: run {first(twice).pk} (2026-08-01 12:00 UTC)" in content(twice, first(twice))["README.txt"].decode()


def test_the_platforms_of_an_index_are_as_they_were_with_its_run() -> None:
    allow()
    source = MemorySource()
    digest = source.push_image()
    sign(source, digest)
    attest(source, digest, spdx("openssl@3.3.1-r0"))
    sign(source, source.push_index("latest", amd64=digest))
    fetch(source)
    index = Manifest.objects.get(is_index=True)
    allow(f"{WORKFLOW}-other")
    for one in Manifest.objects.all():
        ingest.reverify(one, now=LATER)
    subjects = json.loads(content(index, first(index))["report.json"])["subjects"]
    assert [one["state"] for one in subjects] == ["verified", "verified"]


def test_the_page_of_an_older_run_offers_its_evidence(twice: Manifest, client: Client) -> None:
    run, address = first(twice), reverse("evidence-zip", args=[NAME, twice.digest])
    page = client.get(reverse("verification-run", args=[NAME, twice.digest, run.pk])).content.decode()
    assert f'href="{address}?run={run.pk}"' in page
    answer = client.get(address, {"run": run.pk})
    assert f"-run-{run.pk}.zip" in answer["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as found:
        assert json.loads(found.read("report.json"))["state"] == "verified"


@pytest.mark.parametrize("run", ["", "x", "-1", "9" * 30, "0"])
def test_a_run_that_did_not_verify_this_digest_has_no_evidence(twice: Manifest, client: Client, run: str) -> None:
    assert client.get(reverse("evidence-zip", args=[NAME, twice.digest]), {"run": run}).status_code == 404


def test_the_command_exports_an_older_run(twice: Manifest, tmp_path: Path) -> None:
    target = tmp_path / "evidence.zip"
    call_command("export_evidence", f"{NAME}@{twice.digest}", "--run", first(twice).pk, "--output", target)
    with zipfile.ZipFile(target) as found:
        assert json.loads(found.read("report.json"))["state"] == "verified"
    with pytest.raises(CommandError, match="Run 0 did not verify this digest"):
        call_command("export_evidence", f"{NAME}@{twice.digest}", "--run", 0, "--output", target)


def rules(**asked: Any) -> PolicyRow:
    fields = {"pattern": "registry.example/*", "issuer": GITHUB, "identity": WORKFLOW, **asked}
    return policy("test", PolicyFields(**fields), allow().trust_root)


def test_what_cosign_does_not_compare_is_said_by_page_text_and_script(tmp_path: Path, client: Client) -> None:
    rules(max_age_s=30 * 86400)
    fetch(signed_image())
    manifest, sentence = (
        Manifest.objects.get(),
        "wants signatures at most 30 days, 0:00:00 old; cosign compares no age.",
    )
    assert sentence in verify_sh(unpacked(manifest, tmp_path / "evidence"), "true").stderr
    for name in ("verification", "verification-text"):
        assert sentence in client.get(reverse(name, args=[NAME, manifest.digest])).content.decode()


def test_a_policy_that_asks_no_more_than_cosign_can_says_nothing(tmp_path: Path) -> None:
    assert unasked(rules(workflow_ref="refs/heads/main", require_timestamp=True)) == []


def test_the_window_of_a_key_and_annotations_are_not_compared_by_cosign() -> None:
    key = sigstore().keypair().public_pem
    made = rules(issuer="", identity="", key_pem=key, not_before=NOW, annotations={"env": "prod"})
    assert unasked(made) == [
        "Policy test v2 believes its key from 2026-08-01 12:00:00 UTC only; cosign knows no such window.",
        "Policy test v2 asks for annotations of signatures; cosign compares none of a blob or an attestation.",
    ]


def test_a_stale_signature_is_said_to_be_stale(tmp_path: Path) -> None:
    rules(max_age_s=86400)
    fetch(signed_image(), now=NOW + dt.timedelta(days=9))
    answer = verify_sh(unpacked(Manifest.objects.get(), tmp_path / "evidence"), "true")
    assert answer.returncode == 0
    assert "is verified-stale: " in answer.stderr


def test_a_file_that_is_no_part_of_the_bundle_is_named(tmp_path: Path) -> None:
    allow()
    fetch(signed_image())
    folder = unpacked(Manifest.objects.get(), tmp_path / "evidence")
    assert "Not part of it" not in verify_sh(folder, "true").stderr
    (folder / "evidence" / "more\x1b[2J.spdx.json").write_text("{}")
    answer = verify_sh(folder, "true")
    assert answer.returncode == 0
    assert "Not part of it, and checked by nobody: evidence/more[2J.spdx.json" in answer.stderr


def test_a_file_that_is_missing_is_noticed(tmp_path: Path) -> None:
    allow()
    fetch(signed_image())
    folder = unpacked(Manifest.objects.get(), tmp_path / "evidence")
    (folder / "report.html").unlink()
    assert verify_sh(folder, "true").returncode == 1
