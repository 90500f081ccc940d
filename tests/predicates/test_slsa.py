from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cgexplorer.predicates import PredicateError, slsa


def read(**predicate: Any) -> slsa.Provenance:
    return slsa.parse(json.dumps(predicate).encode())


def test_chainguards_provenance_names_builder_type_run_and_packages(shared: Path) -> None:
    statement = json.loads((shared / "chainguard-postgres/slsa-provenance.statement.json").read_bytes())
    found = slsa.parse(json.dumps(statement["predicate"]).encode())
    assert found.version == "v1"
    assert found.builder_id == "https://github.com/chainguard-dev/terraform-provider-apko"
    assert found.builder_versions == (("apko", "v1.2.21"), ("terraform-provider-apko", "v1.2.14"))
    assert found.build_type == "https://apko.dev/slsa-build-type@v1"
    assert found.invocation_id.startswith("cgr.dev/chainguard/postgres@sha256:")
    assert len(found.internal_parameters) == 56
    assert ("libssl3", "3.6.3-r3") in found.internal_parameters


def test_version_1_of_a_workflow_names_source_commit_and_times() -> None:
    workflow = {"ref": "refs/heads/main", "repository": "https://github.com/acme/web", "path": ".github/ci.yaml"}
    dependency = {"uri": "git+https://github.com/acme/web@refs/heads/main", "digest": {"gitCommit": "c" * 40}}
    found = read(
        buildDefinition={
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": workflow},
            "resolvedDependencies": [dependency],
        },
        runDetails={
            "builder": {"id": "https://github.com/runner"},
            "metadata": {
                "invocationID": "99",
                "startedOn": "2026-07-01T00:00:00Z",
                "finishedOn": "2026-07-01T00:05:00Z",
            },
        },
    )
    assert (found.source_uri, found.source_digest, found.entry_point) == (
        "https://github.com/acme/web",
        "c" * 40,
        ".github/ci.yaml",
    )
    assert (found.invocation_id, found.started, found.finished) == (
        "99",
        "2026-07-01T00:00:00Z",
        "2026-07-01T00:05:00Z",
    )
    assert found.external_parameters[0] == ("workflow.ref", "refs/heads/main")
    assert found.materials[0].digests == (("gitCommit", "c" * 40),)


def test_version_0_2_names_the_same_things() -> None:
    found = read(
        builder={"id": "https://example.test/builder"},
        buildType="https://example.test/build",
        invocation={
            "configSource": {
                "uri": "git+https://git.example.test/web",
                "digest": {"sha1": "a" * 40},
                "entryPoint": "ci",
            },
            "parameters": {"target": ["x", "y"]},
            "environment": {"arch": "amd64"},
        },
        metadata={
            "buildInvocationID": "7",
            "buildStartedOn": "2022-01-01T00:00:00Z",
            "completeness": {"parameters": True},
            "reproducible": False,
        },
        materials=[{"uri": "git+https://git.example.test/web", "digest": {"sha1": "a" * 40}}],
    )
    assert (found.version, found.builder_id, found.invocation_id) == ("v0.2", "https://example.test/builder", "7")
    assert (found.source_uri, found.source_digest, found.entry_point) == (
        "git+https://git.example.test/web",
        "a" * 40,
        "ci",
    )
    assert found.external_parameters == (("target[0]", "x"), ("target[1]", "y"))
    assert found.internal_parameters == (("environment.arch", "amd64"),)
    assert found.completeness == (("parameters", "true"),)
    assert found.reproducible is False


@pytest.mark.parametrize("wrong", [None, 1, "text", [], [1], {"id": []}, [{"uri": {}, "digest": []}]])
def test_fields_of_a_wrong_type_are_empty_and_cost_nothing_else(wrong: Any) -> None:
    found = read(
        buildDefinition={
            "buildType": "https://example.test/build",
            "externalParameters": wrong,
            "internalParameters": wrong,
            "resolvedDependencies": wrong,
        },
        runDetails={"builder": wrong, "metadata": wrong, "byproducts": wrong},
    )
    assert found.build_type == "https://example.test/build"
    assert found.builder_id == ""


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"not json", "not JSON"),
        (b"[]", "not an object"),
        (b'{"hello": 1}', "no SLSA provenance"),
        (b'{"a":' * 100_000, "not JSON|too deeply"),
    ],
)
def test_what_is_no_provenance_is_said_in_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(PredicateError, match=sentence):
        slsa.parse(raw)


def test_comparing_two_builds_leaves_out_what_differs_in_every_run() -> None:
    one, other = (
        read(
            buildDefinition={"buildType": "t", "internalParameters": {"bash": "5.3-r12"}},
            runDetails={"builder": {"id": "b"}, "metadata": {"invocationId": run, "startedOn": run}},
        )
        for run in ("1", "2")
    )
    assert one.flat() == other.flat()
    assert one.flat()["internalParameters.bash"] == "5.3-r12"
