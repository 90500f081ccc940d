"""The signed documents of one digest beside each other, filled from what one run judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

import msgspec

from cgexplorer import cross_checks as checks
from cgexplorer.cross_checks import Build, Contents, Documents, Row, Runtime, Signer
from cgexplorer.oci.evidence import Kind
from cgexplorer.predicates import APKO, PROVENANCE_TYPES, PredicateError, apko, slsa
from cgexplorer.predicates.reading import get, text
from cgexplorer.spdx.document import CONTENTS, Document, Package, Role
from cgexplorer.store import blobs
from cgexplorer.store.models import Payload, Sbom, SbomDetail
from cgexplorer.store.queries import attestations, image_configuration, payloads, pruned
from cgexplorer.store.queries.attestations import SIGNED
from cgexplorer.store.queries.verification import Judged, Report
from cgexplorer.verify.verdict import Certificate, State

MAX_SIGNATURES = 8  # whose names are compared
MAX_SBOMS = 8  # the best, of which one of each format is read
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def of(report: Report) -> tuple[Row, ...]:
    """Rows of this run's evidence whose signature holds; () when there is none of it."""
    held = sorted((one for one in report.judged if one.row.state in SIGNED), key=_place)
    if not held:
        return ()
    sbom = _first(held, lambda one: one.evidence.sbom_id is not None)
    configuration = _first(held, lambda one: one.row.predicate_type == APKO)
    provenance = _first(held, lambda one: one.row.predicate_type in PROVENANCE_TYPES)
    compared = [one for one in (sbom, configuration, provenance) if one is not None]
    signatures = [one for one in held if one.evidence.kind == Kind.SIGNATURE][:MAX_SIGNATURES]
    _load(report, compared + signatures)
    contents = _contents(sbom, held)
    return checks.cross_checks(
        Documents(
            digest=report.manifest.digest,
            name=report.manifest.image.name,
            references=tuple(filter(None, map(_reference, signatures))),
            subjects=tuple(filter(None, map(_subjects, compared))),
            sbom=contents.of_the_best,
            spdx=contents.purls.get("spdx"),
            cyclonedx=contents.purls.get("cyclonedx"),
            apko=_parsed(apko.parse, configuration),
            provenance=_parsed(slsa.parse, provenance),
            runtime=_runtime(report),
            build=_build(provenance.certificate if provenance else None),
            signers=tuple(map(_signer, held)),
        )
    )


def _place(one: Judged) -> tuple[int, int]:
    """The most trusted first, of these the newest."""
    return SIGNED.index(State(one.row.state)), -one.evidence.pk


def _first(held: list[Judged], wanted: Callable[[Judged], bool]) -> Judged | None:
    attested = (one for one in held if one.evidence.kind == Kind.ATTESTATION)
    return next((one for one in attested if wanted(one)), None)


def _load(report: Report, compared: list[Judged]) -> None:
    """All bytes that will be read, in one query."""
    owners = [(one.evidence, "payload") for one in compared] + [(report.manifest, "config")]
    found = Payload.objects.in_bulk({bytes(key) for owner, name in owners if (key := getattr(owner, f"{name}_id"))})
    by_key = {bytes(key): payload for key, payload in found.items()}
    for owner, name in owners:
        key = getattr(owner, f"{name}_id")
        if key:
            setattr(owner, name, by_key[bytes(key)])


def _subjects(one: Judged) -> tuple[str, ...]:
    header = attestations.header(one.evidence)
    digests = (get(subject, "digest", "sha256") for subject in (header.subject if header else ()))
    return tuple(f"sha256:{text(digest)}" for digest in digests if isinstance(digest, str))


class _Identity(msgspec.Struct):
    reference: str = msgspec.field(name="docker-reference", default="")


class _Critical(msgspec.Struct):
    identity: _Identity = msgspec.field(default_factory=_Identity)


class _Signed(msgspec.Struct):
    """What a classic signature is over; other forms say no name."""

    critical: _Critical = msgspec.field(default_factory=_Critical)


def _reference(one: Judged) -> str:
    if one.evidence.payload is None:
        return ""
    try:
        return msgspec.json.decode(payloads.content(one.evidence.payload), type=_Signed).critical.identity.reference
    except msgspec.DecodeError:
        return ""


class _Listed(msgspec.Struct, frozen=True):
    of_the_best: Contents | None
    purls: dict[str, frozenset[str]]  # by format; without an entry: no such document, or none that could be read


def _contents(best: Judged | None, held: list[Judged]) -> _Listed:
    """The SBOMs as they were parsed, also of rows that were pruned; nothing of those that could not be parsed."""
    if best is None:
        return _Listed(None, {})
    attested = [one.evidence.sbom_id for one in held if one.evidence.kind == Kind.ATTESTATION]
    ids = [pk for pk in dict.fromkeys(attested) if pk is not None][:MAX_SBOMS]
    sboms = Sbom.objects.filter(pk__in=ids).select_related("detail").defer("detail__files").in_bulk()
    of_each = {sboms[pk].format: pk for pk in reversed(ids) if sboms[pk].format}
    chosen = best.evidence.sbom_id
    # What only one format says needs no comparing: its packages stay where they are.
    wanted = {chosen, *(of_each.values() if len(of_each) > 1 else ())}
    found = {pk: read for pk in ids if pk in wanted and (read := _read(sboms[pk])) is not None}
    purls = {form: _purls(found[pk].packages) for form, pk in of_each.items() if pk in found}
    return _Listed(_described(found[chosen]) if chosen in found else None, purls)


def _read(sbom: Sbom) -> Document | None:
    detail: SbomDetail | None = getattr(sbom, "detail", None)
    if detail is None:
        return pruned.document(sbom)
    return msgspec.structs.replace(blobs.document(detail), packages=blobs.packages(detail))


def _purls(packages: Iterable[Package]) -> frozenset[str]:
    contents = (one for one in packages if one.role in CONTENTS)
    return frozenset(one.purl.partition("#")[0].partition("?")[0] for one in contents if one.purl)


def _described(document: Document) -> Contents:
    packages = document.packages
    apks = (one for one in packages if one.ecosystem == "apk" and one.role is Role.INSTALLED)
    return Contents(
        described=tuple(
            dict.fromkeys(
                digest
                for place in document.described
                if 0 <= place < len(packages)
                for digest in _digests(packages[place])
            )
        ),
        apks=frozenset((apk.name, apk.version) for apk in apks),
    )


def _digests(package: Package) -> Iterator[str]:
    """Of an image, as generators write it: in its checksums, its name, its version, or its purl."""
    yield from (f"sha256:{one.value}" for one in package.checksums if one.algorithm == "SHA256")
    for stated in (package.name, package.version, *package.purls):
        yield from _DIGEST.findall(unquote(stated))


def _parsed[Parsed](parse: Callable[[bytes], Parsed], one: Judged | None) -> Parsed | None:
    """None when there is no such document, or none that can be read: its own page says why."""
    if one is None:
        return None
    try:
        return parse(payloads.predicate(one.evidence))
    except PredicateError:
        return None


def _runtime(report: Report) -> Runtime | None:
    found = image_configuration.of(report.manifest)
    if found is None:
        return None
    return Runtime(found.entrypoint, found.cmd, found.user, found.working_dir, found.environment)


def _build(certificate: Certificate | None) -> Build | None:
    if certificate is None:
        return None
    stated = {one.name: one.value for one in certificate.extensions}
    return Build(
        repository=stated.get("Source Repository URI", "") or stated.get("GitHub Workflow Repository", ""),
        commit=stated.get("Source Repository Digest", "") or stated.get("GitHub Workflow SHA", ""),
        started=stated.get("Build Config URI", ""),
        # Certificates before 2023 name the workflow only as their subject.
        signing=stated.get("Build Signer URI", "") or next(filter(_is_workflow, certificate.subjects), ""),
        run=stated.get("Run Invocation URI", ""),
    )


def _is_workflow(subject: str) -> bool:
    return "/.github/workflows/" in subject


def _signer(one: Judged) -> Signer:
    return Signer(one.row.identity, one.row.issuer, one.certificate.sha256 if one.certificate else "")
