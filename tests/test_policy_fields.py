"""Every field of a policy, from the command that sets it to the verdict: what violates it is rejected."""

from __future__ import annotations

import io
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
    source.attach(make(source.push_image("latest")))
    fetch(source)
    checks = VerdictRow.objects.latest("pk").checks
    return Manifest.objects.get().state, [one["name"] for one in checks if one["outcome"] == "failed"]


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
    assert "timestamp" in failed


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
