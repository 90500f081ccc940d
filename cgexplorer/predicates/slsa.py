"""SLSA provenance, v1 and v0.2, as one readable struct.

Source: https://slsa.dev/spec/v1.0/provenance and https://slsa.dev/spec/v0.2/provenance.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cgexplorer.predicates import PredicateError
from cgexplorer.predicates.reading import Leaf, flatten, get, load_object, objects, pairs, text

_COMMIT = re.compile(r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$")
_REPOSITORY_PREFIXES = ("git+", "git:", "https://github.com/", "ssh:")


class Material(msgspec.Struct, frozen=True):
    """Something the build used: a resolved dependency (v1) or a material (v0.2)."""

    uri: str
    digests: tuple[Leaf, ...] = ()  # (algorithm, value)
    name: str = ""
    media_type: str = ""


class Provenance(msgspec.Struct, frozen=True):
    version: str  # "v1" or "v0.2"
    builder_id: str
    build_type: str
    builder_versions: tuple[Leaf, ...] = ()
    invocation_id: str = ""
    started: str = ""  # as written
    finished: str = ""
    source_uri: str = ""
    source_digest: str = ""  # commit, when there is one
    entry_point: str = ""
    external_parameters: tuple[Leaf, ...] = ()  # v0.2: invocation.parameters
    internal_parameters: tuple[Leaf, ...] = ()  # v0.2: invocation.environment and buildConfig
    materials: tuple[Material, ...] = ()
    byproducts: tuple[Material, ...] = ()
    completeness: tuple[Leaf, ...] = ()  # v0.2
    reproducible: bool | None = None  # v0.2

    def flat(self) -> dict[str, str]:
        """Path to value, for comparing two builds. What differs in every run (ids, times) is left out."""
        values = {
            "builder.id": self.builder_id,
            "buildType": self.build_type,
            "source.uri": self.source_uri,
            "source.digest": self.source_digest,
            "entryPoint": self.entry_point,
        }
        values |= {f"builder.version.{name}": version for name, version in self.builder_versions}
        values |= {f"externalParameters.{path}": value for path, value in self.external_parameters}
        values |= {f"internalParameters.{path}": value for path, value in self.internal_parameters}
        for material in self.materials:
            values[f"materials.{material.name or material.uri}"] = material.digests[0][1] if material.digests else ""
        return {path: value for path, value in values.items() if value}


def parse(raw: bytes) -> Provenance:
    """Read a predicate of either version; which one is told by its fields. Raises PredicateError."""
    predicate = load_object(raw)
    if isinstance(predicate.get("buildDefinition"), dict) or isinstance(predicate.get("runDetails"), dict):
        return _v1(predicate)
    if isinstance(predicate.get("builder"), dict) or "buildType" in predicate:
        return _v02(predicate)
    raise PredicateError("This is no SLSA provenance: it has neither buildDefinition and runDetails nor a builder.")


def _v1(predicate: dict[str, Any]) -> Provenance:
    definition = predicate.get("buildDefinition")
    external = get(definition, "externalParameters")
    metadata = get(predicate, "runDetails", "metadata")
    materials = _materials(get(definition, "resolvedDependencies"))
    uri, digest = _source_of(materials)
    workflow = get(external, "workflow")
    return Provenance(
        version="v1",
        builder_id=text(get(predicate, "runDetails", "builder", "id")),
        build_type=text(get(definition, "buildType")),
        builder_versions=pairs(get(predicate, "runDetails", "builder", "version")),
        # The specification says invocationId; some builders write invocationID.
        invocation_id=text(get(metadata, "invocationId")) or text(get(metadata, "invocationID")),
        started=text(get(metadata, "startedOn")),
        finished=text(get(metadata, "finishedOn")),
        source_uri=text(get(workflow, "repository")) or text(get(external, "source", "uri")) or uri,
        source_digest=digest,
        entry_point=text(get(workflow, "path")),
        external_parameters=_parameters(external),
        internal_parameters=_parameters(get(definition, "internalParameters")),
        materials=materials,
        byproducts=_materials(get(predicate, "runDetails", "byproducts")),
    )


def _v02(predicate: dict[str, Any]) -> Provenance:
    invocation, metadata = predicate.get("invocation"), predicate.get("metadata")
    source = get(invocation, "configSource")
    materials = _materials(predicate.get("materials"))
    uri, digest = _source_of(materials)
    stated = pairs(get(source, "digest"))
    reproducible = get(metadata, "reproducible")
    return Provenance(
        version="v0.2",
        builder_id=text(get(predicate, "builder", "id")),
        build_type=text(predicate.get("buildType")),
        invocation_id=text(get(metadata, "buildInvocationID")) or text(get(metadata, "buildInvocationId")),
        started=text(get(metadata, "buildStartedOn")),
        finished=text(get(metadata, "buildFinishedOn")),
        source_uri=text(get(source, "uri")) or uri,
        source_digest=stated[0][1] if stated else digest,
        entry_point=text(get(source, "entryPoint")),
        external_parameters=_parameters(get(invocation, "parameters")),
        internal_parameters=(
            *_parameters(get(invocation, "environment"), "environment"),
            *_parameters(predicate.get("buildConfig"), "buildConfig"),
        ),
        materials=materials,
        completeness=pairs(get(metadata, "completeness")),
        reproducible=reproducible if isinstance(reproducible, bool) else None,
    )


def _parameters(value: Any, prefix: str = "") -> tuple[Leaf, ...]:
    return flatten(value, prefix) if value else ()


def _materials(value: Any) -> tuple[Material, ...]:
    return tuple(
        Material(
            uri=text(one.get("uri")),
            digests=pairs(one.get("digest")),
            name=text(one.get("name")),
            media_type=text(one.get("mediaType")),
        )
        for one in objects(value)
    )


def _source_of(materials: tuple[Material, ...]) -> tuple[str, str]:
    """The first material that is a repository at a commit."""
    for material in materials:
        for algorithm, value in material.digests:
            if algorithm in ("gitCommit", "sha1") and _COMMIT.match(value):
                return material.uri, value
        if material.uri.startswith(_REPOSITORY_PREFIXES):
            return material.uri, material.digests[0][1] if material.digests else ""
    return "", ""
