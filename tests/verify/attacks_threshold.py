"""Images signed properly by too few: only the count of distinct signers can stop them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import CheckName
from tests.fakes.sigstore import GITHUB, WORKFLOW, evidence_of, keys
from tests.verify.world import ALICE, DIGEST, KEY, OTHER, SIGSTORE, STRANGER, Case, noted, policy

BOB = SIGSTORE.leaf("bob@example.test")
CAROL = SIGSTORE.leaf("carol@example.test")
KEYS = [SIGSTORE.keypair(seed=seed) for seed in ("first", "second", "third")]
ANY_OF_US = r"https://github\.com/chainguard-images/.+|(bob|carol)@example\.test"
TWO = policy(identity="", identity_regexp=ANY_OF_US, threshold=2)


def beside(*more: Evidence, wanted: int = 2, first: Evidence | None = None) -> Case:
    """Alice's good signature, judged together with these; the policy asks for two signers."""
    rules = policy(identity="", identity_regexp=ANY_OF_US, threshold=wanted)
    return Case(first or SIGSTORE.signature(DIGEST, ALICE), rules, beside=more)


def attacks() -> Iterator[tuple[str, Callable[[], Case]]]:
    signature = SIGSTORE.signature
    yield "one signer alone", lambda: Case(signature(DIGEST, ALICE), TWO)
    yield "a bundle alone", lambda: Case(evidence_of(SIGSTORE.bundle(DIGEST, ALICE), DIGEST, Kind.SIGNATURE), TWO)
    yield "one signature stored twice", lambda: beside(signature(DIGEST, ALICE))
    yield (
        "one signature in both forms",
        lambda: beside(evidence_of(SIGSTORE.bundle(DIGEST, ALICE), DIGEST, Kind.SIGNATURE)),
    )
    yield "one signer with two certificates and keys", lambda: beside(signature(DIGEST, SIGSTORE.leaf()))
    yield "one key in the certificates of two", lambda: beside(signature(DIGEST, keyed("bob@example.test", ALICE)))
    yield (
        "two who are one through a third signature",
        lambda: beside(signature(DIGEST, BOB), signature(DIGEST, keyed("bob@example.test", ALICE))),
    )
    yield (
        "one name, certified by two issuers",
        lambda: Case(
            signature(DIGEST, BOB),
            policy(issuer="", issuer_regexp="https://.+", identity="", identity_regexp=ANY_OF_US, threshold=2),
            beside=(signature(DIGEST, SIGSTORE.leaf("bob@example.test", "https://accounts.example.test")),),
        ),
    )
    yield "a second signer who is not allowed", lambda: beside(signature(DIGEST, SIGSTORE.leaf("mallory@example.test")))
    yield "a second signer of another image", lambda: beside(signature(OTHER, BOB))
    yield (
        "a second signer certified by strangers",
        lambda: beside(STRANGER.signature(DIGEST, STRANGER.leaf(WORKFLOW + "2"))),
    )
    yield "a second signature that is not logged", lambda: beside(noted(signature(DIGEST, BOB), log=None))
    yield "a second signer who attested and did not sign", lambda: beside(SIGSTORE.attestation(DIGEST, BOB))
    yield "two of three", lambda: beside(signature(DIGEST, BOB), signature(DIGEST, SIGSTORE.leaf()), wanted=3)
    yield (
        "an attestation of an image with one signer",
        lambda: beside(signature(DIGEST, BOB), first=SIGSTORE.attestation(DIGEST, ALICE)),
    )
    yield (
        "an attestation of an image that nobody signed",
        lambda: beside(SIGSTORE.attestation(DIGEST, BOB), first=SIGSTORE.attestation(DIGEST, ALICE)),
    )


def by_keys(*evidence: Evidence, threshold: int = 2) -> Case:
    first, *more = evidence
    pems = "".join(one.public_pem for one in KEYS)
    return Case(first, Policy(name="keys", key_pem=pems, threshold=threshold, require_log=False), beside=tuple(more))


def key_attacks() -> Iterator[tuple[str, Callable[[], Case]]]:
    signed = [SIGSTORE.signature(DIGEST, one) for one in KEYS]
    yield "one of two keys", lambda: by_keys(signed[0])
    yield "one of two keys, twice", lambda: by_keys(signed[0], SIGSTORE.signature(DIGEST, KEYS[0], log=False))
    yield "one of two keys, classic and as a bundle", lambda: by_keys(signed[0], bundle_by(KEYS[0]))
    yield "a second key that is not among them", lambda: by_keys(signed[0], SIGSTORE.signature(DIGEST, KEY))
    yield "the right key over another image", lambda: by_keys(signed[0], SIGSTORE.signature(OTHER, KEYS[1]))
    yield "two of three keys", lambda: by_keys(*signed[:2], threshold=3)


def bundle_by(signer: keys.Signer) -> Evidence:
    return evidence_of(SIGSTORE.bundle(DIGEST, signer), DIGEST, Kind.SIGNATURE)


def keyed(identity: str, other: keys.Signer) -> keys.Signer:
    """Somebody's certificate for the key of somebody else."""
    return SIGSTORE.leaf(identity, GITHUB, key=other.key)


ATTACKS = [(CheckName.THRESHOLD, name, make) for name, make in (*attacks(), *key_attacks())]
