"""How many signers: where a policy asks for several, each must be verified by it before any of them counts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cgexplorer.oci.evidence import Kind
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import Check, CheckName, Outcome, State, Verdict

MAX_THRESHOLD = 100  # no more signatures of a digest are read
_GOOD = (State.VERIFIED, State.VERIFIED_STALE)
_MAX_NAMED = 3  # signers in one sentence


def applied(verdicts: Sequence[Verdict], policy: Policy | None) -> tuple[Verdict, ...]:
    """The verdicts on all that is stored beside one image, under one policy: the good ones held to its threshold.

    Image signatures count. Attestations do not, but where the image is short of signers they are not verified either.
    """
    if policy is None or policy.threshold <= 1:
        return tuple(verdicts)
    signatures = [one for one in verdicts if one.kind is Kind.SIGNATURE and one.state in _GOOD]
    check = _check(policy.threshold, signers(signatures))
    fresh = signers([one for one in signatures if one.state is State.VERIFIED])
    return tuple(_held(one, check, policy.threshold, fresh) if one.state in _GOOD else one for one in verdicts)


def signers(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """A name for each distinct signer. Who shares a key or a name in a certificate is one and the same."""
    groups: list[tuple[frozenset[tuple[str, str]], str]] = []
    for one in verdicts:
        marks, name = _marks(one), one.identity
        for same in [group for group in groups if group[0] & marks]:
            groups.remove(same)
            marks, name = marks | same[0], same[1]
        groups.append((marks, name))
    return tuple(name for _, name in groups)


def _marks(verdict: Verdict) -> frozenset[tuple[str, str]]:
    names = verdict.certificate.subjects if verdict.certificate else ()
    return frozenset({("key", verdict.key_sha256), *(("name", name) for name in names)})


def _check(threshold: int, found: tuple[str, ...]) -> Check:
    outcome = Outcome.PASSED if len(found) >= threshold else Outcome.FAILED
    named = ", ".join(found[:_MAX_NAMED]) + (", …" if len(found) > _MAX_NAMED else "")
    expected = f"{threshold} distinct signers of the image whom this policy allows"
    return Check(CheckName.THRESHOLD, outcome, expected, f"{len(found)}: {named}" if found else "none")


def _held(verdict: Verdict, check: Check, threshold: int, fresh: tuple[str, ...]) -> Verdict:
    state, reason = verdict.state, verdict.reason
    if check.outcome is Outcome.FAILED:
        state = State.SIGNER_NOT_ALLOWED
        reason = f"The signature is valid, but too few signed: expected {check.expected}, found {check.found}."
    elif state is State.VERIFIED and len(fresh) < threshold:
        state = State.VERIFIED_STALE
        reason = f"{reason} Only {len(fresh)} of the {threshold} signers signed as recently as the policy asks."
    checks = tuple(check if one.name is CheckName.THRESHOLD else one for one in verdict.checks)
    return msgspec.structs.replace(verdict, state=state, reason=reason, checks=checks)
