"""States of trust in words."""

from __future__ import annotations

WORDS = {
    "verified": "verified",
    "verified-stale": "verified, stale",
    "signer-not-allowed": "signer not allowed",
    "invalid": "invalid",
    "unsigned": "unsigned",
    "unsupported": "unsupported",
    "could-not-check": "could not check",
    "no-policy": "no policy",
}
MEANS = {
    "verified": "Every check passed, and the policy allows this signer.",
    "verified-stale": "Every check passed, but it was signed longer ago than the policy allows.",
    "signer-not-allowed": "The signature is valid. Somebody else made it, or too few signed.",
    "invalid": "A check failed. Do not trust these bytes.",
    "unsigned": "Both storage places answered, and nothing was there.",
    "unsupported": "Evidence in a form that this verifier does not know.",
    "could-not-check": "Network, trust root or clock. The last verdict stays visible.",
    "no-policy": "The signature is valid, but nobody said who should sign.",
}


def state_words(state: str) -> str:
    """`could-not-check` → "could not check"; "" → "not verified yet"."""
    return WORDS.get(state, state.replace("-", " ") or "not verified yet")
