"""The finding pages over a real signed image: what a person sees after one import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.store.models import Manifest

NAME = "cgr.dev/chainguard/postgres"
IDENTITY = "https://github.com/chainguard-images/images/.github/workflows/release.yaml@refs/heads/main"


@pytest.fixture
def postgres(shared: Path, db: None, capsys) -> Manifest:
    call_command("import_layout", str(shared / "chainguard-postgres" / "oci-layout"), "--as", f"{NAME}:18.4")
    capsys.readouterr()
    return Manifest.objects.get(image__name=NAME, platform="linux/arm64")


def page(client: Client, name: str, manifest: Manifest) -> str:
    response = client.get(reverse(name, args=[NAME, manifest.digest]))
    assert response.status_code == 200
    return response.content.decode()


def test_openssl_is_found_in_the_packages_built_from_it(postgres: Manifest, capsys) -> None:
    call_command("search", "openssl<3.6.4", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert {(row["name"], row["version"]) for row in answer["results"]} == {
        ("libcrypto3", "3.6.3-r3"), ("libssl3", "3.6.3-r3"),
    }  # fmt: skip
    assert {row["digest"] for row in answer["results"]} == {postgres.digest}
    # amd64 is named by the index, but its bytes are not in this layout: unknown, not no.
    assert answer["universe"]["without_verified_sbom"] == [NAME]
    assert [one["reason"] for one in answer["universe"]["not_searched"]] == ["not in this layout"]


def test_a_purl_finds_exactly_its_package(postgres: Manifest, capsys) -> None:
    call_command("search", "pkg:apk/wolfi/libssl3@3.6.3-r3", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in answer["results"]] == ["libssl3"]
    call_command("search", "libssl3", "--format", "json")
    (row,) = json.loads(capsys.readouterr().out)["results"]
    call_command("search", row["purl"], "--format", "json")
    assert json.loads(capsys.readouterr().out)["results"] == [row]


def test_an_image_does_not_differ_from_itself(postgres: Manifest, capsys) -> None:
    call_command("diff", f"{NAME}:18.4", f"{NAME}@{postgres.digest}", "--exit-code", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["from"]["digest"] == answer["to"]["digest"] == postgres.digest
    assert answer["signer"] == {"from": IDENTITY, "to": IDENTITY}


def test_the_report_names_signer_log_and_certificate(client: Client, postgres: Manifest) -> None:
    text = page(client, "verification", postgres)
    assert "The cosign claims were validated" in text
    assert "2181460833" in text
    assert "GitHub Workflow Trigger" in text
    assert f"--certificate-identity={IDENTITY}" in text


def test_provenance_and_configuration_are_readable(client: Client, postgres: Manifest) -> None:
    assert "terraform-provider-apko" in page(client, "provenance", postgres)
    text = page(client, "config", postgres)
    assert "/usr/bin/docker-entrypoint.sh postgres" in text
    assert "The image differs from its signed configuration" not in text


def test_the_downloaded_predicate_is_the_signed_one(client: Client, postgres: Manifest, shared: Path) -> None:
    evidence = postgres.evidence.get(predicate_type="https://spdx.dev/Document")
    path = reverse("attestation-bytes", args=[NAME, postgres.digest, evidence.pk, "predicate"])
    statement = json.loads((shared / "chainguard-postgres" / "spdx.statement.json").read_bytes())
    assert json.loads(client.get(path).content) == statement["predicate"]
