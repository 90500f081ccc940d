"""What each "package" of a document really is.

Chainguard's postgres lists 257 packages: 60 things are installed, the rest are layers, directories, melange files
and upstream archives. Rules follow what generators write; most telling first: purl, purpose, SPDXID, graph.
"""

from __future__ import annotations

import re

from cgexplorer.spdx import wire
from cgexplorer.spdx.document import Role
from cgexplorer.spdx.purl import INSTALLED_TYPES, MODULE_TYPES, Purl

_LAYER = re.compile(r"layer|rootfs\.diff", re.IGNORECASE)
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_SOURCE_ARCHITECTURES = frozenset({"source", "src", "nosrc"})
_CODE_HOSTS = frozenset({"github", "gitlab", "bitbucket", "codeberg"})

# syft calls the scanned thing DocumentRoot-<kind>; trivy prefixes what is not a package.
_ROLE_OF_ID = (
    ("SPDXRef-DocumentRoot-Image", Role.IMAGE),
    ("SPDXRef-ContainerImage-", Role.IMAGE),
    ("SPDXRef-Package-ImageLayer-", Role.LAYER),
    ("SPDXRef-OperatingSystem-", Role.OPERATING_SYSTEM),
    ("SPDXRef-DocumentRoot-Directory", Role.FILE),
    ("SPDXRef-DocumentRoot-File", Role.FILE),
    ("SPDXRef-Application-", Role.FILE),  # trivy: a lock file or binary that holds the packages
    ("SPDXRef-Filesystem-", Role.FILE),
    ("SPDXRef-Repository-", Role.FILE),
)
_ROLE_OF_PURPOSE = {
    "CONTAINER": Role.IMAGE,
    "OPERATING_SYSTEM": Role.OPERATING_SYSTEM,
    "FILE": Role.FILE,
    "SOURCE": Role.UPSTREAM,
    "INSTALL": Role.BUILD_DEFINITION,
    "ARCHIVE": Role.FILE,
}


def classify(package: wire.Package, purl: Purl | None, *, describes_another: bool, made_into_another: bool) -> Role:
    """The role of one package.

    `describes_another`: the target of a DESCRIBED_BY. `made_into_another`: the target of a GENERATED_FROM.
    """
    purpose = (package.primary_package_purpose or "").replace("-", "_").upper()
    if purl is not None:
        role = _by_purl(package, purl, purpose, describes_another, made_into_another)
        if role is not None:
            return role
    spdx_id = package.spdx_id or ""
    for prefix, role in _ROLE_OF_ID:
        if spdx_id.startswith(prefix):
            return role
    if purpose == "CONTAINER" and _LAYER.search(f"{package.name} {package.description}"):
        return Role.LAYER
    if purpose in _ROLE_OF_PURPOSE:
        return _ROLE_OF_PURPOSE[purpose]
    if describes_another:
        return Role.BUILD_DEFINITION
    if made_into_another:
        return Role.UPSTREAM
    if package.package_file_name:
        return Role.LAYER if _LAYER.search(package.package_file_name) else Role.FILE
    if _DIGEST.match(package.name or ""):
        return Role.IMAGE
    return Role.MODULE  # someone names software and gives no purl; leaving it out of the contents would hide it


def _by_purl(package: wire.Package, purl: Purl, purpose: str, describes: bool, made_into: bool) -> Role | None:
    if purl.type in ("oci", "docker"):
        about = purl.media_type or f"{package.spdx_id} {package.description or ''}"
        return Role.LAYER if _LAYER.search(about) else Role.IMAGE
    if purl.type in INSTALLED_TYPES:
        return Role.UPSTREAM if purl.arch in _SOURCE_ARCHITECTURES or purpose == "SOURCE" else Role.INSTALLED
    if purpose == "SOURCE":
        return Role.UPSTREAM
    if purl.type in MODULE_TYPES:
        return Role.UPSTREAM if made_into else Role.MODULE
    if purpose == "OPERATING_SYSTEM":
        return Role.OPERATING_SYSTEM
    if purl.type in _CODE_HOSTS:
        if describes or purpose == "INSTALL":
            return Role.BUILD_DEFINITION
        # syft gives this purl to a GitHub action that it finds.
        return Role.UPSTREAM if made_into else Role.MODULE
    if purl.type == "generic":
        # apko's upstream archives; syft's `generic` is a binary that no package manager put there.
        return Role.UPSTREAM if made_into else Role.MODULE
    return None
