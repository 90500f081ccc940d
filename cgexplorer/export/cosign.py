"""cosign's flags for a policy."""

from __future__ import annotations

from cgexplorer.store.judges import as_policy
from cgexplorer.store.models import PolicyRow

KEY = "cosign.pub"


def signer_flags(policy: PolicyRow | None, identity: str, issuer: str, key: str = KEY) -> list[str] | None:
    """Who must have signed. Without a policy the signer that was found; None when there is nobody to name."""
    if policy is None:
        if identity.startswith("key ") or not (identity and issuer):
            return None
        return [f"--certificate-identity={identity}", f"--certificate-oidc-issuer={issuer}"]
    if policy.key_pem:
        return [f"--key={key}"]
    wanted = as_policy(policy)
    flags = [
        ("--certificate-identity", policy.identity),
        ("--certificate-identity-regexp", _whole(policy.identity_regexp)),
        ("--certificate-oidc-issuer", policy.issuer),
        ("--certificate-oidc-issuer-regexp", _whole(policy.issuer_regexp)),
        ("--certificate-github-workflow-trigger", wanted.workflow_trigger),
        ("--certificate-github-workflow-sha", wanted.workflow_sha),
        ("--certificate-github-workflow-name", wanted.workflow_name),
        ("--certificate-github-workflow-repository", wanted.workflow_repository),
        ("--certificate-github-workflow-ref", wanted.workflow_ref),
    ]
    return [f"{name}={value}" for name, value in flags if value]


def waivers(policy: PolicyRow | None) -> list[str]:
    """What cosign must be told not to ask for, because the policy does not; and that it asks for a timestamp."""
    if policy is None:
        return []
    flags = [] if policy.require_log else ["--insecure-ignore-tlog"]
    if not policy.require_sct and not policy.key_pem:
        flags.append("--insecure-ignore-sct")
    return [*flags, "--use-signed-timestamps"] if policy.require_timestamp else flags


def _whole(pattern: str) -> str:
    """A policy's pattern is matched whole; cosign searches anywhere."""
    return f"^(?:{pattern})$" if pattern else ""
