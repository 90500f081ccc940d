"""Everybody who signs: people, a machine and a workflow with certificates, and keys of every kind."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from scripts.interop import authorities, toolchain
from scripts.interop.issuer import CI, EMAIL, OTHER_EMAIL, URI
from scripts.interop.sigstore_stack import SITE

SHA = "0123456789abcdef0123456789abcdef01234567"
BUILDER = "acme/shared/.github/workflows/release.yaml@refs/tags/v1"
_CI_CLAIMS: dict[str, object] = {
    "sub": "repo:acme/app:ref:refs/heads/main",
    "event_name": "push",
    "sha": SHA,
    "workflow": "Release",
    "repository": "acme/app",
    "ref": "refs/heads/main",
    "job_workflow_ref": BUILDER,
    "job_workflow_sha": SHA[::-1],
    "runner_environment": "github-hosted",
    "repository_id": "1001",
    "repository_owner": "acme",
    "repository_owner_id": "2002",
    "workflow_ref": "acme/app/.github/workflows/build.yaml@refs/heads/main",
    "workflow_sha": SHA,
    "run_id": "77",
    "run_attempt": "1",
    "repository_visibility": "public",
}


@dataclass(frozen=True)
class Person:
    """Somebody with an OIDC token. `identity` is what Fulcio writes into the certificate."""

    issuer: str
    identity: str
    claims: dict[str, object] = field(default_factory=dict, hash=False)


def _email(issuer: str, address: str) -> Person:
    return Person(issuer, address, {"sub": address, "email": address, "email_verified": True})


PEOPLE = {
    "alice": _email(EMAIL, "alice@example.test"),
    "mallory": _email(EMAIL, "mallory@example.test"),
    "alice-elsewhere": _email(OTHER_EMAIL, "alice@example.test"),
    "robot": Person(URI, f"{URI}/builder/1", {"sub": f"{URI}/builder/1"}),
    "workflow": Person(CI, f"{SITE}/{BUILDER}", _CI_CLAIMS),
}
KEYS = ("p256", "p256-other", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519")


def is_key(name: str) -> bool:
    return name in KEYS


def make_keys(folder: Path) -> None:
    """Key pairs as cosign keeps them: `NAME.key`, without password, and `NAME.pub`."""
    folder.mkdir()
    for name in KEYS:
        authorities.write_key(folder / f"{name}.pem", _generate(name))
        subprocess.run(
            [
                toolchain.find("cosign", 3), "import-key-pair", "-y", f"--key={folder / name}.pem",
                f"--output-key-prefix={folder / name}",
            ],
            env={**os.environ, "COSIGN_PASSWORD": ""},
            capture_output=True,
            check=True,
        )  # fmt: skip


def _generate(name: str) -> PrivateKeyTypes:
    if name.startswith("rsa"):
        return rsa.generate_private_key(65537, int(name.removeprefix("rsa")))
    if name == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[name.partition("-")[0]])
