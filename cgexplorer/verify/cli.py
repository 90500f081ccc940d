"""The stand-alone verifier: cosign's commands and flags, our checks and report.

Exit: 0 something that meets the flags is verified, 1 nothing does, 2 usage, 3 could not check.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci import docker_config, registry
from cgexplorer.oci import evidence as evidences
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError, ReferenceError
from cgexplorer.oci.evidence import Discovery, Evidence, Form, Kind
from cgexplorer.oci.layout import Layout
from cgexplorer.oci.origin import Trusted
from cgexplorer.oci.source import Source
from cgexplorer.verify import clock, flags, report, text
from cgexplorer.verify.errors import TrustRootError
from cgexplorer.verify.flags import UsageError
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import State, Verdict
from cgexplorer.verify.verifier import Verifier

VERIFIED, NOTHING, USAGE, COULD_NOT_CHECK = 0, 1, 2, 3
MAX_BUNDLE_BYTES = 128 << 20
MAX_ARTIFACT_BYTES = 1 << 30
MAX_CONFIG_BYTES = 4 << 20


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = flags.parser().parse_args(flags.explicit_switches(given))
    except SystemExit as stop:  # argparse has printed what is wrong, or the help
        return USAGE if stop.code else VERIFIED
    try:
        for warning in flags.warnings(options):
            print(f"warning: {warning}", file=sys.stderr)
        if wrong := clock.doubt((clock.shipped(),), dt.datetime.now(dt.UTC)):
            print(f"error: {wrong}", file=sys.stderr)
            return COULD_NOT_CHECK
        return verify_bundle(options) if options.command == "verify-bundle" else verify_image(options)
    except (UsageError, ReferenceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except (OciError, TrustRootError) as error:
        print(f"error: {error}", file=sys.stderr)
        return COULD_NOT_CHECK


def verify_image(options: argparse.Namespace) -> int:
    """`verify` and `verify-attestation`: everything stored beside one digest, judged one by one."""
    policy, verifier = flags.policy(options), Verifier(flags.root(options))
    wanted = flags.predicate_type(options.type) if options.command == "verify-attestation" else None
    kind = Kind.SIGNATURE if wanted is None else Kind.ATTESTATION
    with _source(options) as (source, repository, digest):
        name = f"{source.host}/{repository}" if isinstance(source, registry.Registry) else ""
        discovery = evidences.discover(source, repository, digest, name=name, only=kind)
        platform = _platform(source, repository, digest) if options.output == "json" else None
    now = dt.datetime.now(dt.UTC)
    pairs = _judge(verifier, discovery, policy, wanted, now)
    subject = report.subject_row(pairs, discovery, kind, platform, policy=policy, root=verifier.root, now=now)
    if options.layout is None:
        reference = f"{references.parse(options.subject).name}@{discovery.subject}"
        command = report.CommandRow(options.command, flags.cosign_command(options, reference))
        subject = msgspec.structs.replace(subject, commands=(command,))
    answer = _report(options, subject)
    _print(answer, options)
    return _exit_code(subject.state)


def verify_bundle(options: argparse.Namespace) -> int:
    """The protocol of the sigstore-conformance suite: exit 0 means verified."""
    policy, verifier = flags.policy(options), Verifier(flags.root(options))
    raw = flags.read_file(options.bundle, MAX_BUNDLE_BYTES)
    artifact: bytes | str = options.subject
    if not digests.is_digest(options.subject) or Path(options.subject).exists():  # a file may have such a name
        artifact = flags.read_file(Path(options.subject), MAX_ARTIFACT_BYTES)
    now = dt.datetime.now(dt.UTC)
    verdict = verifier.verify_bundle(raw, artifact, policy, now=now)
    digest = digests.of(artifact) if isinstance(artifact, bytes) else artifact
    evidence = Evidence(digest, Form.BUNDLE, verdict.kind, "", "", raw)
    discovery = Discovery(digest, (evidence,), ())
    subject = report.subject_row(
        [(evidence, verdict)], discovery, verdict.kind, policy=policy, root=verifier.root, now=now
    )
    _print(_report(options, subject), options)
    return _exit_code(verdict.state)


@contextmanager
def _source(options: argparse.Namespace) -> Iterator[tuple[Source, str, str]]:
    """Where the image is read from, its repository there, and its digest. Raises OciError, ReferenceError."""
    if options.layout is not None:
        with Layout(options.layout) as layout:
            if digests.is_digest(options.subject):
                yield layout, "", options.subject
                return
            if options.subject in layout.tags(""):  # a bare word is a tag here, not a repository of Docker Hub
                yield layout, "", layout.resolve("", options.subject)
                return
            named = references.parse(options.subject)
            spellings = (named.name, named.repository)
            known = [name for name in spellings if any(entry.is_of(name) for entry in layout.entries)]
            repository = known[0] if known else named.repository
            yield layout, repository, named.digest or layout.resolve(repository, named.tag)
        return
    named = references.parse(options.subject)
    insecure = frozenset({named.registry}) if options.allow_http_registry else frozenset[str]()
    # Whoever types the name of a host in their own network means it. Where it then leads is checked all the same.
    trusted = Trusted(insecure=insecure, private=frozenset({named.registry}))
    with registry.connect(named, trusted=trusted, docker_config=docker_config.default_path()) as source:
        yield source, named.repository, named.digest or source.resolve(named.repository, named.tag)


def _judge(
    verifier: Verifier, discovery: Discovery, policy: Policy, wanted: str | None, now: dt.datetime
) -> list[tuple[Evidence, Verdict]]:
    """A verdict on each signature, or on each attestation of the wanted type.

    When there is none, the others are shown failing the type check: cosign takes any attestation bundle for a
    signature.
    """
    kind = Kind.SIGNATURE if wanted is None else Kind.ATTESTATION

    def verdict(item: Evidence, predicate_type: str | None = None) -> Verdict:
        rules = flags.policy_for(item.form, policy)
        return verifier.verify(item, discovery.subject, rules, predicate_type=predicate_type, now=now)

    stored = [item for item in discovery.evidence if item.kind is kind]
    pairs = [(item, verdict(item)) for item in stored]
    relevant = [pair for pair in pairs if wanted is None or pair[1].predicate_type in ("", wanted)]
    if relevant:
        return relevant
    others = stored or [item for item in discovery.evidence if item.form is Form.BUNDLE]
    asked = [msgspec.structs.replace(item, kind=kind) for item in others]
    return [(item, msgspec.structs.replace(verdict(item, wanted), kind=kind)) for item in asked]


def _platform(source: Source, repository: str, digest: str) -> str | None:
    """`linux/arm64`, None for an index or when the image's own configuration is not at hand."""
    try:
        manifest = source.manifest(repository, digest)
        if manifest.is_index or manifest.config is None or manifest.config.size > MAX_CONFIG_BYTES:
            return None
        config = json.loads(source.blob(repository, manifest.config.digest, manifest.config.size))
    except (OciError, ValueError, RecursionError):
        return None
    parts = [config.get(name) for name in ("os", "architecture", "variant")] if isinstance(config, dict) else []
    return "/".join(part for part in parts if isinstance(part, str) and part) or None


def _report(options: argparse.Namespace, subject: report.SubjectRow) -> report.Report:
    return report.Report(
        reference=options.subject,
        digest=subject.digest,
        state=subject.state,
        subjects=(subject,),
        warnings=flags.warnings(options),
    )


def _exit_code(state: State) -> int:
    if state is State.VERIFIED:
        return VERIFIED
    return COULD_NOT_CHECK if state is State.COULD_NOT_CHECK else NOTHING


def _print(answer: report.Report, options: argparse.Namespace) -> None:
    print(
        report.to_json(answer) if options.output == "json" else text.render(answer),
        end="\n" if options.output == "json" else "",
    )
