"""cosign's flags, so that a line copied from a cosign document works after its first word is replaced."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import msgspec

from cgexplorer.oci.evidence import Form
from cgexplorer.verify import signer, trust_root
from cgexplorer.verify.errors import Fault
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.trust_root import TrustRoot

MAX_KEY_BYTES = 64 << 10
# Source: cosign pkg/cosign/attestation `options.PredicateType`.
SHORT_TYPES = {
    "custom": "https://cosign.sigstore.dev/attestation/v1",
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "spdx": "https://spdx.dev/Document",
    "spdxjson": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "link": "https://in-toto.io/Link/v1",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
    "openvex": "https://openvex.dev/ns",
}
_SWITCHES = (
    "--insecure-ignore-tlog",
    "--insecure-ignore-sct",
    "--use-signed-timestamps",
    "--offline",
    "--allow-http-registry",
    "--check-claims",
    "--new-bundle-format",
    "--experimental-oci11",
    "--private-infrastructure",
    "--staging",
)


class UsageError(Exception):
    """The flags contradict each other or name something that is not there. `str(error)` is a sentence."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m cgexplorer.verify", allow_abbrev=False, description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (
        ("verify", "verify the signatures of an image"),
        ("verify-attestation", "verify the attestations of an image"),
        ("verify-bundle", "verify a Sigstore bundle over a file or digest"),
    ):
        command = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
        _add_signer_flags(command)
        if name == "verify-bundle":
            command.add_argument("--bundle", required=True, type=Path, metavar="FILE")
            command.add_argument("subject", metavar="FILE|sha256:HEX")
            continue
        command.add_argument("--layout", type=Path, metavar="DIR", help="read from this OCI layout, not a registry")
        command.add_argument("-a", "--annotations", action="append", default=[], metavar="K=V")
        if name == "verify-attestation":
            command.add_argument(
                "--type", default="custom", metavar="TYPE", help="predicate type, or cosign's short name"
            )
        command.add_argument("subject", metavar="REF")
    return top


def _add_signer_flags(command: argparse.ArgumentParser) -> None:
    for flag in ("identity", "oidc-issuer"):
        command.add_argument(f"--certificate-{flag}", default="", metavar="VALUE")
        command.add_argument(f"--certificate-{flag}-regexp", default="", metavar="RE2")
    for claim in ("trigger", "sha", "name", "repository", "ref"):
        command.add_argument(f"--certificate-github-workflow-{claim}", default="", metavar="VALUE")
    command.add_argument("--key", type=Path, metavar="PEM")
    command.add_argument("--trusted-root", type=Path, metavar="FILE", help="default: Sigstore's public instance")
    command.add_argument("--signature-digest-algorithm", default="", choices=("sha256", "sha384", "sha512"))
    command.add_argument("-o", "--output", choices=("text", "json"), default="text")
    command.add_argument("--rekor-url", default="", help="accepted for cosign's sake: nothing is ever asked online")
    for switch in _SWITCHES:
        # Timestamps count unless told otherwise; only who asks for them in so many words requires them.
        default = {"--check-claims": True, "--use-signed-timestamps": None}.get(switch, False)
        command.add_argument(switch, type=_boolean, default=default, metavar="BOOL")


def explicit_switches(arguments: list[str]) -> list[str]:
    """`--offline` means `--offline=true`, as in Go, where the next word is never its value."""
    return [f"{item}=true" if item in _SWITCHES else item for item in arguments]


def policy(options: argparse.Namespace) -> Policy:
    """The policy that the flags describe. Raises UsageError when it names no signer or cannot be understood."""
    if not options.check_claims:
        raise UsageError("--check-claims=false is not supported: a signature of another image proves nothing.")
    made = Policy(
        name="flags",
        issuer=options.certificate_oidc_issuer,
        issuer_regexp=options.certificate_oidc_issuer_regexp,
        identity=options.certificate_identity,
        identity_regexp=options.certificate_identity_regexp,
        key_pem=read_file(options.key, MAX_KEY_BYTES).decode("ascii", "replace") if options.key else "",
        key_digest=options.signature_digest_algorithm,
        workflow_trigger=options.certificate_github_workflow_trigger,
        workflow_sha=options.certificate_github_workflow_sha,
        workflow_name=options.certificate_github_workflow_name,
        workflow_repository=options.certificate_github_workflow_repository,
        workflow_ref=options.certificate_github_workflow_ref,
        annotations=tuple(_pair(item) for text in getattr(options, "annotations", []) for item in text.split(",")),
        require_log=not options.insecure_ignore_tlog,
        require_sct=not options.insecure_ignore_sct,
        use_signed_timestamps=options.use_signed_timestamps is not False,
        require_timestamp=options.use_signed_timestamps is True,
        whole_match=False,
    )
    try:
        signer.check_policy(made)
    except Fault as fault:
        raise UsageError(
            f"The flags do not say who must have signed: expected {fault.expected}, found {fault.found}. Give "
            "--certificate-identity and --certificate-oidc-issuer (or their -regexp forms), or --key."
        ) from None
    return made


def policy_for(form: Form, given: Policy) -> Policy:
    """cosign with `--use-signed-timestamps` demands one of each bundle, and only looks at those of the classic form."""
    return given if form is Form.BUNDLE else msgspec.structs.replace(given, require_timestamp=False)


def root(options: argparse.Namespace) -> TrustRoot:
    """Raises UsageError when the file is missing, TrustRootError when it is no trusted root."""
    if options.trusted_root is None:
        return trust_root.staging() if options.staging else trust_root.public_good()
    return trust_root.load(read_file(options.trusted_root, trust_root.MAX_BYTES), str(options.trusted_root))


def predicate_type(name: str) -> str:
    """URI of cosign's short name. Raises UsageError for a word that is neither."""
    if name in SHORT_TYPES:
        return SHORT_TYPES[name]
    if not re.match(r"[a-z][a-z0-9+.-]*:", name):
        raise UsageError(f"--type {name!r} is neither a URI nor one of {', '.join(SHORT_TYPES)}.")
    return name


def warnings(options: argparse.Namespace) -> tuple[str, ...]:
    """What a person should know about the patterns and waivers that were given."""
    found = [
        f"{flag} is searched anywhere, as cosign does: {pattern!r} also matches longer names. Anchor it with ^ and $."
        for flag, pattern in (
            ("--certificate-identity-regexp", options.certificate_identity_regexp),
            ("--certificate-oidc-issuer-regexp", options.certificate_oidc_issuer_regexp),
        )
        if pattern and not signer.is_anchored(pattern)
    ]
    if options.insecure_ignore_tlog:
        found.append("--insecure-ignore-tlog: a signature need not be in any transparency log.")
    if options.insecure_ignore_sct:
        found.append("--insecure-ignore-sct: a certificate need not be in any certificate transparency log.")
    return tuple(found)


def cosign_command(options: argparse.Namespace, reference: str) -> str:
    """The same question to stock cosign 3, about this digest."""
    values = [name for name in vars(options) if name.startswith("certificate_")]
    words = [(name, getattr(options, name)) for name in (*values, "key", "trusted_root", "signature_digest_algorithm")]
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in words if value]
    switches = ("insecure_ignore_tlog", "insecure_ignore_sct", "allow_http_registry")
    flags += [f"--{name.replace('_', '-')}" for name in switches if getattr(options, name)]
    if options.command == "verify":
        flags += [f"--annotations={one}" for one in options.annotations]
    else:
        flags.append(f"--type={predicate_type(options.type)}")
    return " ".join(["cosign", options.command, *map(shlex.quote, flags), shlex.quote(reference)])


def read_file(path: Path, max_bytes: int) -> bytes:
    """Raises UsageError when it is missing or too large."""
    try:
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    if len(raw) > max_bytes:
        raise UsageError(f"{path} is larger than {max_bytes} bytes.")
    return raw


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--annotations {text!r} is not KEY=VALUE.")
    return key, value


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false") from None
