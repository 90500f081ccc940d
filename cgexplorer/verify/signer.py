"""Is the signer the one that the policy allows? Issuer, identity, workflow claims, and whether the policy is sane.

Patterns are RE2, so no pattern can take more than linear time. A stored policy matches the whole value; cosign's own
flags search anywhere (`whole_match` off).
"""

from __future__ import annotations

import re
from functools import lru_cache

import re2
from cryptography.hazmat.primitives import hashes

from cgexplorer.verify import certificate as certificates
from cgexplorer.verify import keys, required, verdict
from cgexplorer.verify.errors import Fault, UnusableKey
from cgexplorer.verify.keys import PublicKey
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.threshold import MAX_THRESHOLD

MAX_PATTERN_CHARACTERS = 512
_NOBODY = "nobody at all"  # neither URL nor e-mail address: a pattern that matches it would match everybody
_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_WORKFLOW = (
    ("workflow_trigger", 2),
    ("workflow_sha", 3),
    ("workflow_name", 4),
    ("workflow_repository", 5),
    ("workflow_ref", 6),
)


def check_policy(policy: Policy) -> str:
    """What the policy asks for, in words. Raises Fault when it would let anybody through, or cannot be understood."""
    if policy.require_timestamp and not policy.use_signed_timestamps:
        raise Fault("timestamps that count", "a policy that requires one and believes none")
    _check_period(policy)
    _check_threshold(policy)
    required.check(policy.required_types)
    if policy.key_pem:
        if policy.issuer or policy.issuer_regexp or policy.identity or policy.identity_regexp:
            raise Fault("either a key or an identity", "both")
        allowed = policy_keys(policy)
        if len(allowed) > 1 and not policy.whole_match:
            raise Fault("one key, as cosign takes it", f"{len(allowed)} keys")
        return " or ".join(f"key sha256:{key.fingerprint[:16]}…" for key in allowed)
    if not (policy.issuer or policy.issuer_regexp):
        raise Fault("an issuer", "none")
    if not (policy.identity or policy.identity_regexp):
        raise Fault("an identity", "none")
    for pattern in filter(None, (policy.issuer_regexp, policy.identity_regexp)):
        if len(pattern) > MAX_PATTERN_CHARACTERS:
            raise Fault(f"a pattern of at most {MAX_PATTERN_CHARACTERS} characters", f"{len(pattern)}")
        if _compiled(pattern).fullmatch(_NOBODY) and policy.whole_match:
            raise Fault("a pattern that somebody fails", f"{pattern[:60]}, which everybody matches")
    return "issuer and identity"


def _check_period(policy: Policy) -> None:
    ends = [end for end in (policy.not_before, policy.not_after) if end is not None]
    if ends and not policy.key_pem:
        raise Fault("a period of a key", "a period without a key: a certificate has its own")
    if any(end.tzinfo is None for end in ends):
        raise Fault("a period with a time zone", "one without")
    if len(ends) == 2 and ends[0] > ends[1]:
        raise Fault("a period that ends after it starts", f"{ends[0]:%Y-%m-%d} to {ends[1]:%Y-%m-%d}")


def _check_threshold(policy: Policy) -> None:
    if not 1 <= policy.threshold <= MAX_THRESHOLD:
        raise Fault(f"a threshold between 1 and {MAX_THRESHOLD}", str(policy.threshold))
    if policy.threshold > 1 and policy.identity:
        raise Fault(f"a policy that {policy.threshold} signers can meet", "one identity, which is one signer")
    if policy.key_pem and len(policy_keys(policy)) < policy.threshold:
        raise Fault(f"a policy that {policy.threshold} signers can meet", f"{len(policy_keys(policy))} of their keys")


def policy_keys(policy: Policy) -> tuple[PublicKey, ...]:
    """The keys of which any may sign. Raises Fault."""
    digest_algorithm(policy)
    try:
        return _loaded(policy.key_pem, policy.key_digest)
    except UnusableKey as error:
        raise Fault("a usable public key", str(error)) from None


@lru_cache(maxsize=64)
def _loaded(pem: str, digest: str) -> tuple[PublicKey, ...]:
    """Several checks of every signature ask for them."""
    return keys.from_pems(pem, _DIGESTS.get(digest))


def digest_algorithm(policy: Policy | None) -> hashes.HashAlgorithm | None:
    """The hash that the policy names for its key, None for the usual one of the key's kind."""
    if policy is None or not policy.key_digest:
        return None
    algorithm = _DIGESTS.get(policy.key_digest)
    if algorithm is None:
        raise Fault(f"one of {', '.join(_DIGESTS)}", policy.key_digest[:40])
    return algorithm


def check_issuer(described: verdict.Certificate, policy: Policy | None) -> str:
    """Raises Fault; a certificate that names two issuers or none is invalid under every policy."""
    first, second = (certificates.extension(described, number) for number in (1, 8))
    if first is not None and second is not None and first != second:
        raise Fault("one issuer", f"{first[:80]} and {second[:80]}", decisive=True)
    if not described.issuer:
        raise Fault("an issuer in the certificate", "none", decisive=True)
    if policy is not None and not _matches(described.issuer, policy.issuer, policy.issuer_regexp, policy):
        raise Fault(_wanted(policy.issuer, policy.issuer_regexp), described.issuer)
    return described.issuer


def check_identity(described: verdict.Certificate, policy: Policy) -> str:
    """One and the same name of the certificate must meet both the exact value and the pattern. Raises Fault."""
    for subject in described.subjects:
        if _matches(subject, policy.identity, policy.identity_regexp, policy):
            return subject
    raise Fault(_wanted(policy.identity, policy.identity_regexp), ", ".join(described.subjects) or "no name")


def check_workflow(described: verdict.Certificate, policy: Policy) -> str:
    """Raises Fault naming the first claim that differs."""
    met = []
    for field, number in _WORKFLOW:
        wanted = getattr(policy, field)
        if not wanted:
            continue
        found, name = certificates.extension(described, number), certificates.EXTENSION_NAMES[number]
        if found != wanted:
            raise Fault(f"{name} {wanted}", "no such claim" if found is None else found)
        met.append(f"{name} {found}")
    return ", ".join(met)


def asks_for_workflow(policy: Policy) -> bool:
    return any(getattr(policy, field) for field, _ in _WORKFLOW)


def is_anchored(pattern: str) -> bool:
    """Whether cosign, which searches anywhere, would match this pattern against the whole value only."""
    # A dollar behind a backslash is a dollar, and a z behind two is a z.
    ends = re.search(r"(?<!\\)(?:\\\\)*(?:\$|\\z)\Z", pattern) is not None
    return pattern.startswith(("^", "\\A")) and ends and "|" not in pattern


def _matches(value: str, exact: str, pattern: str, policy: Policy) -> bool:
    if exact and value != exact:
        return False
    if not pattern:
        return True
    compiled = _compiled(pattern)
    return (compiled.fullmatch(value) if policy.whole_match else compiled.search(value)) is not None


def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else "error"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise Fault("an RE2 pattern", f"{pattern[:60]!r}: {text[:80]}") from None


def _wanted(exact: str, pattern: str) -> str:
    return " and ".join(filter(None, (exact, f"/{pattern}/" if pattern else "")))
