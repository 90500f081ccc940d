"""Commands of stock cosign (3.x) that check exactly what a report shows.

A digest is named, never a tag or a platform: `verify-attestation` knows no --platform, and a tag may have moved.
"""

from __future__ import annotations

import shlex

import msgspec

from cgexplorer.export.cosign import how, signer_flags
from cgexplorer.oci.evidence import Kind
from cgexplorer.predicates import label
from cgexplorer.store.models import Manifest, PolicyRow, TrustRoot
from cgexplorer.store.queries.verification import Report
from cgexplorer.verify.trust_root import PUBLIC_GOOD


class Command(msgspec.Struct, frozen=True):
    title: str
    text: str


def commands(report: Report) -> tuple[Command, ...]:
    """`verify` when there is a signature, and `verify-attestation` for each predicate type."""
    first = report.decisive
    attested = [one.row.predicate_type for one in report.judged if one.evidence.kind == Kind.ATTESTATION]
    found = cosign(
        report.manifest,
        first.row.policy if first and first.row.policy else next(iter(report.policies), None),
        tuple(dict.fromkeys(filter(None, attested))),
        report.trust_roots[0] if report.trust_roots else None,
        identity=first.row.identity if first else "",
        issuer=first.row.issuer if first else "",
        time_source=first.row.time_source if first else "",
    )
    return found if any(one.evidence.kind == Kind.SIGNATURE for one in report.judged) else found[1:]


def cosign(
    manifest: Manifest,
    policy: PolicyRow | None,
    predicate_types: tuple[str, ...] = (),
    trust_root: TrustRoot | None = None,
    *,
    identity: str = "",
    issuer: str = "",
    time_source: str = "",
) -> tuple[Command, ...]:
    """`verify`, and `verify-attestation` for each predicate type. Without a policy the signer that was found is asked
    for: the page has to say that nobody said who should sign."""
    flags = signer_flags(policy, identity, issuer)
    if flags is None:
        return ()
    flags += how(policy, time_source)
    if trust_root and (trust_root.is_sample or trust_root.name != PUBLIC_GOOD):
        flags.append("--trusted-root=trusted_root.json")
    reference = f"{manifest.image.name}@{manifest.digest}"
    # verify-attestation knows no annotations.
    annotations = [f"--annotations={key}={value}" for key, value in (policy.annotations if policy else {}).items()]
    found = [Command("Signature", _lines("cosign verify", [*flags, *annotations, reference]))]
    for predicate_type in predicate_types:
        arguments = [f"--type={predicate_type}", *flags, reference]
        found.append(Command(f"{label(predicate_type)} attestation", _lines("cosign verify-attestation", arguments)))
    return tuple(found)


def ours(command: Command) -> Command:
    """The same line for cgexplorer's own verifier, which takes cosign's flags."""
    return Command(command.title, command.text.replace("cosign ", "python -m cgexplorer.verify ", 1))


def _lines(program: str, arguments: list[str]) -> str:
    return " \\\n".join([program, *(f"  {shlex.quote(argument)}" for argument in arguments)])
