"""An SPDX document as cgexplorer uses it: the original strings, beside what they mean."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What a "package" of a document really is. Counts, search and compare use INSTALLED + MODULE by default."""

    IMAGE = "image"
    LAYER = "layer"
    INSTALLED = "installed"  # apk, deb, rpm
    MODULE = "module"  # golang, npm, pypi, maven, gem … inside the image
    BUILD_DEFINITION = "build-definition"  # melange file at a commit
    UPSTREAM = "upstream-source"
    FILE = "file"  # directory or file
    OPERATING_SYSTEM = "operating-system"


CONTENTS = (Role.INSTALLED, Role.MODULE)

# What an edge means; Graph.type is an index into this tuple, and it is stored: only ever append.
# A pair of inverse relationships of the specification is one type here, so "DEPENDENCY_OF" is a DEPENDS_ON the
# other way round. IMPLIED_CONTAINS is ours: the document lists the package and says of nothing that it contains it.
RELATIONSHIP_TYPES = (
    "DESCRIBES",
    "CONTAINS",
    "IMPLIED_CONTAINS",
    "DEPENDS_ON",
    "HAS_PREREQUISITE",
    "GENERATED_FROM",
    "DESCRIBED_BY",
    "VARIANT_OF",
    "OTHER",
    "AMENDS",
    "ANCESTOR_OF",
    "BUILD_DEPENDENCY_OF",
    "BUILD_TOOL_OF",
    "COPY_OF",
    "DATA_FILE_OF",
    "DEPENDENCY_MANIFEST_OF",
    "DESCENDANT_OF",
    "DEV_DEPENDENCY_OF",
    "DEV_TOOL_OF",
    "DISTRIBUTION_ARTIFACT",
    "DOCUMENTATION_OF",
    "DYNAMIC_LINK",
    "EXAMPLE_OF",
    "EXPANDED_FROM_ARCHIVE",
    "FILE_ADDED",
    "FILE_DELETED",
    "FILE_MODIFIED",
    "METAFILE_OF",
    "OPTIONAL_COMPONENT_OF",
    "OPTIONAL_DEPENDENCY_OF",
    "PACKAGE_OF",
    "PATCH_APPLIED",
    "PATCH_FOR",
    "PROVIDED_DEPENDENCY_OF",
    "REQUIREMENT_DESCRIPTION_FOR",
    "RUNTIME_DEPENDENCY_OF",
    "SPECIFICATION_FOR",
    "STATIC_LINK",
    "TEST",
    "TEST_CASE_OF",
    "TEST_DEPENDENCY_OF",
    "TEST_OF",
    "TEST_TOOL_OF",
)
DESCRIBES, CONTAINS, IMPLIED_CONTAINS, DEPENDS_ON, HAS_PREREQUISITE, GENERATED_FROM, DESCRIBED_BY = range(7)
THE_DOCUMENT = -1  # the document itself as an end of an edge


class Checksum(msgspec.Struct, frozen=True, gc=False):
    algorithm: str  # "SHA256"
    value: str  # lower-case hex


class Package(msgspec.Struct, frozen=True, gc=False):
    spdx_id: str
    name: str
    version: str
    role: Role
    ecosystem: str = ""  # purl type: apk, deb, golang, …
    namespace: str = ""  # purl namespace: wolfi, debian, github.com/foo
    purl_name: str = ""  # normalised name in the purl; `name` when there is none
    arch: str = ""
    purl: str = ""  # the best one, normalised
    purls: tuple[str, ...] = ()  # all, as written
    cpes: tuple[str, ...] = ()
    license_declared: str = ""  # as written
    license_concluded: str = ""
    license: str = ""  # normalised expression of declared, else concluded; "" when neither is stated
    supplier: str = ""
    originator: str = ""
    download_location: str = ""
    checksums: tuple[Checksum, ...] = ()
    built_from: str = ""  # name of the source package it was built from (apk origin, deb source), "" when not declared
    homepage: str = ""
    summary: str = ""  # summary, else description
    comment: str = ""
    spdx_ids: tuple[str, ...] = ()  # of collapsed duplicates


class File(msgspec.Struct, frozen=True, gc=False):
    spdx_id: str
    name: str
    checksums: tuple[Checksum, ...] = ()
    license_concluded: str = ""


class ExtractedLicense(msgspec.Struct, frozen=True, gc=False):
    license_id: str
    name: str
    text: str


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One class of faults of a document, grouped."""

    what: str
    count: int
    examples: tuple[str, ...]  # first three


class Graph(msgspec.Struct, frozen=True):
    """Edges between elements: packages 0…n-1, then files n…; -1 is the document itself.

    Three equally long sequences, sorted by (source, type, target).
    """

    source: tuple[int, ...]
    type: tuple[int, ...]  # index into RELATIONSHIP_TYPES
    target: tuple[int, ...]


class Document(msgspec.Struct, frozen=True):
    format: str  # "spdx"
    spec_version: str  # "SPDX-2.3"
    name: str
    namespace: str
    created: str
    creators: tuple[str, ...]
    generator: str  # "apko 0.30.1", "syft 1.57.0", …
    packages: tuple[Package, ...]
    files: tuple[File, ...]
    graph: Graph
    described: tuple[int, ...]  # elements that the document DESCRIBES
    extracted_licenses: tuple[ExtractedLicense, ...] = ()
    findings: tuple[Finding, ...] = ()
    truncated: str = ""  # says what was left out beyond the limits


class NotIndexable(Exception):
    """The bytes are kept, but rows cannot be made of them. `str(error)` says why, in a sentence."""
