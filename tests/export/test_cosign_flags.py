"""What cosign is told of a policy."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cgexplorer.export.cosign import cannot_verify, how
from cgexplorer.store.models import PolicyRow


@pytest.mark.parametrize(
    ("curve", "flags"),
    [(ec.SECP256R1(), []), (ec.SECP384R1(), ["--signature-digest-algorithm=sha384"])],
    ids=["P-256", "P-384"],
)
def test_cosign_is_told_the_hash_of_a_key_that_does_not_sign_with_sha256(
    curve: ec.EllipticCurve, flags: list[str]
) -> None:
    key = ec.generate_private_key(curve).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert how(PolicyRow(name="key", version=1, key_pem=pem)) == flags


def test_cosign_is_not_asked_about_ed25519_keys_which_it_signs_with_and_never_verifies() -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    policy = PolicyRow(name="key", version=1, key_pem=pem)
    fingerprint = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    assert cannot_verify(policy, f"key sha256:{fingerprint}")
    assert not cannot_verify(policy, "key sha256:another")
