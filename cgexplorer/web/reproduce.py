"""Commands of stock cosign (3.x) that check exactly what a page shows.

A digest is named, never a tag or a platform: `verify-attestation` knows no --platform, and a tag may have moved.
"""

from __future__ import annotations

import shlex

import msgspec

from cgexplorer.export.cosign import signer_flags, waivers
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
    flags = signer_flags(policy, identity, issuer)
    if flags is None:
        return ()
    flags += waivers(policy)
    if trust_root and (trust_root.is_sample or trust_root.name != PUBLIC_GOOD):
        flags.append("--trusted-root=trusted_root.json")
    if policy and policy.key_digest:
        flags.append(f"--signature-digest-algorithm={policy.key_digest}")
    reference = f"{manifest.image.name}@{manifest.digest}"
    # verify-attestation knows no annotations.
    annotations = [f"--annotations={key}={value}" for key, value in (policy.annotations if policy else {}).items()]
    commands = [Command("Signature", _lines("cosign verify", [*flags, *annotations, reference]))]
    for predicate_type in predicate_types:
        arguments = [f"--type={predicate_type}", *flags, reference]
        commands.append(Command(f"{label(predicate_type)} attestation", _lines("cosign verify-attestation", arguments)))
    return tuple(commands)


def ours(command: Command) -> Command:
    """The same line for cgexplorer's own verifier, which takes cosign's flags."""
    return Command(command.title, command.text.replace("cosign ", "python -m cgexplorer.verify ", 1))


def _lines(program: str, arguments: list[str]) -> str:
    return " \\\n".join([program, *(f"  {shlex.quote(argument)}" for argument in arguments)])
