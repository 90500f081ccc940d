"""Fifty cases signed by stock cosign against a private Sigstore, asked with cosign's own flags through the real CLI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cgexplorer.verify.cli import main
from tests.conftest import SHARED

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
    "c-nothing-waived": {"timestamp"},
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


def ask(case: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    reference = f"{case['repo']}@{case['digest']}"
    asked = ["--layout", ".", "--output", "json", "--offline", "--trusted-root", case["trusted_root"]]
    code = main([case["kind"], *asked, *case["args"], reference])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_stock_cosigns_work_gets_the_expected_answer(
    case: dict[str, Any], shared: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shared / "cosign-made")
    code, report = ask(case, capsys)
    if case["expect"] == "accept":
        assert (code, report["state"]) == (0, "verified")
        return
    assert code == 1
    expected = REASONS[case["id"]]
    subject = report["subjects"][0]
    if isinstance(expected, str):
        assert (report["state"], subject["evidence"]) == (expected, [])
        return
    for evidence in subject["evidence"]:
        assert {check["name"] for check in evidence["checks"] if check["outcome"] == "failed"} == expected


def test_each_rejection_has_its_reason() -> None:
    assert {case["id"] for case in CASES if case["expect"] == "reject"} == set(REASONS)
