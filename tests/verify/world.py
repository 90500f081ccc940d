"""One throwaway Sigstore for the tests of this floor, an honest policy, and a short way to ask."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import msgspec

from cgexplorer.oci.evidence import Evidence, Kind
from cgexplorer.verify import trust_root
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import Verdict
from cgexplorer.verify.verifier import Verifier
from tests.fakes.sigstore import GITHUB, WORKFLOW, FakeSigstore, evidence_of

SIGNED_ON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
NOW = SIGNED_ON + dt.timedelta(days=30)
DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
SIGSTORE = FakeSigstore(SIGNED_ON)
STRANGER = FakeSigstore(SIGNED_ON, name="stranger.example")
VERIFIER = Verifier(trust_root.load(SIGSTORE.trusted_root()))
ALICE = SIGSTORE.leaf()
KEY = SIGSTORE.keypair()
POLICY = Policy(name="test", issuer=GITHUB, identity=WORKFLOW)
KEY_POLICY = Policy(name="test key", key_pem=KEY.public_pem)

LOG = "dev.sigstore.cosign/bundle"
TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp"
CERTIFICATE = "dev.sigstore.cosign/certificate"
SIGNATURE = "dev.cosignproject.cosign/signature"


class Case(msgspec.Struct, frozen=True):
    """One question to the verifier, honest unless said otherwise."""

    evidence: Evidence
    policy: Policy | None = POLICY
    digest: str = DIGEST
    predicate_type: str | None = None
    verifier: Any = VERIFIER
    now: dt.datetime = NOW
    beside: tuple[Evidence, ...] = ()  # what else is stored beside the image

    def ask(self) -> Verdict:
        if self.beside:
            return self.verifier.verify_image((self.evidence, *self.beside), self.digest, self.policy, now=self.now)[0]
        return self.verifier.verify(
            self.evidence, self.digest, self.policy, predicate_type=self.predicate_type, now=self.now
        )


def failed(verdict: Verdict) -> set[str]:
    return {check.name.value for check in verdict.failed}


def noted(evidence: Evidence, **changed: str | None) -> Evidence:
    """With other annotations, by short name: log, timestamp, certificate, signature; None takes one away."""
    names = {"log": LOG, "timestamp": TIMESTAMP, "certificate": CERTIFICATE, "signature": SIGNATURE}
    notes = evidence.annotations | {names[key]: value for key, value in changed.items() if value is not None}
    gone = {names[key] for key, value in changed.items() if value is None}
    return msgspec.structs.replace(evidence, annotations={k: v for k, v in notes.items() if k not in gone})


def edited_log(evidence: Evidence, edit: Callable[[dict[str, Any]], None]) -> Evidence:
    wire = json.loads(evidence.annotations[LOG])
    edit(wire)
    return noted(evidence, log=json.dumps(wire))


def edited(bundle: dict[str, Any], edit: Callable[[dict[str, Any]], object], kind: Kind = Kind.SIGNATURE) -> Evidence:
    """A bundle after the edit, as evidence."""
    edit(bundle)
    return evidence_of(bundle, DIGEST, kind)


def entry(bundle: dict[str, Any]) -> dict[str, Any]:
    return bundle["verificationMaterial"]["tlogEntries"][0]


def policy(**changed: Any) -> Policy:
    return msgspec.structs.replace(POLICY, **changed)


def root(**how: Any) -> Verifier:
    """A verifier whose trusted root differs in some part."""
    return Verifier(trust_root.load(SIGSTORE.trusted_root(**how)))
