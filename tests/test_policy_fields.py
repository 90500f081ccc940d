"""Every field of a policy, from the command that sets it to the verdict: what violates it is rejected."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.oci.evidence import Evidence
from cgexplorer.store.models import Manifest, PolicyRow, VerdictRow
from tests.fakes.sigstore import GITHUB, WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import fetch, signed_image, sigstore

pytestmark = pytest.mark.django_db
KEYLESS = ("--issuer", GITHUB, "--identity", WORKFLOW)


@pytest.fixture
def add_policy(tmp_path: Path) -> Callable[..., PolicyRow]:
    root = tmp_path / "trusted_root.json"
    root.write_bytes(sigstore().trusted_root())

    def add(*flags: str) -> PolicyRow:
        call_command("add_policy", "--name", "ours", "--match", "registry.example/*", "--trusted-root", str(root),
                     *flags, stdout=io.StringIO())  # fmt: skip
        return PolicyRow.objects.get(name="ours", current=True)

    return add


def keyless(digest: str) -> Evidence:
    return sigstore().signature(digest, sigstore().leaf(), optional={"env": "prod"})


def only_timestamped(digest: str) -> Evidence:
    return sigstore().signature(digest, sigstore().leaf(), log=False, timestamp=True)


def by_key(digest: str) -> Evidence:
    return sigstore().signature(digest, sigstore().keypair())


def verdict(make: Callable[[str], Evidence]) -> tuple[str, list[str]]:
    """State of the image, and the checks that failed."""
    source = MemorySource()
    digest = source.push_image("latest")
    source.attach(make(digest))
    fetch(source)
    run = Manifest.objects.get(digest=digest).runs.latest("pk")
    checks = VerdictRow.objects.filter(run=run).latest("pk").checks
    return run.state, [one["name"] for one in checks if one["outcome"] == "failed"]


FIELDS = [
    ("--workflow-trigger", "schedule", "push", "workflow"),
    ("--workflow-sha", "a" * 40, "b" * 40, "workflow"),
    ("--workflow-name", ".github/workflows/release.yaml", "other", "workflow"),
    ("--workflow-repository", "chainguard-images/images", "mallory/images", "workflow"),
    ("--workflow-ref", "refs/heads/main", "refs/heads/fork", "workflow"),
    ("--annotation", "env=prod", "env=test", "annotations"),
]


@pytest.mark.parametrize(("flag", "value", "other", "check"), FIELDS)
def test_what_the_policy_asks_for_and_the_signature_has_is_verified(
    add_policy: Callable[..., PolicyRow], flag: str, value: str, other: str, check: str
) -> None:
    add_policy(*KEYLESS, flag, value)
    assert verdict(keyless) == ("verified", [])


@pytest.mark.parametrize(("flag", "value", "other", "check"), FIELDS)
def test_what_violates_the_policy_is_rejected_by_the_check_for_it(
    add_policy: Callable[..., PolicyRow], flag: str, value: str, other: str, check: str
) -> None:
    add_policy(*KEYLESS, flag, other)
    state, failed = verdict(keyless)
    assert state in ("invalid", "signer-not-allowed")
    assert failed == [check]


def test_a_time_that_only_a_timestamp_authority_vouches_for_counts_unless_the_policy_says_no(
    add_policy: Callable[..., PolicyRow],
) -> None:
    add_policy(*KEYLESS, "--no-log")
    assert verdict(only_timestamped) == ("verified", [])
    add_policy(*KEYLESS, "--no-log", "--no-signed-timestamps")
    state, failed = verdict(only_timestamped)
    assert state != "verified"
    assert failed == ["certificate-chain"]  # it ended before it was checked


def test_a_key_that_signs_with_another_hash_than_the_policy_says_is_rejected(
    add_policy: Callable[..., PolicyRow], tmp_path: Path
) -> None:
    key = tmp_path / "cosign.pub"
    key.write_text(sigstore().keypair().public_pem)
    add_policy("--key", str(key), "--key-digest", "sha256")
    assert verdict(by_key) == ("verified", [])
    add_policy("--key", str(key), "--key-digest", "sha384")
    state, failed = verdict(by_key)
    assert state == "invalid"
    assert "signature" in failed


def test_any_of_several_keys_may_sign_and_the_commands_name_the_one_that_did(
    add_policy: Callable[..., PolicyRow], client: Client, tmp_path: Path
) -> None:
    flags, one = [], sigstore()
    for number, signer in enumerate((one.keypair(seed="other"), one.keypair())):
        (tmp_path / f"{number}.pub").write_text(signer.public_pem.strip())
        flags += ["--key", str(tmp_path / f"{number}.pub")]
    add_policy(*flags)
    assert verdict(by_key) == ("verified", [])
    manifest = Manifest.objects.get()
    fingerprint = VerdictRow.objects.latest("pk").identity.removeprefix("key sha256:")
    page = client.get(reverse("verification", args=[manifest.image.name, manifest.digest])).content.decode()
    assert f"--key=cosign-{fingerprint[:8]}.pub" in page
    assert "any of which may sign" in page
    archive = zipfile.ZipFile(
        io.BytesIO(
            b"".join(client.get(reverse("evidence-zip", args=[manifest.image.name, manifest.digest])).streaming_content)
        )
    )  # type: ignore[attr-defined]
    names = {name.rpartition("/")[2]: archive.read(name).decode() for name in archive.namelist()}
    assert {names["cosign.pub"], names["cosign-2.pub"]} == {
        one.keypair(seed="other").public_pem,
        one.keypair().public_pem,
    }
    signed_with = next(name for name in ("cosign.pub", "cosign-2.pub") if names[name] == one.keypair().public_pem)
    assert f"--key={signed_with}" in names["verify.sh"].replace(" ", "=").replace("'", "")
    add_policy(*flags, "--threshold", "2")
    assert verdict(by_key) == ("signer-not-allowed", ["threshold"])


def test_a_policy_that_requires_a_timestamp_rejects_a_signature_that_only_the_log_dates(
    add_policy: Callable[..., PolicyRow],
) -> None:
    add_policy(*KEYLESS, "--require-timestamp", "--no-log")
    assert verdict(only_timestamped) == ("verified", [])
    assert verdict(keyless) == ("invalid", ["timestamp"])


@pytest.mark.parametrize(
    ("period", "allowed"),
    [
        (("--not-before", "2026-07-01", "--not-after", "2026-08-01T00:00:00Z"), True),
        (("--not-before", "2026-07-31T14:00:00+02:00"), True),  # the moment before the signature, in another zone
        (("--not-before", "2026-08-01"), False),
        (("--not-after", "2026-07-31T12:00:00"), False),
    ],
)
def test_a_key_signs_only_within_the_period_that_the_policy_names(
    add_policy: Callable[..., PolicyRow], tmp_path: Path, period: tuple[str, ...], allowed: bool
) -> None:
    key = tmp_path / "cosign.pub"
    key.write_text(sigstore().keypair().public_pem)
    add_policy("--key", str(key), *period)
    assert verdict(by_key) == (("verified", []) if allowed else ("signer-not-allowed", ["key-period"]))


def test_a_period_is_shown_and_one_that_is_no_time_or_has_no_key_is_refused(
    add_policy: Callable[..., PolicyRow], tmp_path: Path, client: Client
) -> None:
    key = tmp_path / "cosign.pub"
    key.write_text(sigstore().keypair().public_pem)
    add_policy("--key", str(key), "--not-before", "2026-07-01", "--not-after", "2026-08-01", "--require-timestamp")
    page = client.get(reverse("policies")).content.decode()
    assert "Key may sign" in page
    assert "an RFC 3161 timestamp" in page
    for flags in (
        ("--key", str(key), "--not-after", "soon"),
        ("--key", str(key), "--not-after", "0001-01-01T00:00:00+14:00"),
        (*KEYLESS, "--not-after", "2026-07-01"),
        (*KEYLESS, "--require-timestamp", "--no-signed-timestamps"),
    ):
        with pytest.raises(CommandError):
            add_policy(*flags)


def test_without_a_log_a_certificate_must_be_valid_when_it_is_checked(add_policy: Callable[..., PolicyRow]) -> None:
    add_policy(*KEYLESS, "--no-log")
    for minutes, expected in ((10, ("invalid", ["certificate-chain"])), (525_600, ("verified", []))):
        signer = sigstore().leaf(minutes=minutes)
        assert verdict(lambda digest, signer=signer: sigstore().signature(digest, signer, log=False)) == expected  # type: ignore[misc]


def test_the_commands_ask_cosign_for_a_timestamp_too(add_policy: Callable[..., PolicyRow], client: Client) -> None:
    add_policy(*KEYLESS, "--require-timestamp", "--no-log")
    assert verdict(only_timestamped)[0] == "verified"
    manifest = Manifest.objects.get()
    page = client.get(reverse("verification", args=[manifest.image.name, manifest.digest])).content.decode()
    assert "--insecure-ignore-tlog" in page
    assert "--use-signed-timestamps" in page


def test_a_certificate_outside_the_certificate_logs_is_accepted_only_where_the_policy_waives_it(
    add_policy: Callable[..., PolicyRow],
) -> None:
    assert not add_policy(*KEYLESS, "--no-sct").require_sct
    assert add_policy(*KEYLESS).require_sct


def test_every_field_makes_a_new_version_and_is_shown(add_policy: Callable[..., PolicyRow], client: Client) -> None:
    add_policy(*KEYLESS)
    flags = [part for flag, value, _, _ in FIELDS for part in (flag, value)]
    row = add_policy(*KEYLESS, *flags, "--no-signed-timestamps")
    assert row.version == 2
    assert add_policy(*KEYLESS, *flags, "--no-signed-timestamps").version == 2
    page = client.get(reverse("policies")).content.decode()
    for _, value, _, _ in FIELDS:
        assert f"<code>{value}</code>" in page
    assert "timestamp authorities are not believed" in page


def test_annotations_are_asked_of_the_image_signature_and_not_of_attestations(
    add_policy: Callable[..., PolicyRow],
) -> None:
    add_policy(*KEYLESS, "--annotation", "env=prod")
    source = signed_image()
    digest = source.tagged["latest"]
    del source.tagged[digest.replace(":", "-") + ".sig"]
    source.attach(keyless(digest))
    fetch(source)
    assert set(VerdictRow.objects.values_list("evidence__kind", "state")) == {
        ("signature", "verified"),
        ("attestation", "verified"),
    }


def test_the_commands_of_the_page_ask_for_the_same(add_policy: Callable[..., PolicyRow], client: Client) -> None:
    add_policy(*KEYLESS, "--annotation", "env=prod", "--workflow-ref", "refs/heads/main")
    assert verdict(keyless)[0] == "verified"
    manifest = Manifest.objects.get()
    page = client.get(reverse("verification", args=[manifest.image.name, manifest.digest])).content.decode()
    assert "--annotations=env=prod" in page
    assert "--certificate-github-workflow-ref=refs/heads/main" in page


def test_the_commands_name_the_hash_of_the_key(
    add_policy: Callable[..., PolicyRow], client: Client, tmp_path: Path
) -> None:
    key = tmp_path / "cosign.pub"
    key.write_text(sigstore().keypair().public_pem)
    add_policy("--key", str(key), "--key-digest", "sha256")
    assert verdict(by_key)[0] == "verified"
    manifest = Manifest.objects.get()
    page = client.get(reverse("verification", args=[manifest.image.name, manifest.digest])).content.decode()
    assert "--signature-digest-algorithm=sha256" in page


def test_an_annotation_without_a_value_is_refused(add_policy: Callable[..., PolicyRow]) -> None:
    with pytest.raises(CommandError, match="not KEY=VALUE"):
        add_policy(*KEYLESS, "--annotation", "env")
