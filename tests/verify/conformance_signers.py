"""Who signed: certificates, identities and managed keys of each kind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tests.fakes.sigstore import GITHUB, WORKFLOW, Signer, keys, make_ca, rekor
from tests.fakes.sigstore.der import utf8
from tests.fakes.sigstore.keys import b64
from tests.verify.conformance import (
    ARTIFACT,
    DAY,
    MALLORY,
    SIGNER,
    USAGE,
    Case,
    Edit,
    Make,
    Wire,
    accepted,
    attested,
    edited,
    entry,
    envelope_of,
    logged,
    managed,
    of_envelope,
    refused,
    root,
    signed,
    statement,
)
from tests.verify.world import ALICE, KEY, SIGNED_ON, SIGSTORE, STRANGER

CA = SIGSTORE.ca
ACCOUNTS = "https://accounts.example.test"
USER_NAME = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), utf8("me!example.test"))
IMPOSTOR = make_ca("fake intermediate", CA.start, CA.end, serial=2, seed="impostor", issuer=STRANGER.ca.root)
P384, P521 = keys.ecdsa_key("384", ec.SECP384R1()), keys.ecdsa_key("521", ec.SECP521R1())
ED25519 = Signer(keys.ed25519_key("ed"))
OTHER = SIGSTORE.keypair(seed="other")
ELSE = b"something else\n"


@cache
def rsa_signer(bits: int) -> Signer:
    return Signer(rsa.generate_private_key(65537, bits))


def asking(identity: str = WORKFLOW, issuer: str = GITHUB) -> tuple[str, ...]:
    return ("--certificate-identity", identity, "--certificate-oidc-issuer", issuer)


def with_ct_log(edit: Edit) -> bytes:
    return root(lambda wire: edit(wire["ctlogs"][0]))


def certificates() -> Iterator[tuple[str, Make]]:
    leaf = SIGSTORE.leaf
    yield "extensions in the CT log's promise", lambda: accepted(signed(leaf(sct_extensions=b"extension")))
    yield "key on P-384, SHA-256", lambda: accepted(signed(leaf(key=P384)))
    for name, subject, text in (
        ("e-mail address", "me@example.test", "me@example.test"),
        ("user name", USER_NAME, "me!example.test"),
    ):
        yield name, lambda s=subject, t=text: accepted(signed(leaf(s, ACCOUNTS)), signer=asking(t, ACCOUNTS))
    for name, check, how in (
        ("issued by somebody of the same name", "certificate-chain", {"by": IMPOSTOR}),
        ("issued by the root itself", "certificate-chain", {"by": CA.root}),
        ("expired before signing", "certificate-chain", {"at": SIGNED_ON - DAY}),
        ("not yet valid", "certificate-chain", {"at": SIGNED_ON + DAY}),
        ("a CA itself", "certificate-chain", {"extra": x509.BasicConstraints(ca=True, path_length=0)}),
        ("no promise of a CT log", "sct", {"sct": False}),
        ("promise of a CT log signed by somebody", "sct", {"sct_key": MALLORY}),
        ("for timestamping", "key-usage", {"usage": ExtendedKeyUsageOID.TIME_STAMPING}),
        ("without extended usage", "key-usage", {"usage": None}),
        ("not for signatures", "key-usage", {"digital_signature": False}),
        ("two issuers", "issuer", {"issuer_v1": "https://evil.example"}),
    ):
        yield name, lambda c=check, h=how: refused(signed(leaf(**h)), c)
    unknown = with_ct_log(lambda log: log["logId"].update(keyId=b64(b"\1" * 32)))
    yield "CT log unknown", lambda: refused(signed(), "sct", root=unknown)
    mallorys = with_ct_log(lambda log: log["publicKey"].update(rawBytes=b64(keys.public_der(MALLORY))))
    yield "CT log with another key", lambda: refused(signed(), "sct", root=mallorys)
    yield (
        "certificate of another signing",
        lambda: refused(
            edited(signed(), lambda b: b["verificationMaterial"].update(of_bob())), "log-binding", "signature"
        ),
    )


def of_bob() -> Wire:
    return {"certificate": {"rawBytes": b64(SIGSTORE.leaf().certificate_der)}}


def identities() -> Iterator[tuple[str, Make]]:
    evil = "https://github.com/evil/images/.github/workflows/release.yaml@refs/heads/main"
    for name, check, asked in (
        ("another identity", "identity", asking(evil)),
        ("the identity's beginning", "identity", asking(WORKFLOW[:-5])),
        ("the identity and more", "identity", asking(WORKFLOW + "x")),
        ("the identity in capitals", "identity", asking(WORKFLOW.upper())),
        ("the identity as a pattern", "identity", asking(WORKFLOW.replace("main", "ma.n"))),
        ("another issuer", "issuer", asking(issuer=ACCOUNTS)),
        ("the issuer with a slash", "issuer", asking(issuer=GITHUB + "/")),
    ):
        for what, make in (("file", signed), ("statement", attested)):
            yield f"{name}, {what}", lambda m=make, c=check, a=asked: refused(m(), c, signer=a)


def larger(key: ec.EllipticCurvePrivateKey) -> Case:
    """Signed and logged with the hash that the registry wants of a larger curve: its digest alone cannot tell."""
    signer, algorithm = Signer(key), keys.curve_hash(key)
    bundle, signature = signed(signer), keys.sign(key, ARTIFACT, algorithm)
    bundle["messageSignature"] = {"signature": b64(signature)}
    made, value = rekor.hashedrekord_001(ARTIFACT, signature, signer), hashlib.new(algorithm.name, ARTIFACT).hexdigest()
    made["spec"]["data"]["hash"] = {"algorithm": algorithm.name, "value": value}
    return managed(signer, logged(bundle, made), by_digest=frozenset({"log-binding", "signature"}))


def managed_keys() -> Iterator[tuple[str, Make]]:
    def edit(change: Edit, *checks: str) -> Case:
        return managed(KEY, edited(signed(KEY), change), *checks)

    hint = "verificationMaterial"
    yield "P-256", lambda: managed(KEY, signed(KEY))
    yield "P-256, v0.1", lambda: managed(KEY, signed(KEY, version=1))
    yield "P-256, v0.2", lambda: managed(KEY, signed(KEY, version=2))
    yield "P-256, Rekor v2", lambda: managed(KEY, signed(KEY, v2=True))
    yield "P-256, statement", lambda: managed(KEY, attested(KEY))
    yield "P-256, statement in Rekor v2", lambda: managed(KEY, attested(KEY, v2=True))
    in_toto = rekor.intoto_002(envelope_of(attested(KEY)), KEY)
    yield "P-256, intoto 0.0.2", lambda: managed(KEY, logged(attested(KEY), in_toto))
    as_bytes = rekor.hashedrekord_001
    yield "P-256, envelope logged as bytes", lambda: managed(KEY, of_envelope(as_bytes, attested(KEY), KEY))
    yield "no hint", lambda: edit(lambda b: b[hint].update(publicKey={}))
    yield "hint of another key, which proves nothing", lambda: edit(lambda b: b[hint].update(publicKey={"hint": "x"}))
    yield "proof without promise", lambda: edit(lambda b: entry(b).pop("inclusionPromise"))
    for name, key in (("P-384", P384), ("P-521", P521)):
        yield f"{name}, SHA-256", lambda k=key: managed(Signer(k), signed(Signer(k)))
        yield f"{name}, statement", lambda k=key: managed(Signer(k), attested(Signer(k)))
        yield f"{name}, the curve's own hash", lambda k=key: larger(k)
    for bits in (2048, 3072, 4096):
        yield f"RSA {bits}", lambda b=bits: managed(rsa_signer(b), signed(rsa_signer(b)))
    yield "Ed25519, statement", lambda: managed(ED25519, attested(ED25519))
    yield "Ed25519", lambda: managed(ED25519, signed(ED25519), by_digest=frozenset({"signature"}))
    yield "another key", lambda: managed(OTHER, signed(KEY), "identity")
    yield "another key, statement", lambda: managed(OTHER, attested(KEY), "identity")
    yield "an identity where a key signed", lambda: refused(signed(KEY), "identity")
    yield "a key where an identity signed", lambda: managed(KEY, signed(), "identity")
    yield "the identity's own key", lambda: managed(Signer(ALICE.key), signed(), "identity")
    forged = b64(keys.sign(MALLORY, ARTIFACT))
    yield (
        "signature by another key",
        lambda: edit(lambda b: b["messageSignature"].update(signature=forged), "log-binding", "signature"),
    )
    yield "another file", lambda: managed(KEY, signed(KEY), "log-binding", "signature", artifact=ELSE)
    yield "statement about another file", lambda: managed(KEY, attested(KEY), "subject", artifact=ELSE)
    yield "another log's root", lambda: managed(KEY, signed(KEY), "log-entry", root=STRANGER.trusted_root())
    yield "not logged", lambda: edit(lambda b: b[hint].update(tlogEntries=[]), "log-entry")
    for name, claim in (
        ("statement without type", statement().replace(b'"_type"', b'"_kind"')),
        ("statement of an unknown type", statement(statement_type="https://in-toto.io/Statement/v2")),
    ):
        yield name, lambda c=claim: managed(KEY, attested(KEY, payload=c), "type")
        yield f"{name}, Rekor v2", lambda c=claim: managed(KEY, attested(KEY, payload=c, v2=True), "type")


def flags() -> Iterator[tuple[str, Make]]:
    yield "key and identity at once", lambda: managed(KEY, signed(KEY), signer=SIGNER, exit_code=USAGE)
    yield "neither key nor identity", lambda: Case(signed(KEY), signer=(), exit_code=USAGE)
    yield "identity without issuer", lambda: Case(signed(), signer=SIGNER[:2], exit_code=USAGE)
    yield "issuer without identity", lambda: Case(signed(), signer=SIGNER[2:], exit_code=USAGE)
    yield "key that is none", lambda: Case(signed(KEY), key="key", signer=(), exit_code=USAGE)
    yield "certificate given as key", lambda: Case(signed(), key=ALICE.pem.decode(), signer=(), exit_code=USAGE)


GROUPS: dict[str, Callable[[], Iterator[tuple[str, Make]]]] = {
    "certificates": certificates,
    "identities": identities,
    "keys": managed_keys,
    "flags": flags,
}
CASES = {f"{group}: {name}": make for group, cases in GROUPS.items() for name, make in cases()}
