"""Commands of stock cosign (3.x) that check exactly what a page shows.

A digest is named, never a tag or a platform: `verify-attestation` knows no --platform, and a tag may have moved.
"""

from __future__ import annotations

import shlex

import msgspec

from cgexplorer.predicates import label
from cgexplorer.store.models import Manifest, PolicyRow, TrustRoot

PUBLIC_GOOD = "Sigstore public good"


class Command(msgspec.Struct, frozen=True):
    title: str
    text: str


def cosign(
    manifest: Manifest,
    policy: PolicyRow | None,
    predicate_types: tuple[str, ...] = (),
    trust_root: TrustRoot | None = None,
    *,
    identity: str = "",
    issuer: str = "",
) -> tuple[Command, ...]:
    """`verify`, and `verify-attestation` for each predicate type. Without a policy the signer that was found is asked
    for: the page has to say that nobody said who should sign."""
    flags = _signer_flags(policy, identity, issuer)
    if flags is None:
        return ()
    if policy and not policy.require_log:
        flags.append("--insecure-ignore-tlog")
    if policy and not policy.require_sct and not policy.key_pem:
        flags.append("--insecure-ignore-sct")
    if trust_root and (trust_root.is_sample or trust_root.name != PUBLIC_GOOD):
        flags.append("--trusted-root=trusted_root.json")
    reference = f"{manifest.image.name}@{manifest.digest}"
    commands = [Command("Signature", _lines("cosign verify", [*flags, reference]))]
    for predicate_type in predicate_types:
        arguments = [f"--type={predicate_type}", *flags, reference]
        commands.append(Command(f"{label(predicate_type)} attestation", _lines("cosign verify-attestation", arguments)))
    return tuple(commands)


def ours(command: Command) -> Command:
    """The same line for cgexplorer's own verifier, which takes cosign's flags."""
    return Command(command.title, command.text.replace("cosign ", "python -m cgexplorer.verify ", 1))


def _signer_flags(policy: PolicyRow | None, identity: str, issuer: str) -> list[str] | None:
    if policy is None:
        if identity.startswith("key ") or not (identity and issuer):
            return None
        return [f"--certificate-identity={identity}", f"--certificate-oidc-issuer={issuer}"]
    if policy.key_pem:
        return ["--key=cosign.pub"]
    flags = [
        ("--certificate-identity", policy.identity),
        ("--certificate-identity-regexp", _whole(policy.identity_regexp)),
        ("--certificate-oidc-issuer", policy.issuer),
        ("--certificate-oidc-issuer-regexp", _whole(policy.issuer_regexp)),
    ]
    return [f"{name}={value}" for name, value in flags if value]


def _whole(pattern: str) -> str:
    """A policy's pattern is matched whole; cosign searches anywhere."""
    return f"^(?:{pattern})$" if pattern else ""


def _lines(program: str, arguments: list[str]) -> str:
    return " \\\n".join([program, *(f"  {shlex.quote(argument)}" for argument in arguments)])
