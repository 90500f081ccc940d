"""What is in `evidence.zip`, and that nothing in an image can write itself out of it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.oci.evidence import Kind
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import payloads
from cgexplorer.verify import cli
from tests.export.bundles import exported, unpacked, verify_sh
from tests.fakes.sigstore import GITHUB, WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, allow, attest, fetch, sign, signed_image, sigstore, spdx

pytestmark = pytest.mark.django_db


@pytest.fixture
def image() -> Manifest:
    """A platform with an index around it, both signed, the platform with an SBOM."""
    allow()
    source = MemorySource()
    digest = source.push_image()
    sign(source, digest)
    attest(source, digest, spdx("openssl@3.3.1-r0"))
    sign(source, source.push_index("latest", amd64=digest))
    fetch(source)
    return Manifest.objects.get(digest=digest)


def index_of(image: Manifest) -> Manifest:
    return Manifest.objects.get(entries__manifest=image)


def files(manifest: Manifest) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(exported(manifest))) as found:
        return {name: found.read(name) for name in found.namelist()}


def test_a_bundle_has_everything_that_its_report_speaks_of(image: Manifest) -> None:
    found, folder = files(image), f"evidence/{image.digest[7:19]}"
    assert set(found) == {
        "README.txt", "SHA256SUMS", "policy.json", "report.html", "report.json", "report.txt", "trusted_root.json",
        "verify.sh",
        f"manifests/sha256-{image.digest[7:]}.json", f"manifests/sha256-{index_of(image).digest[7:]}.json",
        f"{folder}/01-signature.annotations.json", f"{folder}/01-signature.sigstore.json",
        f"{folder}/01-signature.simplesigning.json", f"{folder}/02-spdx.annotations.json",
        f"{folder}/02-spdx.dsse.json", f"{folder}/02-spdx.sigstore.json", f"{folder}/02-spdx.spdx.json",
    }  # fmt: skip
    assert json.loads(found["report.json"])["digest"] == image.digest
    assert found["trusted_root.json"] == sigstore().trusted_root()
    assert json.loads(found["policy.json"])["policies"][0]["rules"]["identity"] == WORKFLOW


def test_stored_bytes_are_exported_unchanged(image: Manifest) -> None:
    found, folder = files(image), f"evidence/{image.digest[7:19]}"
    attestation = image.evidence.get(kind=Kind.ATTESTATION)
    assert found[f"{folder}/02-spdx.spdx.json"] == payloads.content(image.sboms.get().document)
    assert found[f"{folder}/02-spdx.dsse.json"] == payloads.content(attestation.content)
    manifest = found[f"manifests/sha256-{image.digest[7:]}.json"]
    assert hashlib.sha256(manifest).hexdigest() == image.digest[7:]


def test_the_bundle_of_an_index_holds_its_platforms(image: Manifest) -> None:
    found = files(index_of(image))
    folders = {name.split("/")[1] for name in found if name.startswith("evidence/")}
    assert folders == {image.digest[7:19], index_of(image).digest[7:19]}


def test_every_other_file_is_in_the_checksums(image: Manifest) -> None:
    found = files(image)
    sums = dict(reversed(line.split("  ")) for line in found.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def test_the_same_run_gives_the_same_bytes(image: Manifest) -> None:
    assert exported(image) == exported(Manifest.objects.get(pk=image.pk))


def test_our_own_verifier_accepts_every_exported_bundle(image: Manifest, tmp_path: Path, capsys) -> None:
    folder = unpacked(index_of(image), tmp_path / "evidence")
    signer = [f"--certificate-identity={WORKFLOW}", f"--certificate-oidc-issuer={GITHUB}"]
    bundles = sorted(folder.rglob("*.sigstore.json"))
    for bundle in bundles:
        payload = bundle.with_name(bundle.name.replace(".sigstore.", ".simplesigning."))
        subject = str(payload) if payload.exists() else image.digest
        root = f"--trusted-root={folder / 'trusted_root.json'}"
        assert cli.main(["verify-bundle", f"--bundle={bundle}", root, *signer, subject]) == 0, bundle
    assert len(bundles) == 3
    capsys.readouterr()


def test_the_page_needs_nothing_but_itself(image: Manifest) -> None:
    page = files(image)["report.html"].decode()
    assert not re.search(r"<script|<link|<img|src=|href=|url\(", page)
    assert image.digest in page


HOSTILE = "https://example.com/../../$(touch pwned)/`touch pwned`'; touch pwned; '\" --key=x/é"


@pytest.fixture
def hostile() -> Manifest:
    """An attestation whose predicate type is an attack on paths, shells and flags."""
    allow()
    source = signed_image()
    digest = source.resolve("", "latest")
    source.attach(sigstore().attestation(digest, sigstore().leaf(), HOSTILE, {"a": 1}))
    fetch(source)
    return Manifest.objects.get(digest=digest)


def test_names_in_a_bundle_are_harmless_whatever_was_signed(hostile: Manifest) -> None:
    names = list(files(hostile))
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){0,2}", name) for name in names)
    assert not any(".." in name for name in names)


def test_a_predicate_type_is_one_word_of_the_script_and_never_code(hostile: Manifest, tmp_path: Path) -> None:
    folder = unpacked(hostile, tmp_path / "evidence")
    program = tmp_path / "cosign"
    program.write_text(f'#!/bin/sh\nprintf "%s\\\\0" "$@" >> {shlex.quote(str(tmp_path / "asked"))}\n')
    program.chmod(0o755)
    answer = verify_sh(folder, str(program))
    assert answer.returncode == 0, answer.stderr
    stored = hostile.evidence.get(kind=Kind.ATTESTATION).predicate_type
    assert "touch pwned" in stored
    assert f"--type={stored}" in (tmp_path / "asked").read_text().split("\0")
    assert not list(tmp_path.rglob("pwned"))


def test_the_script_fails_for_an_image_that_is_not_verified(tmp_path: Path) -> None:
    allow("https://github.com/somebody/else")
    fetch(signed_image())
    folder = unpacked(Manifest.objects.get(), tmp_path / "evidence")
    answer = verify_sh(folder, "true")
    assert answer.returncode == 1
    assert "signer-not-allowed" in answer.stderr


def test_what_cosign_cannot_check_is_no_success(tmp_path: Path) -> None:
    allow()
    source = signed_image()
    digest = source.resolve("", "latest")
    source.attach(sigstore().attestation(digest, sigstore().leaf(), predicate=spdx("openssl@1"), kind="intoto_001"))
    fetch(source)
    answer = verify_sh(unpacked(Manifest.objects.get(digest=digest), tmp_path / "evidence"), "true")
    assert answer.returncode == 3, answer.stderr
    assert "NOT CHECKED: " in answer.stderr


def test_the_script_says_when_cosign_is_not_there(image: Manifest, tmp_path: Path) -> None:
    assert verify_sh(unpacked(image, tmp_path / "evidence"), "/nowhere/cosign").returncode == 3


def test_the_script_is_plain_shell(image: Manifest, tmp_path: Path) -> None:
    folder = unpacked(image, tmp_path / "evidence")
    subprocess.run(["/bin/sh", "-n", str(folder / "verify.sh")], check=True)


def test_any_altered_file_is_noticed(image: Manifest, tmp_path: Path) -> None:
    folder = unpacked(image, tmp_path / "evidence")
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        original = path.read_bytes()
        path.write_bytes(original + b"\n")
        assert verify_sh(folder, "true").returncode == 1, path
        path.write_bytes(original)
    assert verify_sh(folder, "true").returncode == 0


def test_the_page_of_a_digest_offers_its_evidence(image: Manifest, client: Client) -> None:
    address = reverse("evidence-zip", args=[NAME, image.digest])
    for name in ("digest", "verification"):
        assert address in client.get(reverse(name, args=[NAME, image.digest])).content.decode()
    answer = client.get(address)
    assert answer["Content-Type"] == "application/zip"
    assert b"".join(answer.streaming_content) == exported(image)


def test_the_command_writes_the_same_file(image: Manifest, tmp_path: Path, capsys) -> None:
    target = tmp_path / "evidence.zip"
    call_command("export_evidence", f"{NAME}@{image.digest}", "--output", str(target))
    assert target.read_bytes() == exported(image)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert image.digest in capsys.readouterr().out


def test_the_command_leaves_no_half_file_behind(image: Manifest, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("cgexplorer.export.archive.MAX_TOTAL_BYTES", 1000)
    with pytest.raises(CommandError, match="export its platforms"):
        call_command("export_evidence", f"{NAME}@{image.digest}", "--output", str(tmp_path / "evidence.zip"))
    assert list(tmp_path.iterdir()) == []
