"""Which keys can sign, and with which hash."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from cgexplorer.oci.evidence import Kind
from cgexplorer.verify import ed25519ph, keys
from cgexplorer.verify.errors import UnusableKey
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import State
from tests.fakes.sigstore import der, evidence_of, pae, rekor
from tests.fakes.sigstore.keys import PrivateKey, Signer, b64, ecdsa_key, ed25519_key, sign
from tests.verify.world import DIGEST, NOW, SIGNED_ON, SIGSTORE, VERIFIER, Case, failed, noted

RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519_key("ed")
MESSAGE = b"what was signed"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ecdsa_key("p256"), hashes.SHA256()),
        (ecdsa_key("p384", ec.SECP384R1()), hashes.SHA384()),
        (ecdsa_key("p384", ec.SECP384R1()), hashes.SHA256()),  # cosign's classic form
        (ecdsa_key("p521", ec.SECP521R1()), hashes.SHA512()),
        (ecdsa_key("p521", ec.SECP521R1()), hashes.SHA256()),
        (RSA, hashes.SHA256()),
        (ed25519_key("ed"), None),
    ],
    ids=["P-256", "P-384", "P-384 SHA-256", "P-521", "P-521 SHA-256", "RSA", "Ed25519"],
)
def test_each_kind_of_key_verifies_with_its_hash(key: PrivateKey, algorithm: hashes.HashAlgorithm | None) -> None:
    public = keys.from_pem(Signer(key).public_pem)
    signature = sign(key, MESSAGE, algorithm)
    assert public.signed(signature, MESSAGE)
    assert not public.signed(signature, MESSAGE + b"!")
    assert not public.signed(b"", MESSAGE)


def test_p256_with_another_hash_is_refused_unless_the_policy_names_it() -> None:
    signer = SIGSTORE.keypair()
    payload = SIGSTORE.simple_signing(DIGEST)
    signature = sign(signer.key, payload, hashes.SHA512())
    assert not keys.from_pem(signer.public_pem).signed(signature, payload)
    assert keys.from_pem(signer.public_pem, hashes.SHA512()).signed(signature, payload)


def test_a_policy_with_an_unknown_hash_cannot_check() -> None:
    signer = SIGSTORE.keypair()
    policy = Policy(key_pem=signer.public_pem, key_digest="md5")
    verdict = Case(SIGSTORE.signature(DIGEST, signer), policy).ask()
    assert (verdict.state, failed(verdict)) == (State.COULD_NOT_CHECK, {"policy"})


@pytest.mark.parametrize(
    "key",
    [
        ecdsa_key("p384", ec.SECP384R1()),
        ecdsa_key("p521", ec.SECP521R1()),
        RSA,
        rsa.generate_private_key(65537, 3072),
        ed25519_key("ed"),
    ],
    ids=["P-384", "P-521", "RSA 2048", "RSA 3072", "Ed25519"],
)
def test_images_signed_with_each_kind_of_key_verify(key: PrivateKey) -> None:
    signer = SIGSTORE.keypair(key)
    policy = Policy(key_pem=signer.public_pem)
    for evidence in (SIGSTORE.signature(DIGEST, signer), SIGSTORE.attestation(DIGEST, signer)):
        assert Case(evidence, policy).ask().state is State.VERIFIED
        other = msgspec.structs.replace(policy, key_pem=SIGSTORE.keypair().public_pem)
        assert failed(Case(evidence, other).ask()) == {"identity"}


def test_only_the_digest_is_needed_except_for_ed25519() -> None:
    digest = hashlib.sha256(MESSAGE).digest()
    for key in (ecdsa_key("p256"), RSA):
        assert keys.from_pem(Signer(key).public_pem).signed_digest(sign(key, MESSAGE), digest)
    ed = ed25519_key("ed")
    assert not keys.from_pem(Signer(ed).public_pem).signed_digest(sign(ed, MESSAGE), digest)


@pytest.mark.parametrize(
    "key",
    [ED, ecdsa_key("p384", ec.SECP384R1()), ecdsa_key("p521", ec.SECP521R1())],
    ids=["Ed25519", "P-384", "P-521"],
)
def test_a_digest_alone_never_calls_a_signature_false_that_it_cannot_check(key: PrivateKey) -> None:
    signer = SIGSTORE.keypair(key)
    policy = Policy(key_pem=signer.public_pem)
    bundle = SIGSTORE.bundle(DIGEST, signer, artifact=MESSAGE)
    signature = sign(key, MESSAGE, keys.from_pem(signer.public_pem).hash_algorithms[0] if key is not ED else None)
    bundle["messageSignature"]["signature"] = b64(signature)
    bundle["verificationMaterial"]["tlogEntries"] = [
        SIGSTORE.rekor.append(rekor.hashedrekord_001(MESSAGE, signature, signer), SIGNED_ON)
    ]
    raw, digest = json.dumps(bundle).encode(), "sha256:" + hashlib.sha256(MESSAGE).hexdigest()
    assert VERIFIER.verify_bundle(raw, MESSAGE, policy, now=NOW).state is State.VERIFIED
    by_digest = VERIFIER.verify_bundle(raw, digest, policy, now=NOW)
    assert (by_digest.state, failed(by_digest)) == (State.UNSUPPORTED, {"signature"})
    assert "the artifact itself" in by_digest.reason


RFC_8032_PH = {  # 7.3, Test Vectors for Ed25519ph
    "key": "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    "signature": "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
}


def test_prehashed_ed25519_verifies_as_rfc_8032_says() -> None:
    raw, signature = bytes.fromhex(RFC_8032_PH["key"]), bytes.fromhex(RFC_8032_PH["signature"])
    public = keys.wrap(ed25519.Ed25519PublicKey.from_public_bytes(raw))
    assert public.signed(signature, b"abc")
    assert not public.signed(signature, b"abd")
    for place in (0, 31, 32, 63):
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not public.signed(bytes(changed), b"abc")
    order = 2**252 + 27742317777372353535851937790883648493
    shifted = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not public.signed(signature[:32] + shifted, b"abc")


@pytest.mark.parametrize("key", [b"", b"\xff" * 32, (1 | 1 << 255).to_bytes(32, "little"), (2).to_bytes(32, "little")])
def test_what_is_no_point_of_the_curve_verifies_nothing(key: bytes) -> None:
    assert not ed25519ph.verifies(key, bytes(64), b"abc")


def pss(message: bytes, algorithm: hashes.HashAlgorithm, salt_length: Any = padding.PSS.DIGEST_LENGTH) -> bytes:
    return RSA.sign(message, padding.PSS(padding.MGF1(algorithm), salt_length), algorithm)


def test_pss_is_used_when_the_registry_entry_says_so() -> None:
    public = keys.from_der(_der(RSA), hashes.SHA256(), pss=True)
    assert public.signed(pss(MESSAGE, hashes.SHA256()), MESSAGE)
    assert not public.signed(sign(RSA, MESSAGE), MESSAGE)


def declaring_pss(parameters: bytes = b"") -> bytes:
    """The public key of RSA as one that says PSS of itself, with these RSASSA-PSS-params."""
    oid = der.object_id("1.2.840.113549.1.1.10")
    bits = _der(RSA)[4 + 15 :]
    return der.sequence(der.sequence(oid, parameters), bits)


def parameters(algorithm: int, mask: int, salt: bytes = b"\xa2\x03\x02\x01\x20") -> bytes:
    """1, 2 and 3 are SHA-256, SHA-384 and SHA-512, as in their object identifiers."""

    def named(number: int) -> bytes:
        return der.sequence(der.object_id(f"2.16.840.1.101.3.4.2.{number}"), b"\x05\x00")

    mgf1 = der.sequence(der.object_id("1.2.840.113549.1.1.8"), named(mask))
    return der.sequence(der.tlv(0xA0, named(algorithm)), der.tlv(0xA1, mgf1), salt)


@pytest.mark.parametrize(
    ("declared", "algorithm"),
    [
        (b"", hashes.SHA256()),
        (parameters(1, 1), hashes.SHA256()),
        (parameters(2, 2), hashes.SHA384()),
        (parameters(3, 3, salt=b""), hashes.SHA512()),
        (parameters(3, 3, salt=b"\xa2\x04\x02\x02\x01\x00"), hashes.SHA512()),
    ],
)
def test_a_key_that_says_pss_of_itself_verifies_nothing_else(declared: bytes, algorithm: hashes.HashAlgorithm) -> None:
    public = keys.from_der(declaring_pss(declared))
    assert public.kind == "RSA-PSS 2048"
    for salt_length in (padding.PSS.DIGEST_LENGTH, padding.PSS.MAX_LENGTH):
        assert public.signed(pss(MESSAGE, algorithm, salt_length), MESSAGE)
        assert not public.signed(pss(MESSAGE, algorithm, salt_length), MESSAGE + b"!")
    other = hashes.SHA512() if algorithm.name == "sha256" else hashes.SHA256()
    assert not public.signed(pss(MESSAGE, other), MESSAGE)
    assert not public.signed(sign(RSA, MESSAGE, algorithm), MESSAGE)
    assert not keys.from_der(_der(RSA)).signed(pss(MESSAGE, algorithm), MESSAGE)


@pytest.mark.parametrize(
    "declared",
    [
        parameters(1, 2),  # two hashes
        parameters(4, 4),  # SHA-224
        der.sequence(),  # everything absent means SHA-1
        parameters(1, 1, salt=b"\xa2\x03\x02\x01\x20\xa3\x03\x02\x01\x02"),  # another trailer
    ],
    ids=["two hashes", "SHA-224", "SHA-1", "another trailer"],
)
def test_pss_with_other_parameters_than_the_registrys_is_refused(declared: bytes) -> None:
    with pytest.raises(UnusableKey):
        keys.from_der(declaring_pss(declared))


def test_a_policy_cannot_give_a_pss_key_another_hash() -> None:
    assert keys.from_der(declaring_pss(), hashes.SHA256()).pss
    with pytest.raises(UnusableKey, match="signs with sha256, not with sha512"):
        keys.from_der(declaring_pss(), hashes.SHA512())


def test_images_signed_by_a_pss_key_verify_and_those_signed_with_its_plain_twin_do_not() -> None:
    payload = SIGSTORE.simple_signing(DIGEST)
    twin = SIGSTORE.signature(DIGEST, Signer(RSA), log=False)
    signed = noted(twin, signature=b64(pss(payload, hashes.SHA256())))
    block = f"-----BEGIN PUBLIC KEY-----\n{b64(declaring_pss())}\n-----END PUBLIC KEY-----\n"
    policy = Policy(key_pem=block, require_log=False)
    assert Case(signed, policy).ask().state is State.VERIFIED
    assert failed(Case(twin, policy).ask()) == {"signature"}
    logged = SIGSTORE.signature(DIGEST, Signer(RSA))  # the log names the plain key, which is another signer
    assert failed(Case(logged, policy).ask()) == {"identity"}


def test_only_the_digest_is_needed_for_pss_too() -> None:
    digest = hashlib.sha256(MESSAGE).digest()
    public = keys.from_der(declaring_pss())
    assert public.signed_digest(pss(MESSAGE, hashes.SHA256()), digest)
    assert not public.signed_digest(sign(RSA, MESSAGE), digest)
    assert not public.signed_digest(pss(MESSAGE, hashes.SHA256()), hashlib.sha256(b"other").digest())
    assert not keys.from_der(declaring_pss(parameters(3, 3))).signed_digest(pss(MESSAGE, hashes.SHA256()), digest)


def test_a_certificate_of_a_pss_key_is_not_read_as_one_of_a_plain_key() -> None:
    plain = SIGSTORE.leaf(key=RSA).certificate
    assert plain is not None
    assert keys.of_certificate(plain).kind == "RSA 2048"
    tbs, whole = plain.tbs_certificate_bytes, plain.public_bytes(serialization.Encoding.DER)
    claimed = der.sequence(tbs[4:].replace(_der(RSA), declaring_pss()))
    with pytest.raises(UnusableKey, match="RSA-PSS"):
        keys.of_certificate(x509.load_der_x509_certificate(der.sequence(claimed, whole[4 + len(tbs) :])))


@pytest.mark.parametrize(("bits", "usable"), [(2047, False), (2048, True), (4096, True), (8192, True), (8200, False)])
def test_rsa_keys_have_a_least_and_a_largest_size(bits: int, usable: bool) -> None:
    key = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key()
    if usable:
        assert keys.wrap(key).kind == f"RSA {bits}"
        return
    with pytest.raises(UnusableKey, match=f"{bits} bits"):
        keys.wrap(key)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP224R1()),
        ed448.Ed448PrivateKey.generate(),
        dsa.generate_private_key(2048),
    ],
    ids=["RSA 1024", "secp256k1", "P-224", "Ed448", "DSA"],
)
def test_weak_and_foreign_keys_are_refused(key: PrivateKey) -> None:
    with pytest.raises(UnusableKey):
        keys.from_der(_der(key))


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "hello",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        SIGSTORE.leaf().pem.decode(),
        SIGSTORE.keypair().public_pem * 2,
        ed25519.Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode(),
    ],
    ids=["empty", "text", "not DER", "certificate", "two keys", "private key"],
)
def test_what_is_not_one_public_key_is_refused(pem: str) -> None:
    with pytest.raises(UnusableKey):
        keys.from_pem(pem)


def _der(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_rekor_v2_logs_a_larger_curve_with_its_larger_hash() -> None:
    signer = SIGSTORE.leaf(key=ecdsa_key("p384 leaf", ec.SECP384R1()))
    bundle = SIGSTORE.bundle(DIGEST, signer, v2=True)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    message = pae("application/vnd.in-toto+json", payload)
    signature = sign(signer.key, message, hashes.SHA384())
    logged = rekor.hashedrekord_002(message, signature, signer)
    logged["spec"]["hashedRekordV002"]["data"] = {
        "algorithm": "SHA2_384",
        "digest": b64(hashlib.sha384(message).digest()),
    }
    at = SIGNED_ON + dt.timedelta(minutes=1)
    proofs = bundle["verificationMaterial"]
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(signature)
    proofs["tlogEntries"] = [SIGSTORE.rekor2.append(logged, at)]
    proofs["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"] = b64(
        SIGSTORE.tsa.token(signature, at)
    )
    assert Case(evidence_of(bundle, DIGEST, Kind.SIGNATURE)).ask().state is State.VERIFIED
