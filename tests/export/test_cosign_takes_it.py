"""`verify.sh` with stock cosign 3, over every form that cosign makes and over a real image."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import call_command

from cgexplorer.oci.layout import Layout
from cgexplorer.store.models import Manifest
from cgexplorer.store.record.policies import PolicyFields, policy
from cgexplorer.store.record.trust_roots import trust_root
from tests.conftest import SHARED
from tests.export.bundles import cosign, unpacked, verify_sh
from tests.fakes.sigstore import keys
from tests.fakes.source import MemorySource
from tests.ingesting import NOW, fetch, sigstore

AFTERWARDS = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)

pytestmark = pytest.mark.django_db
CASES: list[dict[str, Any]] = (
    json.loads((SHARED / "cosign-made/cases.json").read_bytes()) if (SHARED / "cosign-made").is_dir() else []
)


def accepted() -> list[dict[str, Any]]:
    """One case a repository: what differs only in flags is the same evidence."""
    return list({case["repo"]: case for case in reversed(CASES) if case["expect"] == "accept"}.values())


def stored(case: dict[str, Any]) -> Manifest:
    """The image of this case, judged by the policy that its flags describe."""
    folder = SHARED / "cosign-made"
    flags = dict(zip(case["args"][::2], case["args"][1::2], strict=False))
    root = trust_root((folder / case["trusted_root"]).read_bytes(), "private")
    key = flags.get("--key")
    fields = PolicyFields(
        pattern="registry.example/*",
        issuer=flags.get("--certificate-oidc-issuer", ""),
        identity=flags.get("--certificate-identity", ""),
        identity_regexp=flags.get("--certificate-identity-regexp", ""),
        key_pem=(folder / key).read_text() if key else "",
        require_log=not any("ignore-tlog" in word for word in case["args"]),
    )
    policy("private", fields, root)
    with Layout(folder) as layout:
        fetch(layout, f"registry.example/{case['repo']}@{case['digest']}", now=AFTERWARDS)
    return Manifest.objects.get(digest=case["digest"])


@pytest.mark.parametrize("case", accepted(), ids=lambda case: case["id"])
def test_cosign_verifies_what_cosign_made(case: dict[str, Any], tmp_path: Path) -> None:
    answer = verify_sh(unpacked(stored(case), tmp_path / "evidence"), cosign())
    assert (answer.returncode, "Verified: " in answer.stdout) == (0, True), answer.stderr


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_cosign_verifies_what_a_key_signed_with_the_hash_of_its_policy(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    """The throwaway Sigstore signs with SHA-256 on every curve; cosign takes that of P-384 only when it is told."""
    signer = sigstore().keypair(keys.ecdsa_key("of a policy", curve))
    root = trust_root(sigstore().trusted_root(), "throwaway", now=NOW)
    policy("key", PolicyFields(pattern="registry.example/*", key_pem=signer.public_pem, key_digest="sha256"), root)
    source = MemorySource()
    digest = source.push_image("latest")
    source.attach(sigstore().signature(digest, signer))
    source.attach(sigstore().attestation(digest, signer, kind="dsse_001"))
    fetch(source)
    folder = unpacked(Manifest.objects.get(digest=digest), tmp_path / "evidence")
    assert (folder / "verify.sh").read_text().count("--signature-digest-algorithm=sha256") == 2
    answer = verify_sh(folder, cosign())
    assert (answer.returncode, answer.stdout.count("Verified: ")) == (0, 2), answer.stderr


@pytest.fixture
def postgres(shared: Path, tmp_path: Path) -> Path:
    """The unpacked evidence of a real image."""
    layout = str(shared / "chainguard-postgres" / "oci-layout")
    call_command("import_layout", layout, "--as", "cgr.dev/chainguard/postgres:18.4")
    return unpacked(Manifest.objects.get(is_index=True), tmp_path / "evidence")


def test_cosign_verifies_a_real_image(postgres: Path) -> None:
    answer = verify_sh(postgres, cosign())
    assert (answer.returncode, answer.stdout.count("Verified: ")) == (0, 5), answer.stderr


def test_new_checksums_do_not_hide_an_altered_file(postgres: Path) -> None:
    program, sums = cosign(), postgres / "SHA256SUMS"
    names = [line.partition("  ")[2] for line in sums.read_text().splitlines()]
    for name, genuine, forged in (
        ("02-spdx.spdx.json", b"SPDXRef", b"SPDXRed"),
        ("01-signature.simplesigning.json", b"cgr.dev", b"cgr.dex"),
        ("02-spdx.dsse.json", b'"payload":"', b'"payload":"AAAA'),
        ("02-spdx.sigstore.json", b'"payload":"', b'"payload":"AAAA'),
        ("trusted_root.json", b'"rawBytes": "M', b'"rawBytes": "A'),
        (".json", b'"schemaVersion"', b'"schemaVersiom"'),
    ):
        altered = [path for path in postgres.rglob("*") if path.name.endswith(name) and genuine in path.read_bytes()]
        kept = {path: path.read_bytes() for path in [*altered, sums]}
        for path in altered:
            path.write_bytes(kept[path].replace(genuine, forged, 1))
        rows = [f"{hashlib.sha256((postgres / one).read_bytes()).hexdigest()}  {one}\n" for one in names]
        sums.write_text("".join(rows))
        answer = verify_sh(postgres, program)
        assert (bool(altered), answer.returncode) == (True, 1), name
        assert "SHA256SUMS" not in answer.stderr
        for path, content in kept.items():
            path.write_bytes(content)
