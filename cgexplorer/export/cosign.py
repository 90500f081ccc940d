"""cosign's flags for a policy."""

from __future__ import annotations

import datetime as dt

from cgexplorer.store.judges import as_policy
from cgexplorer.store.models import PolicyRow
from cgexplorer.verify import keys, signer
from cgexplorer.verify.errors import Fault

KEY = "cosign.pub"
TIMESTAMP_AUTHORITY = "timestamp authority"  # the source of a time that no log vouches for


def key_files(policy: PolicyRow) -> dict[str, tuple[str, str]]:
    """Name and contents of a file for each of the policy's keys, by the identity of who signs with it."""
    pems = keys.blocks(policy.key_pem)
    try:
        found = signer.policy_keys(as_policy(policy))
    except Fault:  # nothing was ever verified with what cannot be read
        return {"": (KEY, policy.key_pem)}
    alone = len(found) == 1
    return {
        f"key sha256:{key.fingerprint}": (KEY if alone else f"cosign-{key.fingerprint[:8]}.pub", pem)
        for key, pem in zip(found, pems, strict=True)
    }


def signer_flags(policy: PolicyRow | None, identity: str, issuer: str, key: str = "") -> list[str] | None:
    """Who must have signed. Without a policy the signer that was found; None when there is nobody to name."""
    if policy is None:
        if identity.startswith("key ") or not (identity and issuer):
            return None
        return [f"--certificate-identity={identity}", f"--certificate-oidc-issuer={issuer}"]
    if policy.key_pem:
        files = key_files(policy)
        name, _ = files.get(identity, next(iter(files.values())))
        return [f"--key={key or name}"]
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


def how(policy: PolicyRow | None, time_source: str = "") -> list[str]:
    """What cosign must be told beside the signer: what the policy does not ask for, its times, its key's hash."""
    flags = ["--use-signed-timestamps"] if time_source == TIMESTAMP_AUTHORITY else []
    if policy is None:
        return flags
    if policy.require_timestamp:
        flags = ["--use-signed-timestamps"]
    if not policy.require_log:
        flags.append("--insecure-ignore-tlog")
    if not policy.require_sct and not policy.key_pem:
        flags.append("--insecure-ignore-sct")
    digest = policy.key_digest or _usual_digest(policy)
    return [*flags, f"--signature-digest-algorithm={digest}"] if digest else flags


def cannot_verify(policy: PolicyRow, identity: str) -> bool:
    """Whether the signature is by an Ed25519 key: stock cosign makes these and refuses them all."""
    return any(f"key sha256:{key.fingerprint}" == identity and key.kind == "Ed25519" for key in _keys(policy))


def _usual_digest(policy: PolicyRow) -> str:
    """That of a P-384 or P-521 key, which cosign has to be told; "" for SHA-256, and for keys that differ."""
    names = {key.hash_algorithms[0].name if key.hash_algorithms else "" for key in _keys(policy)}
    return names.pop() if len(names) == 1 and names.isdisjoint({"", "sha256"}) else ""


def _keys(policy: PolicyRow) -> tuple[keys.PublicKey, ...]:
    try:
        return tuple(signer.policy_keys(as_policy(policy))) if policy.key_pem else ()
    except Fault:
        return ()


def unasked(policy: PolicyRow) -> list[str]:
    """Sentences about what this policy asks and no flag of cosign can."""
    who, found = f"Policy {policy.name} v{policy.version}", []
    if policy.max_age_s:
        age = dt.timedelta(seconds=policy.max_age_s)
        found.append(f"{who} wants signatures at most {age} old; cosign compares no age.")
    if policy.not_before or policy.not_after:
        window = " ".join(
            f"{word} {moment:%Y-%m-%d %H:%M:%S} UTC"
            for word, moment in (("from", policy.not_before), ("until", policy.not_after))
            if moment is not None
        )
        found.append(f"{who} believes its key {window} only; cosign knows no such window.")
    if policy.threshold > 1:
        found.append(f"{who} asks for {policy.threshold} distinct signers; cosign is content with one.")
    if policy.annotations:
        found.append(f"{who} asks for annotations of signatures; cosign compares none of a blob or an attestation.")
    return found


def _whole(pattern: str) -> str:
    """A policy's pattern is matched whole; cosign searches anywhere."""
    return f"^(?:{pattern})$" if pattern else ""
