"""Fifty cases signed by stock cosign against a private Sigstore, asked with cosign's own flags through the real CLI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cgexplorer.verify.cli import main
from tests.conftest import SHARED
from tests.fakes.registry import FakeRegistry

CASES: list[dict[str, Any]] = (
    json.loads((SHARED / "cosign-made/cases.json").read_bytes()) if (SHARED / "cosign-made").is_dir() else []
)
# What each rejection is about, from its note: the checks that fail, or the state when nothing was found.
REASONS = {
    "c-email-wrong-identity": {"identity"},
    "c-email-wrong-issuer": {"issuer"},
    "c-workflow-ref-wrong": {"workflow"},
    "c-annotation-wrong-value": {"annotations"},
    "c-multi-nobody": {"issuer", "identity"},
    "c-wrong-root": {"log-entry"},
    "unsigned": "unsigned",
    "index-child-not-signed": "unsigned",
    "c-tsa-nolog-default": {"log-entry"},
    "c-nothing-waived": {"certificate-chain"},
    "b-email-wrong-identity": {"identity"},
    "b-annotation-wrong-value": {"annotations"},
    "b-att-as-signature": {"type"},
    "c-key-p256-wrong": {"identity"},
    "c-att-wrong-type": {"type"},
    "b-att-wrong-type": {"type"},
    "m-payload-flip": {"log-binding", "signature", "type"},  # the changed byte also breaks the payload's JSON
    "m-bundle-other": {"log-binding"},
    "m-set-flip": {"log-entry"},
    "m-cert-bob": {"log-binding", "certificate-chain", "signature"},  # Bob's certificate was not yet valid either
    "m-copied-sig": {"subject"},
    "m-copied-att": {"subject"},
    "m-att-payloadtype": {"log-binding", "signature", "type"},
    "m-b-payload": {"log-binding", "signature", "type"},
    "m-b-proof-root": {"log-entry"},
    "m-b-copied": {"subject"},
    "f-sig-own-ca": {"certificate-chain"},
}

pytestmark = pytest.mark.skipif(not CASES, reason="no real data beside the checkout (../shared/data)")


@pytest.fixture(scope="module")
def registry(shared: Path) -> Iterator[FakeRegistry]:
    folder = shared / "cosign-made"
    with FakeRegistry() as made:
        for name, repository in json.loads((folder / "repos.json").read_bytes()).items():
            fill(made, folder, name, repository)
        yield made


def fill(registry: FakeRegistry, folder: Path, name: str, repository: dict[str, Any]) -> None:
    tags = {digest: tag for tag, digest in repository["tags"].items()}
    for digest, media_type in repository["manifests"].items():
        raw = (folder / "blobs/sha256" / digest[7:]).read_bytes()
        registry.push(name, raw, tags.get(digest, ""), media_type)
        manifest = json.loads(raw)
        for part in (manifest.get("config"), *manifest.get("layers", ())):
            blob = folder / "blobs/sha256" / part["digest"][7:] if part else None
            if blob is not None and blob.is_file():
                registry.push_blob(name, blob.read_bytes())


@pytest.mark.parametrize("place", ["layout", "registry with referrers API", "registry without referrers API"])
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_stock_cosigns_work_gets_the_expected_answer(
    case: dict[str, Any],
    place: str,
    shared: Path,
    registry: FakeRegistry,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(shared / "cosign-made")
    reference, where = f"{case['repo']}@{case['digest']}", ["--layout", "."]
    if place != "layout":
        registry.referrers_api = place == "registry with referrers API"
        reference, where = f"{registry.host}/{reference}", ["--allow-http-registry"]
    asked = [*where, "--output", "json", "--offline", "--trusted-root", case["trusted_root"], *case["args"]]
    code = main([case["kind"], *asked, reference])
    report = json.loads(capsys.readouterr().out)
    if case["expect"] == "accept":
        assert (code, report["state"]) == (0, "verified")
        return
    assert code == 1
    expected = REASONS[case["id"]]
    subject = report["subjects"][0]
    if isinstance(expected, str):
        assert (report["state"], subject["evidence"]) == (expected, [])
        return
    assert subject["evidence"]
    for evidence in subject["evidence"]:
        assert {check["name"] for check in evidence["checks"] if check["outcome"] == "failed"} == expected


def test_each_rejection_has_its_reason() -> None:
    assert {case["id"] for case in CASES if case["expect"] == "reject"} == set(REASONS)
