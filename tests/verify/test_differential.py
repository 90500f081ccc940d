"""Beside sigstore-python's own Verifier, on thousands of mutated bundles: what it refuses, we refuse.

`MUTANTS=100000` asks for more than the few thousand of a usual run; the same numbers give the same mutants.
Both verifiers get the same bytes, trusted root, artifact, identity and issuer. Where we accept and it refuses, the
bundle must show one of the `ALLOWED` differences, each of which is argued here and shown by an example.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier as TheirVerifier
from sigstore.verify.policy import Identity
from sigstore_models.trustroot.v1 import TrustedRoot as TheirRoot

from cgexplorer.oci import digest as digests
from cgexplorer.verify import trust_root
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import State, Verdict
from tests.fakes.sigstore import GITHUB, SPDX, WORKFLOW, keys, make_ca
from tests.mutations import mutated
from tests.verify import real
from tests.verify.world import ALICE, NOW, POLICY, SIGSTORE, STRANGER, VERIFIER

MUTANTS = int(os.environ.get("MUTANTS", "6000"))
SHARDS = 4
ARTIFACT = b"an artifact"
DIGEST = digests.of(ARTIFACT)

type Wire = dict[str, Any]


def _honest() -> list[bytes]:
    """Each form that both verifiers know, and two by another signer, to be transplanted."""
    bob = SIGSTORE.leaf()
    made: list[Wire] = []
    for how in ({"version": 1}, {"version": 2}, {}, {"timestamp": True}, {"v2": True}):
        made += [SIGSTORE.bundle(DIGEST, ALICE, SPDX, **how), SIGSTORE.bundle(DIGEST, ALICE, artifact=ARTIFACT, **how)]
    made += [SIGSTORE.bundle(DIGEST, bob, SPDX, timestamp=True), SIGSTORE.bundle(DIGEST, bob, artifact=ARTIFACT)]
    return [json.dumps(bundle).encode() for bundle in made]


def _faulty() -> dict[str, bytes]:
    """Properly signed and logged, by a signer with one fault each."""
    ca, usage = SIGSTORE.ca, ExtendedKeyUsageOID.TIME_STAMPING
    impostor = make_ca("fake intermediate", ca.start, ca.end, serial=2, seed="impostor", issuer=STRANGER.ca.root)
    leaf, mallory = SIGSTORE.leaf, keys.ecdsa_key("mallory")
    signers = {
        "impostor": leaf(by=impostor),
        "too old": leaf(at=SIGSTORE.now - dt.timedelta(days=1)),
        "no SCT": leaf(sct=False),
        "SCT by somebody": leaf(sct_key=mallory),
        "for timestamping": leaf(usage=usage),
        "not for signatures": leaf(digital_signature=False),
        "another identity": leaf("https://github.com/evil/images/.github/workflows/release.yaml@refs/heads/main"),
        "another issuer": leaf(WORKFLOW, "https://accounts.example.test"),
        "stranger": STRANGER.leaf(),
    }
    return {name: json.dumps(SIGSTORE.bundle(DIGEST, signer, SPDX)).encode() for name, signer in signers.items()}


HONEST, FAULTY = _honest(), _faulty()


def entry(wire: Wire) -> Wire:
    return wire["verificationMaterial"]["tlogEntries"][0]


def _v01_without_proof(wire: Wire) -> bool:
    checkpoint = (entry(wire).get("inclusionProof") or {}).get("checkpoint") or {}
    return wire["mediaType"].endswith("=0.1") and not checkpoint.get("envelope")


def _v2_without_outer_index(wire: Wire) -> bool:
    return entry(wire)["kindVersion"]["version"] == "0.0.2" and entry(wire).get("logIndex") is None


ALLOWED: dict[str, Callable[[Wire], bool]] = {
    # Only v0.1: the specification asks for the log's promise, and its signature is checked. cosign's classic
    # signatures have nothing else.
    "a v0.1 bundle without inclusion proof, or with one without checkpoint": _v01_without_proof,
    # Nobody signs the outer index of a Rekor v2 entry; the one that the inclusion proof proves is used and shown.
    "a Rekor v2 entry without the outer log index": _v2_without_outer_index,
}
EXAMPLES: dict[str, tuple[int, Callable[[Wire], object]]] = {
    "a v0.1 bundle without inclusion proof, or with one without checkpoint": (
        0,
        lambda w: entry(w).pop("inclusionProof"),
    ),
    "a Rekor v2 entry without the outer log index": (8, lambda w: entry(w).pop("logIndex")),
}


class Theirs:
    """sigstore-python with one trusted root and one policy."""

    def __init__(self, root: bytes, identity: str, issuer: str) -> None:
        self._verifier = TheirVerifier(trusted_root=TrustedRoot(TheirRoot.from_json(root)))
        self._policy = Identity(identity=identity, issuer=issuer)

    def refusal(self, raw: bytes, artifact: bytes) -> str:
        """Why it refuses, "" when it accepts. It lets errors of any kind through."""
        try:
            bundle = Bundle.from_json(raw)
            if bundle._dsse_envelope is None:
                self._verifier.verify_artifact(artifact, bundle, self._policy)
            else:
                self._verifier.verify_dsse(bundle, self._policy)
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:200]}"
        return ""


THEIRS = Theirs(SIGSTORE.trusted_root(), WORKFLOW, GITHUB)


def ours(raw: bytes) -> Verdict:
    return VERIFIER.verify_bundle(raw, ARTIFACT, POLICY, now=NOW)


def difference(raw: bytes) -> str | None:
    """Which of the allowed differences this bundle shows."""
    wire = json.loads(raw)
    return next((name for name, shows in ALLOWED.items() if shows(wire)), None)


@pytest.mark.parametrize("raw", HONEST)
def test_both_accept_what_is_honest(raw: bytes) -> None:
    assert ours(raw).state is State.VERIFIED
    assert THEIRS.refusal(raw, ARTIFACT) == ""


@pytest.mark.parametrize("raw", FAULTY.values(), ids=FAULTY)
def test_both_refuse_a_faulty_signer(raw: bytes) -> None:
    assert ours(raw).state is not State.VERIFIED
    assert THEIRS.refusal(raw, ARTIFACT)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_what_sigstore_python_refuses_we_refuse(shard: int) -> None:
    chance, both, payloads = Random(f"differential {shard}"), 0, {ours(raw).payload_sha256 for raw in HONEST}
    every = [*HONEST, *FAULTY.values()]
    for _ in range(MUTANTS // SHARDS):
        raw = mutated(chance.choice(every), chance, every)
        verdict = ours(raw)
        assert "parser" not in verdict.reason
        if verdict.state is not State.VERIFIED:
            continue
        assert verdict.payload_sha256 in payloads
        refusal = THEIRS.refusal(raw, ARTIFACT)
        assert not refusal or difference(raw), (refusal, raw)
        both += not refusal
    assert both > MUTANTS // SHARDS // 100  # mutants that both accept: the comparison is not an empty one


@pytest.mark.parametrize("name", ALLOWED)
def test_each_allowed_difference_is_one(name: str) -> None:
    number, edit = EXAMPLES[name]
    wire = json.loads(HONEST[number])
    edit(wire)
    raw = json.dumps(wire).encode()
    assert ours(raw).state is State.VERIFIED
    assert THEIRS.refusal(raw, ARTIFACT)
    assert difference(raw) == name
    assert difference(HONEST[number]) is None


# What may be changed, or left out, without either verifier noticing; each is proven by nothing, and we show none of it.
UNSIGNED = {
    ("changed", "dsseEnvelope.signatures.keyid"),  # DSSE: a hint
    ("left out", "dsseEnvelope.signatures.keyid"),
    ("left out", "messageSignature.messageDigest"),  # the artifact is at hand; when it is there it must be right
}
# One of two sources of time or of proof, where the other is enough.
SPARE = {
    ("left out", "verificationMaterial.timestampVerificationData"),
    ("left out", "verificationMaterial.timestampVerificationData.rfc3161Timestamps"),
    ("left out", "verificationMaterial.tlogEntries.inclusionPromise"),
    # The two allowed differences.
    ("left out", "verificationMaterial.tlogEntries.inclusionProof"),
    ("left out", "verificationMaterial.tlogEntries.inclusionProof.checkpoint"),
    ("left out", "verificationMaterial.tlogEntries.logIndex"),
}


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree if isinstance(tree, list) else ()):
        yield (*path, key)
        yield from _paths(value, (*path, key))


def _altered(value: Any) -> Any:
    """Another value of the same kind: the next number, one bit of the base64, one letter more."""
    if not isinstance(value, str):
        return None
    if value.isdigit():
        return str(int(value) + 1)
    try:
        raw = bytearray(base64.b64decode(value, validate=True))
    except ValueError:
        return value + "x"
    if not raw:
        return "x"
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(raw).decode()


def test_every_field_of_a_bundle_is_proven_except_the_named_ones() -> None:
    unproven = set()
    for honest in HONEST[:10]:
        for path in _paths(json.loads(honest)):
            name = ".".join(str(step) for step in path if not isinstance(step, int))
            for how in ("left out", "changed"):
                wire = json.loads(honest)
                holder = reduce(getitem, path[:-1], wire)
                if how == "left out":
                    del holder[path[-1]]
                elif (other := _altered(holder[path[-1]])) is not None:
                    holder[path[-1]] = other
                else:
                    continue
                if ours(json.dumps(wire).encode()).state is State.VERIFIED:
                    unproven.add((how, name))
    assert unproven == UNSIGNED | SPARE


def _real(shared: Path) -> list[tuple[bytes, bytes | str]]:
    """Real bundles that are not large, each with what it is over: an artifact's bytes, or a statement's subject."""
    found: list[tuple[bytes, bytes | str]] = [
        (item.content, item.subject) for _, item in real.ghcr_bundles(shared) if len(item.content) < 30_000
    ]
    for path in sorted((shared / "chainguard-postgres").glob("*signature.sigstore.json")):
        payload = path.with_name(path.name.replace(".sigstore.json", "-payload.json"))
        found.append((path.read_bytes(), payload.read_bytes()))
    return found


def test_on_real_bundles_we_are_never_looser(shared: Path) -> None:
    bundles, chance = _real(shared), Random("real")
    raws = [raw for raw, _ in bundles]
    for honest, artifact in bundles:
        described = real.PUBLIC_GOOD.verify_bundle(honest, artifact, None, now=NOW)
        policy = Policy(issuer=described.issuer, identity=described.identity)
        theirs = Theirs(trust_root.public_good_bytes(), policy.identity, policy.issuer)
        over = artifact if isinstance(artifact, bytes) else b""
        assert real.PUBLIC_GOOD.verify_bundle(honest, artifact, policy, now=NOW).state is State.VERIFIED
        assert theirs.refusal(honest, over) == ""
        for _ in range(MUTANTS // 4 // len(bundles)):
            raw = mutated(honest, chance, raws)
            verdict = real.PUBLIC_GOOD.verify_bundle(raw, artifact, policy, now=NOW)
            assert "parser" not in verdict.reason
            if verdict.state is State.VERIFIED:
                refusal = theirs.refusal(raw, over)
                assert not refusal or difference(raw), (refusal, raw)
                assert verdict.payload_sha256 == described.payload_sha256


def test_a_changed_bit_of_a_real_bundle_never_verifies_another_payload(shared: Path) -> None:
    """Two bundles, a statement's and a file's; in bits of white space, hints and spellings nobody can see a change."""
    chance, accepted = Random("bits"), 0
    for honest, artifact in (_real(shared)[0], _real(shared)[-1]):
        described = real.PUBLIC_GOOD.verify_bundle(honest, artifact, None, now=NOW)
        policy = Policy(issuer=described.issuer, identity=described.identity)
        theirs = Theirs(trust_root.public_good_bytes(), policy.identity, policy.issuer)
        for _ in range(MUTANTS // 8):
            raw = bytearray(honest)
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            verdict = real.PUBLIC_GOOD.verify_bundle(bytes(raw), artifact, policy, now=NOW)
            assert "parser" not in verdict.reason
            if verdict.state is State.VERIFIED:
                accepted += 1
                assert (verdict.payload_sha256, verdict.identity) == (described.payload_sha256, described.identity)
                assert theirs.refusal(bytes(raw), artifact if isinstance(artifact, bytes) else b"") == ""
    assert accepted < MUTANTS // 40
