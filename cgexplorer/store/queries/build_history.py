"""What a tag meant over time, and what each build changed in the packages of one platform."""

from __future__ import annotations

import msgspec

from cgexplorer import compare as comparison
from cgexplorer.compare import PackageDifferences, Side
from cgexplorer.oci.digest import is_digest
from cgexplorer.store.models import Manifest, Sbom
from cgexplorer.store.queries import compare, references
from cgexplorer.store.queries.references import UnknownReference

MAX_BUILDS = 50


class Build(msgspec.Struct, frozen=True):
    """`changes` is None for the oldest build shown, and where a side has no SBOM that can be read."""

    manifest: Manifest
    sbom: Sbom | None
    before: Manifest | None
    changes: PackageDifferences | None


class BuildHistory(msgspec.Struct, frozen=True):
    name: str
    tag: str
    platform: str
    platforms: tuple[str, ...]  # that the newest build has
    builds: tuple[Build, ...]  # newest first
    more: bool  # older builds that are not shown


def build_history(text: str, platform: str = "", count: int = 10) -> BuildHistory:
    """The newest `count` builds that a tag pointed to, each beside the one before it. Raises UnknownReference."""
    if "@" in text or is_digest(text.strip()):
        raise UnknownReference("A digest has no past; write a tag, such as cgr.dev/chainguard/go:latest.")
    newest = references.manifest(text)
    tag = references.parse(text.strip()).tag or "latest"
    roots = references.builds_of(newest.image, tag, count + 2)
    platforms = tuple(sorted(references.platforms(newest)))
    if platform and platform not in platforms:
        raise UnknownReference(f"{text} has no {platform}; it has {', '.join(platforms)}.")
    chosen = platform or ("linux/amd64" if "linux/amd64" in platforms else next(iter(platforms), ""))
    found = [manifest for root in roots if (manifest := references.platforms(root).get(chosen)) is not None]
    # An index may be built anew around the same platform.
    unique = list({manifest.pk: manifest for manifest in found}.values())
    builds = _builds(unique[: count + 1])
    return BuildHistory(newest.image.name, tag, chosen, platforms, tuple(builds[:count]), len(builds) > count)


def _builds(manifests: list[Manifest]) -> list[Build]:
    documents = compare.sboms_of(manifest.pk for manifest in manifests)
    sboms = [documents.get(manifest.pk) for manifest in manifests]
    sides = [
        Side(reference="", digest=manifest.digest, packages=found)
        for manifest, found in zip(manifests, compare.packages_of_each(sboms), strict=True)
    ]
    builds = []
    for place, (manifest, sbom) in enumerate(zip(manifests, sboms, strict=True)):
        earlier = manifests[place + 1] if place + 1 < len(manifests) else None
        both = earlier is not None and sbom is not None and sboms[place + 1] is not None
        changes = comparison.compare(sides[place + 1], sides[place]).packages if both else None
        builds.append(Build(manifest, sbom, earlier, changes))
    return builds
