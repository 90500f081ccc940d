"""The stand-alone verifier: cosign's flags, four exit codes, two outputs, no web framework."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cgexplorer.oci import digest as digests
from cgexplorer.oci.evidence import Form
from cgexplorer.verify import flags, trust_root
from cgexplorer.verify.cli import main
from cgexplorer.verify.signer import is_anchored
from tests.fakes.registry import FakeRegistry
from tests.fakes.registry import Fault as RegistryFault
from tests.fakes.sigstore import GITHUB, SPDX, WORKFLOW
from tests.verify.world import ALICE, DIGEST, KEY, SIGSTORE, STRANGER

SIGNER = ["--certificate-identity", WORKFLOW, "--certificate-oidc-issuer", GITHUB]
ARTIFACT = b"an artifact"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an artifact, its bundle, a key and trusted roots; also the working directory."""
    (tmp_path / "root.json").write_bytes(SIGSTORE.trusted_root())
    (tmp_path / "other-root.json").write_bytes(STRANGER.trusted_root())
    (tmp_path / "artifact").write_bytes(ARTIFACT)
    (tmp_path / "key.pub").write_text(KEY.public_pem)
    for name, signer in (("bundle", ALICE), ("key-bundle", KEY)):
        (tmp_path / f"{name}.json").write_text(json.dumps(SIGSTORE.bundle(DIGEST, signer, artifact=ARTIFACT)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bundle(*more: str, name: str = "bundle.json", subject: str = "artifact", root: str = "root.json") -> int:
    return main(["verify-bundle", "--bundle", name, "--trusted-root", root, *more, subject])


def test_a_bundle_over_a_file_or_its_digest_verifies(files: Path) -> None:
    digest = digests.of(ARTIFACT)
    assert bundle(*SIGNER) == 0
    assert bundle(*SIGNER, subject=digest) == 0
    assert bundle("--key", "key.pub", name="key-bundle.json") == 0
    assert bundle("--key", "key.pub", name="key-bundle.json", subject=digest) == 0


def test_a_file_may_have_a_name_that_looks_like_a_digest(files: Path) -> None:
    name = "sha256:" + "00" * 32
    assert bundle(*SIGNER, subject=name) == 1
    (files / name).write_bytes(ARTIFACT)
    assert bundle(*SIGNER, subject=name) == 0


def test_what_does_not_meet_the_flags_exits_with_1(files: Path) -> None:
    (files / "artifact2").write_bytes(b"another artifact")
    assert bundle(*SIGNER, subject="artifact2") == 1
    assert bundle(*SIGNER, subject="sha256:" + "00" * 32) == 1
    assert bundle(*SIGNER, root="other-root.json") == 1
    assert bundle("--key", "key.pub") == 1
    assert bundle("--certificate-identity", "x@example.test", "--certificate-oidc-issuer", GITHUB) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["verify"],
        ["verify-bundle", "--bundle", "bundle.json", "artifact"],
        ["verify-bundle", *SIGNER, "artifact"],
        ["verify-bundle", "--bundle", "missing.json", *SIGNER, "artifact"],
        ["verify-bundle", "--bundle", "bundle.json", *SIGNER, "missing"],
        ["verify-bundle", "--bundle", "bundle.json", "--certificate-identity", WORKFLOW, "artifact"],
        [
            "verify-bundle",
            "--bundle",
            "bundle.json",
            "--certificate-identity-regexp",
            "(",
            "--certificate-oidc-issuer",
            "x",
            "a",
        ],
        ["verify-bundle", "--bundle", "bundle.json", "--key", "artifact", "artifact"],
        ["verify-bundle", "--bundle", "bundle.json", "--key", "key.pub", *SIGNER, "artifact"],
        ["verify", *SIGNER, "--offline=perhaps", "image"],
        ["verify", *SIGNER, "--check-claims=false", "image"],
        ["verify", *SIGNER, "-a", "novalue", "image"],
        ["verify", *SIGNER, "UPPER/case"],
        ["verify-attestation", *SIGNER, "--type", "sbom", "image"],
        ["verify", *SIGNER, "--certificate-ident", "abbreviated", "image"],
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(
    arguments: list[str], files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert printed.err


def test_staging_uses_the_shipped_staging_root(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["verify-bundle", "--staging", "--bundle", "bundle.json", *SIGNER, "-o", "json", "artifact"]
    assert main(asked) == 1
    evidence = json.loads(capsys.readouterr().out)["subjects"][0]["evidence"][0]
    assert evidence["trusted_root_sha256"] == trust_root.STAGING_SHA256
    assert "log-entry" in {check["name"] for check in evidence["checks"] if check["outcome"] == "failed"}


def test_what_cannot_be_read_exits_with_3(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle(*SIGNER, root="artifact") == 3
    assert main(["verify", "--layout", str(files), *SIGNER, DIGEST]) == 3
    assert capsys.readouterr().err.count("error: ") == 2


def test_the_text_begins_with_cosigns_sentences(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = str(shared / "chainguard-postgres/oci-layout")
    signer = ["--certificate-oidc-issuer", GITHUB, "--certificate-identity", WORKFLOW]
    assert main(["verify-attestation", "--layout", layout, "--type", "spdxjson", *signer, "arm64"]) == 0
    assert capsys.readouterr().out.splitlines()[:5] == [
        "Verification for arm64 --",
        "The following checks were performed on each of these signatures:",
        "  - The cosign claims were validated",
        "  - Existence of the claims in the transparency log was verified offline",
        "  - The code-signing certificate was verified using trusted certificate authority certificates",
    ]


def test_the_json_report_has_the_documented_shape(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = str(shared / "chainguard-postgres/oci-layout")
    asked = ["verify-attestation", "--layout", layout, "--type", SPDX, *SIGNER, "--output", "json", "arm64"]
    assert main(asked) == 0
    report = json.loads(capsys.readouterr().out)
    assert next(iter(report)) == "schema"
    assert report["schema"] == "cgexplorer.verification/1"
    assert report["state"] == "verified"
    (subject,) = report["subjects"]
    assert subject["platform"] == "linux/arm64"
    (evidence,) = subject["evidence"]
    assert evidence["log_index"] == 2181460833
    assert evidence["signed_at"] == "2026-07-16T08:08:01Z"
    assert evidence["policy"] == {"name": "flags", "version": 1}
    assert evidence["checks"][0].keys() == {"name", "outcome", "expected", "found"}


def test_an_index_has_no_platform(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = str(shared / "chainguard-postgres/oci-layout")
    assert main(["verify", "--layout", layout, *SIGNER, "-o", "json", "latest"]) == 0
    assert json.loads(capsys.readouterr().out)["subjects"][0]["platform"] is None


def test_a_layout_without_the_image_cannot_be_checked(shared: Path) -> None:
    amd64 = "sha256:" + "12" * 32
    assert main(["verify", "--layout", str(shared / "chainguard-postgres/oci-layout"), *SIGNER, amd64]) == 3


def test_a_registry_that_refuses_cannot_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeRegistry() as registry:
        registry.push_image("app", "1.0")
        registry.fault = RegistryFault.FORBIDDEN
        asked = ["verify", "--allow-http-registry", *SIGNER, f"{registry.host}/app:1.0"]
        assert main(asked) == 3
    assert capsys.readouterr().err.startswith("error: ")


def test_a_registry_in_ones_own_network_may_have_a_private_address_and_is_asked_by_https(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgexplorer.oci.patience.Patience.wait", lambda *_: None)
    with FakeRegistry() as registry:
        assert main(["verify", *SIGNER, f"{registry.host}/app:1.0"]) == 3
    assert "No connection" in capsys.readouterr().err  # and not that its address is refused: it speaks no TLS


def test_signatures_that_cannot_be_read_are_not_called_absent(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeRegistry() as registry:
        digest = registry.push_image("app", "1.0")
        registry.fault, registry.fault_at = RegistryFault.FORBIDDEN, "sha256-"
        asked = ["verify", "--allow-http-registry", *SIGNER, f"{registry.host}/app@{digest}"]
        assert main(asked) == 3
    assert "could-not-check" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pattern", "anchored"),
    [
        (r"^a$", True),
        (r"\Aa\z", True),
        (r"^a\\$", True),
        (r"^a\$", False),
        (r"^a\\z", False),
        (r"a$", False),
        (r"^a", False),
        (r"^a$|b", False),
    ],
)
def test_a_pattern_is_anchored_only_where_its_signs_mean_ends(pattern: str, anchored: bool) -> None:
    assert is_anchored(pattern) is anchored


def test_an_unanchored_pattern_is_warned_about(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loose = ["--certificate-oidc-issuer", GITHUB, "--certificate-identity-regexp"]
    assert bundle(*loose, "chainguard-images") == 0
    assert "searched anywhere" in capsys.readouterr().err
    assert bundle(*loose, "^https://github\\.com/chainguard-images/.+$") == 0
    assert capsys.readouterr().err == ""


def test_switches_take_no_word_but_may_take_a_value(files: Path) -> None:
    assert bundle(*SIGNER, "--offline", "--insecure-ignore-sct", "--insecure-ignore-tlog=false") == 0


def test_cosigns_short_type_names_mean_what_they_mean_to_cosign() -> None:
    assert flags.predicate_type("slsaprovenance1") == "https://slsa.dev/provenance/v1"
    assert flags.predicate_type("spdxjson") == flags.predicate_type("spdx") == SPDX
    assert flags.predicate_type("https://apko.dev/image-configuration") == "https://apko.dev/image-configuration"


def test_the_verifier_needs_neither_web_framework_nor_database() -> None:
    script = (
        "import sys; from cgexplorer.verify.cli import main; main(['--help']); "
        "sys.exit(bool({'django', 'psycopg', 'procrastinate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


def test_it_runs_as_a_module(files: Path) -> None:
    command = [sys.executable, "-m", "cgexplorer.verify", "verify-bundle", "--bundle", "bundle.json"]
    project = str(Path(__file__).parents[2])
    asked = [*command, "--trusted-root", "root.json", *SIGNER, "artifact"]
    done = subprocess.run(asked, capture_output=True, check=False, timeout=60, env={"PYTHONPATH": project})
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.startswith(b"Verification for artifact --\n")


def test_signed_timestamps_are_required_of_bundles_by_who_asks_for_them(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bundle(*SIGNER, "--use-signed-timestamps=false") == 0
    assert bundle(*SIGNER, "--use-signed-timestamps") == 1
    assert "✗ timestamp" in capsys.readouterr().out
    with_time = SIGSTORE.bundle(DIGEST, ALICE, artifact=ARTIFACT, timestamp=True)
    (files / "timestamped.json").write_text(json.dumps(with_time))
    assert bundle(*SIGNER, "--use-signed-timestamps", name="timestamped.json") == 0
    rules = flags.policy(flags.parser().parse_args(["verify", *SIGNER, "--use-signed-timestamps", "true", "x"]))
    assert flags.policy_for(Form.BUNDLE, rules).require_timestamp
    assert not flags.policy_for(Form.LEGACY, rules).require_timestamp
