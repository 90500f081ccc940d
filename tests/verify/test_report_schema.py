"""The JSON Schema of the report: the published file is what the code writes, and real reports meet it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cgexplorer.verify import cli, report_schema
from tests.conftest import SHARED
from tests.fakes.sigstore import GITHUB, WORKFLOW
from tests.verify.world import ALICE, DIGEST, SIGSTORE

FILE = Path(__file__).parents[2] / "docs" / "verification-report.schema.json"
MADE = SHARED / "cosign-made"
CASES: list[dict[str, Any]] = json.loads((MADE / "cases.json").read_bytes()) if MADE.is_dir() else []


def valid(report: Any) -> None:
    jsonschema.validate(report, json.loads(FILE.read_bytes()), jsonschema.Draft202012Validator)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The report that the command prints, whatever its verdict."""
    assert cli.main([*arguments, "--output", "json"]) in (0, 1, 3)
    return json.loads(capsys.readouterr().out)


def test_the_published_schema_is_that_of_the_code() -> None:
    assert FILE.read_text() == report_schema.to_json(), "python -m cgexplorer.verify.report_schema > docs/…"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(FILE.read_bytes()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_every_report_on_what_cosign_made_meets_the_schema(
    case: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(MADE)
    arguments = [*case["args"], "--trusted-root", case["trusted_root"], "--layout", ".", case["digest"]]
    valid(answer(capsys, case["kind"], *arguments))


@pytest.fixture
def good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    (tmp_path / "root.json").write_bytes(SIGSTORE.trusted_root())
    (tmp_path / "bundle.json").write_text(json.dumps(SIGSTORE.bundle(DIGEST, ALICE, artifact=b"artifact")))
    (tmp_path / "artifact").write_bytes(b"artifact")
    flags = ["--certificate-identity", WORKFLOW, "--certificate-oidc-issuer", GITHUB]
    root = ["--trusted-root", str(tmp_path / "root.json")]
    return answer(
        capsys, "verify-bundle", *flags, *root, "--bundle", str(tmp_path / "bundle.json"), str(tmp_path / "artifact")
    )


def test_the_report_on_a_lone_bundle_meets_the_schema(good: Any) -> None:
    assert good["state"] == "verified"
    valid(good)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), "cgexplorer.verification/2"),
        (("state",), "fine"),
        (("digest",), "sha256:abc"),
        (("subjects", 0, "evidence", 0, "checks", 0, "outcome"), "skipped"),
        (("subjects", 0, "evidence", 0, "signed_at"), 1784189281),
        (("subjects", 0, "tools"), None),
    ],
)
def test_a_report_with_another_value_does_not_meet_the_schema(good: Any, place: tuple[Any, ...], value: Any) -> None:
    other = copy.deepcopy(good)
    within = other
    for step in place[:-1]:
        within = within[step]
    assert place[-1] in within if isinstance(within, dict) else True
    within[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        valid(other)


def test_a_report_without_one_of_its_fields_does_not_meet_the_schema(good: Any) -> None:
    del good["subjects"][0]["evidence"][0]["tried"]
    with pytest.raises(jsonschema.ValidationError, match="'tried' is a required property"):
        valid(good)


def test_a_further_field_is_allowed(good: Any) -> None:
    valid(good | {"later": True})
