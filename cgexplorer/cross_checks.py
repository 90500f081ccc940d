"""Whether the signed documents of one digest tell the same story. They inform; no state of trust hangs on them.

Each document is believed for itself: its signature holds. What is asked here is whether they agree with each other,
with the manifest, and with the certificate of who signed them. What one of them is silent about is `not-run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import ReferenceError
from cgexplorer.predicates import apko_made
from cgexplorer.predicates.apko import ImageConfiguration
from cgexplorer.predicates.reading import Leaf
from cgexplorer.predicates.slsa import Provenance
from cgexplorer.verify.verdict import Outcome

MAX_NAMED = 3  # differing names that a row lists
MAX_TEXT_CHARACTERS = 500

_RUN = re.compile(r"(?:https://github\.com/[^/\s]+/[^/\s]+/actions/runs/)?(\d{1,20})(?:(?:/attempts/|-)(\d{1,6}))?")
_WORKFLOW = re.compile(r"(?:https://)?[^/\s]+/[^\s]+/\.github/workflows/[^@\s]+(?:@\S+)?")


class Name(StrEnum):
    """In the order of the report."""

    DIGEST = "digest"
    REFERENCE = "reference"
    APKO_PACKAGES = "apko-packages"
    SLSA_PACKAGES = "slsa-packages"
    SBOM_FORMATS = "sbom-formats"
    IMAGE_CONFIGURATION = "image-configuration"
    SIGNER = "signer"
    COMMIT = "commit"
    WORKFLOW = "workflow"
    RUN = "run"


class Row(msgspec.Struct, frozen=True):
    name: Name
    outcome: Outcome
    expected: str
    found: str


class Contents(msgspec.Struct, frozen=True):
    """What an SBOM says of the image."""

    described: tuple[str, ...] = ()  # sha256 digests of what the document describes
    apks: frozenset[Leaf] = frozenset()  # name and version


class Runtime(msgspec.Struct, frozen=True):
    """What a container runtime reads, of the image configuration."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    environment: tuple[Leaf, ...] = ()


class Build(msgspec.Struct, frozen=True):
    """What the certificate of whoever signed the provenance says of the build; "" where it says nothing."""

    repository: str = ""  # "https://github.com/acme/images"
    commit: str = ""
    started: str = ""  # the workflow that was started; certificates before 2023 do not name it
    signing: str = ""  # the workflow that signed: the same, or a reusable one that it called
    run: str = ""


class Signer(msgspec.Struct, frozen=True):
    identity: str
    issuer: str
    certificate_sha256: str = ""  # "" for a key


class Documents(msgspec.Struct, frozen=True):
    """All that is compared, from evidence whose signature holds. None: there is no such document."""

    digest: str  # of the manifest, "sha256:…"
    name: str = ""  # of the image here
    references: tuple[str, ...] = ()  # names of the image in its signatures; a signature may say none
    subjects: tuple[tuple[str, ...], ...] = ()  # sha256 digests, of each attestation
    sbom: Contents | None = None
    spdx: frozenset[str] | None = None  # purls of the contents, without qualifiers
    cyclonedx: frozenset[str] | None = None
    apko: ImageConfiguration | None = None
    provenance: Provenance | None = None
    runtime: Runtime | None = None
    build: Build | None = None
    signers: tuple[Signer, ...] = ()  # one of each piece of evidence


def cross_checks(documents: Documents) -> tuple[Row, ...]:
    """One row for each question, in the order of the report."""
    return (
        _digest(documents),
        _reference(documents),
        _apko_packages(documents),
        _slsa_packages(documents),
        _sbom_formats(documents),
        _image_configuration(documents),
        _signer(documents),
        _commit(documents),
        _workflow(documents),
        _run(documents),
    )


def _digest(given: Documents) -> Row:
    expected = f"manifest {given.digest}"
    if not given.subjects:
        return _not_run(Name.DIGEST, expected, "no attestation to compare with")
    foreign = {digest for one in given.subjects if given.digest not in one for digest in one}
    described = given.sbom.described if given.sbom else ()
    if foreign:
        return _failed(Name.DIGEST, expected, f"attested is {_named(foreign)}")
    if given.sbom is None:
        return _not_run(Name.DIGEST, expected, "attested is the same; there is no SBOM that could be read")
    if not described:
        return _not_run(Name.DIGEST, expected, "attested is the same; the SBOM names no digest of what it describes")
    if given.digest not in described:
        return _failed(Name.DIGEST, expected, f"attested is the same, but the SBOM describes {_named(described)}")
    count = len(given.subjects)
    said = f"the same as subject of {count} attestation{'s' if count != 1 else ''} and described by the SBOM"
    return _passed(Name.DIGEST, expected, said)


def _reference(given: Documents) -> Row:
    """A copy keeps the name under which it was signed: no fault, but the reader should know."""
    expected = f"image {given.name}"
    if not given.references:
        return _not_run(Name.REFERENCE, expected, "no signature says a name")
    signed = {_image_name(one) for one in given.references}
    same = signed == {_image_name(given.name)}
    return _row(Name.REFERENCE, Outcome.PASSED if same else Outcome.FAILED, expected, f"signed as {_named(signed)}")


def _image_name(reference: str) -> str:
    """Registry and repository, as spelled by everybody: `nginx` and `index.docker.io/library/nginx` are one."""
    try:
        return references.parse(reference).name
    except ReferenceError:
        return reference


def _apko_packages(given: Documents) -> Row:
    if given.apko is None:
        return _not_run(Name.APKO_PACKAGES, _apks(given.sbom), "there is no apko configuration")
    wanted = given.apko.packages
    if not wanted:
        return _not_run(Name.APKO_PACKAGES, _apks(given.sbom), "the configuration names no package")
    if given.sbom is None:
        return _not_run(Name.APKO_PACKAGES, f"{len(wanted)} in the configuration", "there is no SBOM to compare with")
    expected = f"{len(wanted)} in the configuration"
    if all(one.version for one in wanted):
        stated = frozenset((one.name, one.version) for one in wanted)
        return _same_packages(Name.APKO_PACKAGES, f"{len(stated)} in the configuration", stated, given.sbom)
    # A configuration that was not resolved asks for some packages and leaves the rest and the versions to apk.
    names = {name for name, _ in given.sbom.apks}
    missing = [
        f"{one.name}{one.constraint}"
        for one in wanted
        if ((one.name, one.version) not in given.sbom.apks if one.version else one.name not in names)
    ]
    if missing:
        return _failed(Name.APKO_PACKAGES, expected, f"{_apks(given.sbom)}; not in the SBOM: {_named(missing)}")
    said = f"{_apks(given.sbom)}; all are there, but versions are left open, so the rest cannot be compared"
    return _not_run(Name.APKO_PACKAGES, expected, said)


def _slsa_packages(given: Documents) -> Row:
    """apko's build type states every package with its version as an internal parameter."""
    if given.provenance is None:
        return _not_run(Name.SLSA_PACKAGES, _apks(given.sbom), "there is no provenance")
    if not given.provenance.build_type.startswith("https://apko.dev/"):
        return _not_run(Name.SLSA_PACKAGES, _apks(given.sbom), "provenance of this build type names no packages")
    stated = frozenset(given.provenance.internal_parameters)
    if not stated:
        return _not_run(Name.SLSA_PACKAGES, _apks(given.sbom), "the provenance names no package")
    expected = f"{len(stated)} in the provenance"
    if given.sbom is None:
        return _not_run(Name.SLSA_PACKAGES, expected, "there is no SBOM to compare with")
    return _same_packages(Name.SLSA_PACKAGES, expected, stated, given.sbom)


def _same_packages(name: Name, expected: str, stated: frozenset[Leaf], sbom: Contents) -> Row:
    missing, unstated = stated - sbom.apks, sbom.apks - stated
    found = _apks(sbom)
    if not missing and not unstated:
        return _passed(name, expected, f"{found}, 0 missing on either side")
    if missing:
        found += f"; not in the SBOM: {_named('='.join(one) for one in missing)}"
    if unstated:
        found += f"; only in the SBOM: {_named('='.join(one) for one in unstated)}"
    return _failed(name, expected, found)


def _apks(sbom: Contents | None) -> str:
    return f"{len(sbom.apks)} in the SBOM" if sbom else "no SBOM"


def _sbom_formats(given: Documents) -> Row:
    """Qualifiers are left out: the formats are often written by different tools, which choose them differently."""
    spdx, cyclonedx = given.spdx, given.cyclonedx
    expected = "no SPDX" if spdx is None else f"{len(spdx)} in SPDX"
    if cyclonedx is None or spdx is None:
        silent = " and no ".join(name for name, one in (("SPDX", spdx), ("CycloneDX", cyclonedx)) if one is None)
        return _not_run(Name.SBOM_FORMATS, expected, f"there is no {silent} document that could be read")
    found = f"{len(cyclonedx)} in CycloneDX"
    for only, where in ((spdx - cyclonedx, "SPDX"), (cyclonedx - spdx, "CycloneDX")):
        if only:
            found += f"; only in {where}: {_named(only)}"
    if spdx != cyclonedx:
        return _failed(Name.SBOM_FORMATS, expected, found)
    return _passed(Name.SBOM_FORMATS, expected, f"{found}, 0 missing on either side")


def _image_configuration(given: Documents) -> Row:
    if given.apko is None:
        return _not_run(Name.IMAGE_CONFIGURATION, "as apko's configuration says", "there is no apko configuration")
    if given.runtime is None:
        return _not_run(Name.IMAGE_CONFIGURATION, "as apko's configuration says", "the image's is not stored")
    built, said = given.runtime, given.apko
    different: list[tuple[str, str, str]] = []
    if not apko_made.is_command(built.entrypoint, said.entrypoint, said.entrypoint_type):
        different.append(("entrypoint", said.entrypoint, " ".join(built.entrypoint)))
    if not apko_made.is_command(built.cmd, said.cmd):
        different.append(("command", said.cmd, " ".join(built.cmd)))
    if not apko_made.is_user(built.user, said.run_as, said.users):
        different.append(("user", said.run_as, built.user))
    if (built.working_dir or "/") != (said.work_dir or "/"):
        different.append(("working folder", said.work_dir, built.working_dir))
    added, unequal = apko_made.environment(built.environment, said.environment)
    different += unequal
    if different:
        shown, more = different[:MAX_NAMED], len(different) - MAX_NAMED
        rest = f"; and {more} more" if more > 0 else ""
        expected = "; ".join(f"{_short(what)} {_short(signed) or 'none'}" for what, signed, _ in shown) + rest
        found = "; ".join(f"{_short(what)} {_short(value) or 'none'}" for what, _, value in shown) + rest
        return _failed(Name.IMAGE_CONFIGURATION, expected, found)
    expected = "entrypoint, command, user, working folder and variables as apko's configuration says"
    return _passed(Name.IMAGE_CONFIGURATION, expected, f"equal; apko added {' and '.join(added)}" if added else "equal")


def _signer(given: Documents) -> Row:
    expected = "one signer for all evidence"
    if not given.signers:
        return _not_run(Name.SIGNER, expected, "no signature holds")
    identities = sorted({(one.identity, one.issuer) for one in given.signers})
    certificates = {one.certificate_sha256 for one in given.signers} - {""}
    if len(identities) == 1:
        count = len(certificates)
        how = f"{count} certificate{'s' if count != 1 else ''}" if certificates else "a key"
        return _passed(Name.SIGNER, expected, f"{len(given.signers)} by {_short(identities[0][0])}, with {how}")
    return _failed(
        Name.SIGNER, expected, f"{len(identities)} signers: {_named(f'{who} by {by}' for who, by in identities)}"
    )


def _commit(given: Documents) -> Row:
    build, said = given.build, given.provenance
    expected = f"certificate: {build.commit or 'no commit'}" if build else "no certificate"
    if said is None:
        return _not_run(Name.COMMIT, expected, "there is no provenance")
    sources = _sources(said)
    if not any(commit for _, commit in sources):
        return _not_run(Name.COMMIT, expected, "the SLSA statement names no source commit")
    same = [one for one in sources if build and build.repository and one[0] == _repository(build.repository)]
    commits = {commit for _, commit in (same or sources) if commit}
    found = f"provenance: {_named(commits)}"
    if build is None or not build.commit:
        return _not_run(Name.COMMIT, expected, found)
    if build.commit in commits:
        return _passed(Name.COMMIT, expected, found)
    if same:
        return _failed(Name.COMMIT, expected, found)
    return _failed(
        Name.COMMIT, f"{expected} of {_repository(build.repository)}", f"{found} of {_named(uri for uri, _ in sources)}"
    )


def _sources(said: Provenance) -> list[Leaf]:
    """Every repository at a commit that the statement names: the source first, then what else went in."""
    found = [(_repository(said.source_uri), said.source_digest)] if said.source_digest else []
    for one in said.materials:
        commits = [value for algorithm, value in one.digests if algorithm in ("gitCommit", "sha1")]
        if commits and _repository(one.uri).startswith("github.com/"):
            found.append((_repository(one.uri), commits[0]))
    return found


def _repository(uri: str) -> str:
    """`git+https://github.com/Acme/images.git@refs/heads/main` as `github.com/acme/images`."""
    _, _, rest = uri.rpartition("://")
    path = rest.partition("@")[0].rstrip("/").removesuffix(".git").lower()
    return path if "." in path.partition("/")[0] else f"github.com/{path}"  # old certificates say only owner/name


def _workflow(given: Documents) -> Row:
    """What was started must be what was started, and what signed be the builder: they differ for reusable workflows."""
    build, said = given.build or Build(), given.provenance
    certified = [one for one in (build.started, build.signing) if one]
    expected = f"certificate: {_named(certified)}" if certified else "certificate: no workflow"
    if said is None:
        return _not_run(Name.WORKFLOW, expected, "there is no provenance")
    started, builder = _started(said), said.builder_id if _WORKFLOW.fullmatch(said.builder_id) else ""
    stated = [one for one in (started, builder) if one]
    if not stated:
        return _not_run(Name.WORKFLOW, expected, "the SLSA statement names no workflow")
    found = f"provenance: {_named(stated)}"
    pairs = [(one, other) for one, other in ((build.started, started), (build.signing, builder)) if one and other]
    if pairs:
        same = all(_is_workflow(one, other) for one, other in pairs)
        return _row(Name.WORKFLOW, Outcome.PASSED if same else Outcome.FAILED, expected, found)
    # One tells what was started, the other what signed: only when these are one workflow can that be seen.
    same = any(_is_workflow(one, other) for one in certified for other in stated)
    return _row(Name.WORKFLOW, Outcome.PASSED if same else Outcome.NOT_RUN, expected, found)


def _started(said: Provenance) -> str:
    if not (said.entry_point and said.source_uri):
        return ""
    ref = dict(said.external_parameters).get("workflow.ref") or said.source_uri.partition("@")[2]
    workflow = f"{_repository(said.source_uri)}/{said.entry_point.lstrip('/')}"
    return f"{workflow}@{ref}" if ref else workflow


def _is_workflow(certified: str, said: str) -> bool:
    path, _, ref = certified.removeprefix("https://").partition("@")
    said_path, _, said_ref = said.removeprefix("https://").partition("@")
    # GitHub's names of owners and repositories know no case; those of files and refs do.
    same_file = path.partition("/.github/")[2] == said_path.partition("/.github/")[2]
    return path.lower() == said_path.lower() and same_file and (not said_ref or not ref or ref == said_ref)


def _run(given: Documents) -> Row:
    certified = given.build.run if given.build else ""
    expected = f"certificate: {certified or 'no run'}"
    if given.provenance is None:
        return _not_run(Name.RUN, expected, "there is no provenance")
    said = given.provenance.invocation_id
    if not said:
        return _not_run(Name.RUN, expected, "the SLSA statement names no run")
    found = f"provenance: {said}"
    ours, theirs = _RUN.fullmatch(certified), _RUN.fullmatch(said)
    if theirs is None:
        return _not_run(Name.RUN, expected, f"the SLSA statement names no run of a workflow, but {said}")
    if ours is None:
        return _not_run(Name.RUN, expected, found)
    repositories = {one.partition("/actions/")[0].lower() for one in (certified, said) if one.startswith("https://")}
    same_attempt = ours[2] == theirs[2] or not (ours[2] and theirs[2])
    same = ours[1] == theirs[1] and same_attempt and len(repositories) < 2
    return _row(Name.RUN, Outcome.PASSED if same else Outcome.FAILED, expected, found)


def _named(names: Iterable[str]) -> str:
    """The first few, and how many more."""
    every = sorted(set(names))
    shown = ", ".join(_short(one) for one in every[:MAX_NAMED])
    return f"{shown} and {len(every) - MAX_NAMED} more" if len(every) > MAX_NAMED else shown


def _short(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _passed(name: Name, expected: str, found: str) -> Row:
    return _row(name, Outcome.PASSED, expected, found)


def _failed(name: Name, expected: str, found: str) -> Row:
    return _row(name, Outcome.FAILED, expected, found)


def _not_run(name: Name, expected: str, found: str) -> Row:
    return _row(name, Outcome.NOT_RUN, expected, found)


def _row(name: Name, outcome: Outcome, expected: str, found: str) -> Row:
    return Row(name, outcome, _short(expected, MAX_TEXT_CHARACTERS), _short(found, MAX_TEXT_CHARACTERS))
