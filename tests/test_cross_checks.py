"""Do the signed documents of one digest tell the same story? Each row passing, failing, and with nothing to compare."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cgexplorer.cross_checks import (
    MAX_TEXT_CHARACTERS,
    Build,
    Contents,
    Documents,
    Name,
    Row,
    Runtime,
    Signer,
    cross_checks,
)
from cgexplorer.predicates.apko import ImageConfiguration, User, wanted
from cgexplorer.predicates.slsa import Material, Provenance

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
COMMIT, OTHER_COMMIT = "1" * 40, "2" * 40
REPOSITORY = "https://github.com/acme/images"
WORKFLOW = f"{REPOSITORY}/.github/workflows/release.yaml"
RUN = f"{REPOSITORY}/actions/runs/29458149354/attempts/1"
APKS = frozenset({("bash", "5.3-r12"), ("openssl", "3.6.3-r3")})
PURLS = frozenset({"pkg:apk/wolfi/bash@5.3-r12", "pkg:apk/wolfi/openssl@3.6.3-r3"})
PATH = ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin")
CERTIFICATES = ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")

CONFIGURATION = ImageConfiguration(
    packages=(wanted("bash=5.3-r12"), wanted("openssl=3.6.3-r3")),
    entrypoint="/usr/bin/docker-entrypoint.sh 'my server'",
    cmd="--quiet",
    run_as="app",
    users=(User("app", "65532", "65532"),),
    work_dir="/home/app",
    environment=(("LANG", "C.UTF-8"),),
)
RUNTIME = Runtime(
    entrypoint=("/usr/bin/docker-entrypoint.sh", "my server"),
    cmd=("--quiet",),
    user="65532",
    working_dir="/home/app",
    environment=(("LANG", "C.UTF-8"), PATH, CERTIFICATES),
)
PROVENANCE = Provenance(
    version="v1",
    builder_id=WORKFLOW,
    build_type="https://apko.dev/slsa-build-type@v1",
    invocation_id=RUN,
    source_uri=f"git+{REPOSITORY}",
    source_digest=COMMIT,
    internal_parameters=(("bash", "5.3-r12"), ("openssl", "3.6.3-r3")),
)
BUILD = Build(
    repository=REPOSITORY,
    commit=COMMIT,
    started=f"{WORKFLOW}@refs/heads/main",
    signing=f"{WORKFLOW}@refs/heads/main",
    run=RUN,
)
SIGNER = Signer(f"{WORKFLOW}@refs/heads/main", "https://token.actions.githubusercontent.com", "ab" * 32)
AGREEING = Documents(
    digest=DIGEST,
    name="cgr.dev/acme/app",
    references=("cgr.dev/acme/app",),
    subjects=((DIGEST,), (DIGEST,), (DIGEST,)),
    sbom=Contents((DIGEST,), APKS),
    spdx=PURLS,
    cyclonedx=PURLS,
    apko=CONFIGURATION,
    provenance=PROVENANCE,
    runtime=RUNTIME,
    build=BUILD,
    signers=(SIGNER, SIGNER),
)


def row(name: Name, /, **differing: Any) -> Row:
    found = {one.name: one for one in cross_checks(msgspec.structs.replace(AGREEING, **differing))}
    return found[name]


def configured(**fields: Any) -> ImageConfiguration:
    return msgspec.structs.replace(CONFIGURATION, **fields)


def built(**fields: Any) -> Runtime:
    return msgspec.structs.replace(RUNTIME, **fields)


def provenance(**fields: Any) -> Provenance:
    return msgspec.structs.replace(PROVENANCE, **fields)


def build(**fields: Any) -> Build:
    return msgspec.structs.replace(BUILD, **fields)


def test_documents_of_one_build_agree_in_every_row() -> None:
    assert [(one.name, one.outcome) for one in cross_checks(AGREEING)] == [(name, "passed") for name in Name]


def test_nothing_is_compared_where_nothing_is_said() -> None:
    assert {one.outcome for one in cross_checks(Documents(digest=DIGEST))} == {"not-run"}


@pytest.mark.parametrize(
    ("name", "differing", "told"),
    [
        (Name.DIGEST, {"sbom": Contents((OTHER,), APKS)}, f"the SBOM describes {OTHER}"),
        (Name.DIGEST, {"subjects": ((DIGEST,), (OTHER,))}, f"attested is {OTHER}"),
        (Name.APKO_PACKAGES, {"sbom": Contents((DIGEST,), APKS - {("bash", "5.3-r12")})}, "not in the SBOM: bash=5.3"),
        (Name.APKO_PACKAGES, {"sbom": Contents((DIGEST,), APKS | {("xz", "5-r0")})}, "only in the SBOM: xz=5-r0"),
        (Name.APKO_PACKAGES, {"apko": configured(packages=(wanted("curl"),))}, "not in the SBOM: curl"),
        (Name.SLSA_PACKAGES, {"sbom": Contents((DIGEST,), APKS | {("xz", "5-r0")})}, "only in the SBOM: xz=5-r0"),
        (Name.SLSA_PACKAGES, {"provenance": provenance(internal_parameters=(("xz", "5-r0"),))}, "not in the SBOM: xz"),
        (Name.SBOM_FORMATS, {"spdx": frozenset()}, "2 in CycloneDX; only in CycloneDX: pkg:apk/wolfi/bash@5.3-r12"),
        (Name.SBOM_FORMATS, {"cyclonedx": PURLS - {"pkg:apk/wolfi/bash@5.3-r12"}}, "only in SPDX: pkg:apk/wolfi/bash"),
        (Name.IMAGE_CONFIGURATION, {"runtime": built(entrypoint=("/bin/sh",))}, "entrypoint /bin/sh"),
        (Name.IMAGE_CONFIGURATION, {"runtime": built(cmd=())}, "command none"),
        (Name.IMAGE_CONFIGURATION, {"runtime": built(user="0")}, "user 0"),
        (Name.IMAGE_CONFIGURATION, {"runtime": built(working_dir="/tmp")}, "working folder /tmp"),
        (Name.IMAGE_CONFIGURATION, {"runtime": built(environment=(("LANG", "C"),))}, "variable LANG C"),
        (Name.IMAGE_CONFIGURATION, {"runtime": built(environment=())}, "variable LANG none"),
        (Name.SIGNER, {"signers": (SIGNER, Signer("mallory", "https://issuer.example"))}, "2 signers"),
        (Name.COMMIT, {"provenance": provenance(source_digest=OTHER_COMMIT)}, OTHER_COMMIT),
        (Name.WORKFLOW, {"provenance": provenance(builder_id=WORKFLOW.replace("release", "test"))}, "test.yaml"),
        (Name.WORKFLOW, {"provenance": provenance(builder_id=f"{WORKFLOW}@refs/heads/fork")}, "refs/heads/fork"),
        (Name.RUN, {"provenance": provenance(invocation_id=RUN.replace("354", "355"))}, "29458149355"),
        (Name.RUN, {"provenance": provenance(invocation_id=RUN.replace("attempts/1", "attempts/2"))}, "attempts/2"),
        (Name.RUN, {"provenance": provenance(invocation_id=RUN.replace("acme", "mallory"))}, "mallory"),
    ],
)
def test_a_document_that_tells_another_story_fails_its_row(name: Name, differing: dict[str, Any], told: str) -> None:
    found = row(name, **differing)
    assert found.outcome == "failed"
    assert told in found.found


@pytest.mark.parametrize(
    ("name", "missing", "told"),
    [
        (Name.DIGEST, {"subjects": ()}, "no attestation"),
        (Name.DIGEST, {"sbom": None}, "no SBOM"),
        (Name.DIGEST, {"sbom": Contents((), APKS)}, "names no digest"),
        (Name.APKO_PACKAGES, {"apko": None}, "no apko configuration"),
        (Name.APKO_PACKAGES, {"sbom": None}, "no SBOM"),
        (Name.APKO_PACKAGES, {"apko": configured(packages=())}, "names no package"),
        (Name.APKO_PACKAGES, {"apko": configured(packages=(wanted("bash"),))}, "versions are left open"),
        (Name.SLSA_PACKAGES, {"provenance": None}, "no provenance"),
        (Name.SBOM_FORMATS, {"spdx": None}, "there is no SPDX document"),
        (Name.SBOM_FORMATS, {"cyclonedx": None}, "there is no CycloneDX document"),
        (Name.SBOM_FORMATS, {"spdx": None, "cyclonedx": None}, "there is no SPDX and no CycloneDX document"),
        (Name.SLSA_PACKAGES, {"sbom": None}, "no SBOM"),
        (Name.SLSA_PACKAGES, {"provenance": provenance(internal_parameters=())}, "names no package"),
        (Name.SLSA_PACKAGES, {"provenance": provenance(build_type="https://else.example")}, "names no packages"),
        (Name.IMAGE_CONFIGURATION, {"apko": None}, "no apko configuration"),
        (Name.IMAGE_CONFIGURATION, {"runtime": None}, "not stored"),
        (Name.SIGNER, {"signers": ()}, "no signature"),
        (Name.COMMIT, {"provenance": None}, "no provenance"),
        (Name.COMMIT, {"provenance": provenance(source_digest="")}, "names no source commit"),
        (Name.COMMIT, {"build": None}, COMMIT),
        (Name.WORKFLOW, {"provenance": None}, "no provenance"),
        (Name.WORKFLOW, {"provenance": provenance(builder_id="https://ci.example")}, "names no workflow"),
        (Name.WORKFLOW, {"build": None}, WORKFLOW),
        (Name.RUN, {"provenance": None}, "no provenance"),
        (Name.RUN, {"provenance": provenance(invocation_id="")}, "names no run"),
        (Name.RUN, {"provenance": provenance(invocation_id=f"cgr.dev/acme/app@{DIGEST}")}, "names no run"),
        (Name.RUN, {"build": build(run="")}, RUN),
    ],
)
def test_silence_is_neither_agreement_nor_contradiction(name: Name, missing: dict[str, Any], told: str) -> None:
    found = row(name, **missing)
    assert found.outcome == "not-run"
    assert told in found.found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (Name.IMAGE_CONFIGURATION, {"runtime": built(user="65532:65532")}),
        (Name.IMAGE_CONFIGURATION, {"runtime": built(environment=(("LANG", "C.UTF-8"),))}),
        (Name.IMAGE_CONFIGURATION, {"apko": configured(run_as="nginx"), "runtime": built(user="101")}),
        (
            Name.IMAGE_CONFIGURATION,
            {"apko": configured(run_as="", work_dir=""), "runtime": built(user="0", working_dir="/")},
        ),
        (
            Name.IMAGE_CONFIGURATION,
            {"apko": configured(entrypoint="exec x"), "runtime": built(entrypoint=("/bin/sh", "-c", "exec x"))},
        ),
        (
            Name.IMAGE_CONFIGURATION,
            {
                "apko": configured(entrypoint_type="service-bundle"),
                "runtime": built(entrypoint=("/bin/s6-svscan", "/sv")),
            },
        ),
        (Name.SIGNER, {"signers": (SIGNER, Signer(SIGNER.identity, SIGNER.issuer, "cd" * 32))}),
        (Name.COMMIT, {"provenance": provenance(source_uri=f"{REPOSITORY}.git@refs/heads/main")}),
        (Name.COMMIT, {"build": build(repository="acme/images")}),
        (
            Name.COMMIT,  # the source is what was built; the workflow's own repository went in beside it
            {"provenance": provenance(source_uri="", source_digest=OTHER_COMMIT, materials=(
                Material("git+https://github.com/upstream/app", (("gitCommit", OTHER_COMMIT),)),
                Material(f"git+{REPOSITORY}@refs/heads/main", (("gitCommit", COMMIT),)),
            ))},
        ),
        (
            Name.WORKFLOW,
            {"provenance": provenance(
                builder_id="x",
                source_uri=f"git+{REPOSITORY}@refs/heads/main",
                entry_point=".github/workflows/release.yaml",
            )},
        ),
        (Name.WORKFLOW, {"provenance": provenance(builder_id=f"{WORKFLOW}@refs/heads/main")}),
        (Name.RUN, {"provenance": provenance(invocation_id="29458149354-1")}),
        (Name.RUN, {"provenance": provenance(invocation_id=RUN.removesuffix("/attempts/1"))}),
    ],
)  # fmt: skip
def test_other_words_for_the_same_agree(name: Name, said: dict[str, Any]) -> None:
    assert row(name, **said).outcome == "passed"


GENERATOR = "https://github.com/acme/generator/.github/workflows/container.yml@refs/tags/v1.4.0"
CALLED = {"builder_id": GENERATOR, "source_uri": f"git+{REPOSITORY}", "entry_point": ".github/workflows/release.yaml"}


def test_a_reusable_workflow_is_the_builder_and_its_caller_what_was_started() -> None:
    given = {"build": build(signing=GENERATOR), "provenance": provenance(**CALLED)}
    assert row(Name.WORKFLOW, **given).outcome == "passed"
    given["provenance"] = provenance(**CALLED | {"entry_point": ".github/workflows/other.yaml"})
    assert row(Name.WORKFLOW, **given).outcome == "failed"
    given["provenance"] = provenance(**CALLED | {"builder_id": GENERATOR.replace("generator", "mallory")})
    assert row(Name.WORKFLOW, **given).outcome == "failed"


def test_an_old_certificate_that_names_only_the_reusable_workflow_contradicts_nothing() -> None:
    given = {"build": build(started="", signing=GENERATOR), "provenance": provenance(**CALLED)}
    assert row(Name.WORKFLOW, **given).outcome == "passed"
    given["provenance"] = provenance(**CALLED | {"builder_id": "https://ci.example"})
    assert row(Name.WORKFLOW, **given).outcome == "not-run"


def test_variables_that_apko_adds_are_named_but_no_difference() -> None:
    assert row(Name.IMAGE_CONFIGURATION).found == "equal; apko added PATH and SSL_CERT_FILE"


@pytest.mark.parametrize("added", [("PATH", "/evil:/bin"), ("SSL_CERT_FILE", "/evil.pem"), ("LD_PRELOAD", "/evil.so")])
def test_a_variable_that_apko_would_not_add_is_a_difference(added: tuple[str, str]) -> None:
    assert row(Name.IMAGE_CONFIGURATION, runtime=built(environment=(("LANG", "C.UTF-8"), added))).outcome == "failed"


def test_a_user_whom_a_package_makes_is_never_root() -> None:
    assert row(Name.IMAGE_CONFIGURATION, apko=configured(run_as="nginx"), runtime=built(user="0")).outcome == "failed"


def test_an_open_quotation_mark_is_no_exception() -> None:
    assert row(Name.IMAGE_CONFIGURATION, apko=configured(entrypoint="it's")).outcome == "failed"


def test_many_differences_are_counted_and_a_few_are_named() -> None:
    found = row(Name.APKO_PACKAGES, sbom=Contents((DIGEST,), APKS | {(f"p{n:04}", "1") for n in range(1000)})).found
    assert found == "1002 in the SBOM; only in the SBOM: p0000=1, p0001=1, p0002=1 and 997 more"


def test_a_row_stays_short_whatever_the_documents_say() -> None:
    long = "x" * 1_000_000
    given = msgspec.structs.replace(
        AGREEING,
        sbom=Contents((long,), frozenset({(long, long)})),
        runtime=built(entrypoint=(long,), environment=((long, long),)),
        provenance=provenance(builder_id=long, invocation_id=long, source_digest=long),
        signers=(SIGNER, Signer(long, long)),
    )
    for one in cross_checks(given):
        assert len(one.expected) <= MAX_TEXT_CHARACTERS
        assert len(one.found) <= MAX_TEXT_CHARACTERS


@pytest.mark.parametrize(
    ("name", "references", "outcome"),
    [
        ("cgr.dev/acme/app", (), "not-run"),
        ("cgr.dev/acme/app", ("cgr.dev/acme/app:1.2",), "passed"),
        ("docker.io/library/nginx", ("index.docker.io/library/nginx",), "passed"),
        ("docker.io/library/nginx", ("nginx",), "passed"),
        ("mirror.example/app", ("cgr.dev/acme/app",), "failed"),
        ("cgr.dev/acme/app", ("cgr.dev/acme/app", "mirror.example/app"), "failed"),
        ("cgr.dev/acme/app", ("//?",), "failed"),
    ],
)
def test_the_name_that_was_signed_is_compared_with_the_name_here(
    name: str, references: tuple[str, ...], outcome: str
) -> None:
    said = row(Name.REFERENCE, name=name, references=references)
    assert (said.outcome, said.expected) == (outcome, f"image {name}")
