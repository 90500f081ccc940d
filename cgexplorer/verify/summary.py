"""From verdicts to one answer: the best of several policies, and the state of a whole digest."""

from __future__ import annotations

from collections.abc import Sequence

from cgexplorer.oci.evidence import Discovery, Kind
from cgexplorer.verify.verdict import State, Verdict

# One good signature is enough, as with cosign. Then the answer that most deserves a person's attention comes first.
BEST_FIRST = (
    State.VERIFIED,
    State.VERIFIED_STALE,
    State.NO_POLICY,
    State.COULD_NOT_CHECK,
    State.SIGNER_NOT_ALLOWED,
    State.INVALID,
    State.UNSUPPORTED,
    State.UNSIGNED,
)


def best(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that decides, the first of several equal ones. Needs at least one."""
    return min(verdicts, key=lambda item: BEST_FIRST.index(item.state))


def combine(verdicts: Sequence[Verdict], discovery: Discovery, kind: Kind = Kind.SIGNATURE) -> tuple[State, str]:
    """State of a digest's signatures (or attestations), with one sentence.

    `unsigned` needs proof: nothing found, nothing left unread, and a source that would have it. What was left unread
    may hold the good signature, so without a verified one it makes the answer `could not check`.
    """
    relevant = [item for item in verdicts if item.kind is kind]
    chosen = best(relevant) if relevant else None
    if chosen is not None and chosen.state in (State.VERIFIED, State.VERIFIED_STALE, State.NO_POLICY):
        return chosen.state, chosen.reason
    if discovery.problems:
        problem = discovery.problems[0]
        more = f" ({len(discovery.problems) - 1} more)" if len(discovery.problems) > 1 else ""
        beside = f" What could be read: {chosen.reason}" if chosen else ""
        return State.COULD_NOT_CHECK, f"{problem.place} could not be read: {problem.reason.rstrip('.')}{more}.{beside}"
    if chosen is not None:
        return chosen.state, chosen.reason
    what = "a signature" if kind is Kind.SIGNATURE else "an attestation"
    if discovery.unproven:
        return State.COULD_NOT_CHECK, f"There is not {what} here, which proves nothing. {discovery.unproven}"
    return State.UNSIGNED, f"Both storage places answered, and neither holds {what}."
