"""Checks and states in words: what each check asks, what cosign would say, what a reader can do next."""

from __future__ import annotations

import msgspec

from cgexplorer.cross_checks import Name, Row
from cgexplorer.store.queries.verification import Judged
from cgexplorer.verify.report import CHAINGUARD
from cgexplorer.verify.verdict import Check, CheckName, Outcome, State
from cgexplorer.web.differing import Marked, differing


class Words(msgspec.Struct, frozen=True):
    title: str
    asks: str


CHECKS = {
    CheckName.FORMAT: Words("Size and strict parse", "one meaning only: no duplicate keys, strict base64"),
    CheckName.POLICY: Words("Policy is sane", "an issuer and an identity, no pattern that allows everyone"),
    CheckName.LOG_ENTRY: Words("Log entry", "a known transparency log has it, and proves so"),
    CheckName.LOG_BINDING: Words("Log entry is about this", "the entry logs this signature, key and payload"),
    CheckName.TIMESTAMP: Words("Time of signing", "some verified time exists"),
    CheckName.CERTIFICATE_CHAIN: Words("Certificate chain", "to a trusted authority, valid at every verified time"),
    CheckName.SCT: Words("Certificate transparency", "the certificate itself was logged"),
    CheckName.KEY_USAGE: Words("Key usage", "a code signing certificate with a strong key"),
    CheckName.ISSUER: Words("Issuer", "who vouched for the signer"),
    CheckName.IDENTITY: Words("Signer", "who signed, and whether the policy allows it"),
    CheckName.WORKFLOW: Words("Workflow", "GitHub claims that the policy asks for"),
    CheckName.KEY_PERIOD: Words("Time of the key", "signed while the policy lets this key sign"),
    CheckName.SIGNATURE: Words("Signature", "over exactly these bytes"),
    CheckName.SUBJECT: Words("Subject", "the signed digest is this digest"),
    CheckName.TYPE: Words("Type", "payload, statement and predicate type are what they claim to be"),
    CheckName.ANNOTATIONS: Words("Annotations", "key=value pairs that the policy asks for"),
    CheckName.THRESHOLD: Words("Number of signers", "as many distinct ones as the policy asks for"),
}

CROSS_CHECKS = {
    Name.DIGEST: Words("One digest throughout", "SBOM’s described image = attestation subject = manifest"),
    Name.REFERENCE: Words("Signed name = name here", "a copy keeps the name under which it was signed"),
    Name.APKO_PACKAGES: Words("apko packages = SBOM apks", "names and versions, both ways"),
    Name.SLSA_PACKAGES: Words("SLSA packages = SBOM apks", "names and versions, both ways"),
    Name.SBOM_FORMATS: Words("SPDX packages = CycloneDX packages", "names and versions, both ways"),
    Name.IMAGE_CONFIGURATION: Words("Image config = apko config", "what a runtime reads is what was built"),
    Name.SIGNER: Words("One signer for all evidence", "whose signature holds"),
    Name.COMMIT: Words("Certificate’s commit = provenance’s commit", "the source that was built"),
    Name.WORKFLOW: Words("Certificate’s workflow = provenance’s workflow", "what built it"),
    Name.RUN: Words("Certificate’s run = provenance’s run", "the one run that built it"),
}


class CrossCheckRow(msgspec.Struct, frozen=True):
    """One cross-check as the report shows it."""

    words: Words
    row: Row

    @property
    def outcome_words(self) -> str:
        return self.row.outcome.replace("-", " ")

    @property
    def state(self) -> str:
        return _STATES[self.row.outcome]


def cross_check_rows(rows: tuple[Row, ...], issuers: set[str]) -> list[CrossCheckRow]:
    """Without questions about a GitHub workflow where only Chainguard's own issuer vouches for the signers."""
    hidden = (Name.COMMIT, Name.WORKFLOW, Name.RUN) if issuers == {CHAINGUARD} else ()
    return [
        CrossCheckRow(CROSS_CHECKS[row.name], row)
        for row in rows
        if row.outcome is not Outcome.NOT_RUN or row.name not in hidden
    ]


# The colour: green and red belong to what was checked.
_STATES = {Outcome.PASSED: "verified", Outcome.FAILED: "failed", Outcome.NOT_RUN: "unsupported"}


class CheckRow(msgspec.Struct, frozen=True):
    """One check as the report shows it."""

    number: int
    words: Words
    outcome: Outcome
    expected: Marked
    found: Marked

    @property
    def outcome_words(self) -> str:
        return self.outcome.replace("-", " ")

    @property
    def state(self) -> str:
        return _STATES[self.outcome]


def check_rows(judged: Judged) -> list[CheckRow]:
    """Failed ones first, each with the differing part alone marked."""
    hidden = CheckName.WORKFLOW if judged.row.issuer == CHAINGUARD else None
    return [
        _row(number, check)
        for number, check in judged.failed_first
        if check.outcome is not Outcome.NOT_RUN or check.name is not hidden
    ]


def _row(number: int, check: Check) -> CheckRow:
    if check.outcome is Outcome.FAILED:
        expected, found = differing(check.expected, check.found)
    else:
        expected, found = Marked(check.expected), Marked(check.found)
    return CheckRow(number, CHECKS[check.name], check.outcome, expected, found)


NEXT_STEPS = {
    State.SIGNER_NOT_ALLOWED: (
        "Use a digest that the allowed signer signed; the tag's timeline shows who signed each.",
        "Ask the owner of the tag why somebody else signed what it points to.",
        "Change the policy only if this signer is meant to ship: manage.py add_policy appends a version.",
    ),
    State.INVALID: (
        "Do not run these bytes: a check failed, so nobody is known to stand behind them.",
        "Fetch the digest again. If it fails again, tell the owner of the repository which check failed.",
    ),
    State.UNSIGNED: (
        "Both storage places were asked and hold nothing for this digest.",
        "If it should be signed, ask its owner to sign this digest, then press Re-verify.",
    ),
    State.NO_POLICY: (
        "The signature is valid. Say who should sign here: manage.py add_policy --match … --issuer … --identity …",
        "Until then nothing of this image is shown as verified.",
    ),
    State.COULD_NOT_CHECK: (
        "Something could not be read, so absence proves nothing. The reason names it.",
        "Press Re-verify when the registry, the trust root or the clock is well again.",
        "If the clock is right now but ran ahead before: manage.py accept_clock.",
    ),
    State.UNSUPPORTED: ("The evidence has a form that this verifier does not know; its bytes are kept.",),
    State.VERIFIED_STALE: ("The signature is older than the policy allows. Look for a newer digest of this tag.",),
}


def next_steps(state: str) -> tuple[str, ...]:
    return NEXT_STEPS.get(State(state), ()) if state in State else ()
