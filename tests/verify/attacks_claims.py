"""Properly logged attacks that only the checks of signature, subject, type or annotations can stop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from cgexplorer.oci.evidence import Kind
from cgexplorer.verify.verdict import CheckName
from tests.fakes.sigstore import INTOTO, SIGN, SPDX, evidence_of, keys
from tests.verify.world import ALICE, DIGEST, KEY, KEY_POLICY, OTHER, SIGSTORE, Case, policy

SLSA = "https://slsa.dev/provenance/v1"
IMPOSTOR = keys.Signer(keys.ecdsa_key("mallory"), ALICE.certificate)  # Alice's certificate, another key


def signed(payload: bytes) -> Case:
    return Case(SIGSTORE.signature(DIGEST, ALICE, payload=payload))


def stated(payload: bytes, payload_type: str = INTOTO, **how: Any) -> Case:
    return Case(SIGSTORE.attestation(DIGEST, ALICE, payload=payload, payload_type=payload_type), **how)


def statement(**changed: object) -> bytes:
    return json.dumps(json.loads(SIGSTORE.statement(DIGEST)) | changed).encode()


def simple(path: tuple[str, ...], value: object) -> bytes:
    wire = json.loads(SIGSTORE.simple_signing(DIGEST))
    part = wire
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return json.dumps(wire).encode()


def signatures() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "a certificate shown by somebody without its key", lambda: Case(SIGSTORE.signature(DIGEST, IMPOSTOR))
    for kind in ("dsse_001", "intoto_001", "intoto_002"):
        yield (
            f"the same in an attestation, {kind}",
            lambda kind=kind: Case(SIGSTORE.attestation(DIGEST, IMPOSTOR, kind=kind)),
        )
    for v2 in (False, True):
        yield (
            f"the same in a bundle, Rekor v{1 + v2}",
            lambda v2=v2: Case(evidence_of(SIGSTORE.bundle(DIGEST, IMPOSTOR, v2=v2), DIGEST, Kind.SIGNATURE)),
        )
    yield (
        "another key's signature, not logged",
        lambda: Case(
            SIGSTORE.signature(DIGEST, SIGSTORE.keypair(seed="mallory"), log=False),
            policy(issuer="", identity="", key_pem=KEY.public_pem, require_log=False),
        ),
    )


def subjects() -> Iterator[tuple[str, Callable[[], Case]]]:
    digest = DIGEST.removeprefix("sha256:")
    yield "a signature of another image", lambda: Case(SIGSTORE.signature(OTHER, ALICE))
    yield "a key's signature of another image", lambda: Case(SIGSTORE.signature(OTHER, KEY), KEY_POLICY)
    yield "an attestation of another image", lambda: Case(SIGSTORE.attestation(OTHER, ALICE))
    yield "a bundle of another image", lambda: Case(evidence_of(SIGSTORE.bundle(OTHER, ALICE), DIGEST, Kind.SIGNATURE))
    yield "the digest under another algorithm", lambda: stated(statement(subject=[{"digest": {"sha512": digest}}]))
    yield "the digest in capitals", lambda: stated(statement(subject=[{"digest": {"sha256": digest.upper()}}]))
    yield "the digest as a name", lambda: stated(statement(subject=[{"name": DIGEST, "digest": {"sha256": "00" * 32}}]))


def types() -> Iterator[tuple[str, Callable[[], Case]]]:
    subject = {"digest": {"sha256": DIGEST.removeprefix("sha256:")}}
    yield (
        "an attestation as image signature",
        lambda: Case(evidence_of(SIGSTORE.bundle(DIGEST, ALICE, SPDX), DIGEST, Kind.SIGNATURE)),
    )
    yield (
        "an image signature as attestation",
        lambda: Case(evidence_of(SIGSTORE.bundle(DIGEST, ALICE, SIGN), DIGEST, Kind.ATTESTATION)),
    )
    yield (
        "CVE-2022-35929: another predicate type than asked for",
        lambda: Case(SIGSTORE.attestation(DIGEST, ALICE, SLSA), predicate_type=SPDX),
    )
    yield (
        "a signature where an attestation is asked for",
        lambda: Case(SIGSTORE.signature(DIGEST, ALICE), predicate_type=SPDX),
    )
    yield "a payload type that is not in-toto", lambda: stated(SIGSTORE.statement(DIGEST), "text/plain")
    yield "an unknown statement type", lambda: stated(statement(_type="https://in-toto.io/Statement/v9"))
    yield "no statement type", lambda: stated(statement(_type=None))
    yield "no predicate type", lambda: stated(statement(predicateType=""))
    yield "a predicate type with a control character", lambda: stated(statement(predicateType=SPDX + "\0"))
    yield "no subject", lambda: stated(statement(subject=[]))
    yield "1,025 subjects", lambda: stated(statement(subject=[subject] * 1025))
    yield (
        "33 digests of one subject",
        lambda: stated(statement(subject=[{"digest": {f"a{n}": "b" for n in range(33)}}])),
    )
    yield "a subject that is null", lambda: stated(statement(subject=[None]))
    yield "a digest that is text", lambda: stated(statement(subject=[{"digest": "ab"}]))
    yield "CVE-2026-39395: a payload that is not JSON", lambda: stated(b"SPDXVersion: SPDX-2.3")
    yield "a payload that is a list", lambda: stated(b"[]")
    yield "a payload nested 65 levels deep", lambda: stated(statement(predicate=nested(65)))
    yield "a payload with NaN", lambda: stated(statement(predicate=float("nan")))
    yield "a key twice in the payload", lambda: stated(twice(SIGSTORE.statement(OTHER)))
    yield "a key in two spellings", lambda: stated(statement(Subject=[subject]))
    yield "text after the payload's JSON", lambda: stated(SIGSTORE.statement(DIGEST) + b"{}")
    yield "a payload in UTF-16", lambda: stated(SIGSTORE.statement(DIGEST).decode().encode("utf-16"))
    yield "simple signing of another type", lambda: signed(simple(("critical", "type"), "atomic container signature"))
    yield "simple signing without type", lambda: signed(simple(("critical", "type"), None))
    yield "simple signing without reference", lambda: signed(simple(("critical", "identity", "docker-reference"), ""))
    yield (
        "simple signing with a number as digest",
        lambda: signed(simple(("critical", "image", "docker-manifest-digest"), 1)),
    )
    yield "simple signing with options that are a list", lambda: signed(simple(("optional",), [1]))
    yield "simple signing with a second spelling", lambda: signed(simple(("critical", "Image"), {"x": 1}))


def nested(levels: int) -> object:
    value: object = {}
    for _ in range(levels):
        value = [value]
    return value


def twice(other: bytes) -> bytes:
    """Names the other image first and this one second; readers disagree which counts."""
    again = json.dumps([{"digest": {"sha256": DIGEST.removeprefix("sha256:")}}]).encode()
    return other[:-1] + b', "subject": ' + again + b"}"


def annotations() -> Iterator[tuple[str, Callable[[], Case]]]:
    wanted = policy(annotations=(("env", "prod"), ("team", "a")))
    yield "no annotations", lambda: Case(SIGSTORE.signature(DIGEST, ALICE), wanted)
    yield "another value", lambda: Case(SIGSTORE.signature(DIGEST, ALICE, optional={"env": "dev", "team": "a"}), wanted)
    yield "one of two", lambda: Case(SIGSTORE.signature(DIGEST, ALICE, optional={"env": "prod"}), wanted)
    payload = SIGSTORE.statement(DIGEST, SIGN, annotations={"env": "dev", "team": "a"})
    yield (
        "another value in a bundle",
        lambda: Case(evidence_of(SIGSTORE.bundle(DIGEST, ALICE, payload=payload), DIGEST, Kind.SIGNATURE), wanted),
    )
    ours, theirs = (
        json.loads(SIGSTORE.statement(digest, SIGN, annotations={"env": env, "team": "a"}))["subject"]
        for digest, env in ((DIGEST, "dev"), (OTHER, "prod"))
    )
    both = json.dumps(json.loads(payload) | {"subject": [*ours, *theirs]}).encode()
    yield (
        "that of another subject of the statement",
        lambda: Case(evidence_of(SIGSTORE.bundle(DIGEST, ALICE, payload=both), DIGEST, Kind.SIGNATURE), wanted),
    )


ATTACKS = [
    *((CheckName.SIGNATURE, name, make) for name, make in signatures()),
    *((CheckName.SUBJECT, name, make) for name, make in subjects()),
    *((CheckName.TYPE, name, make) for name, make in types()),
    *((CheckName.ANNOTATIONS, name, make) for name, make in annotations()),
]
