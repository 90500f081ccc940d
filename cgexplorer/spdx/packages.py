"""From packages as written to packages as meant: purl, role, licence, source package; second copies collapsed."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from cgexplorer.spdx import licenses, purl, roles, wire
from cgexplorer.spdx.actors import is_actor
from cgexplorer.spdx.checksums import checksums
from cgexplorer.spdx.document import CONTENTS, Package, Role
from cgexplorer.spdx.findings import Findings

# trivy writes `built package from: openssl 1.1.1n-0+deb11u3`.
_BUILT_FROM = re.compile(r"^built package from: (\S+)")


def meant(
    package: wire.Package,
    findings: Findings,
    *,
    describes_another: bool,
    made_into_another: bool,
) -> Package:
    """One package as rows need it. Nothing is dropped: what cannot be understood stays as written and is noted."""
    name = package.name or ""
    written, cpes = _external(package)
    parsed = []
    for text in written:
        one = purl.parse(text)
        if one is None:
            findings.add("package URL that cannot be read", text)
        else:
            parsed.append(one)
    best = purl.best(parsed)
    if not name:
        findings.add("package without a name", package.spdx_id or "")
        name = best.name if best else ""
    role = roles.classify(package, best, describes_another=describes_another, made_into_another=made_into_another)
    return Package(
        spdx_id=package.spdx_id or "",
        name=name,
        version=_version(package, best),
        role=role,
        ecosystem=best.type if best else "",
        namespace=best.namespace if best else "",
        purl_name=best.name if best else name,
        arch=best.arch if best else "",
        purl=best.text if best else "",
        purls=written,
        cpes=cpes,
        license_declared=package.license_declared or "",
        license_concluded=package.license_concluded or "",
        license=_license(package, findings),
        supplier=_actor(package.supplier, "supplier", findings),
        originator=_actor(package.originator, "originator", findings),
        download_location=package.download_location or "",
        checksums=checksums(package.checksums, findings),
        built_from=_built_from(package, best, role),
        homepage=package.homepage or "",
        summary=package.summary or package.description or "",
        comment=package.comment or "",
    )


def _external(package: wire.Package) -> tuple[tuple[str, ...], tuple[str, ...]]:
    purls: list[str] = []
    cpes: list[str] = []
    for reference in package.external_refs or ():
        kind, locator = reference.reference_type or "", reference.reference_locator
        if not locator:
            continue
        if kind.endswith("purl"):
            purls.append(locator)
        elif "cpe2" in kind:
            cpes.append(locator)
    return tuple(purls), tuple(cpes)


def _version(package: wire.Package, best: purl.Purl | None) -> str:
    stated = package.version_info or ""
    if best is None or not best.version:
        return stated
    if not stated:
        return best.version
    if best.type == "golang":
        return purl.golang_version(stated)
    # An epoch may be in the purl only; without it every comparison would be wrong.
    if best.type in ("rpm", "deb") and best.version.endswith(f":{stated}"):
        return best.version
    return stated


def _license(package: wire.Package, findings: Findings) -> str:
    for stated in (package.license_declared, package.license_concluded):
        if stated and licenses.is_stated(stated):
            normal = licenses.normalise(stated)
            if normal is None:
                findings.add("licence that is not an SPDX expression", stated)
                return stated.strip()
            return normal
    return ""


def _actor(text: str | None, what: str, findings: Findings) -> str:
    if text and not is_actor(text):
        findings.add(f"{what} that is no person, organisation or tool", text)
    return text or ""


def _built_from(package: wire.Package, best: purl.Purl | None, role: Role) -> str:
    if best is not None and best.built_from:
        return best.built_from
    match = _BUILT_FROM.match(package.source_info or "")
    if match:
        return match[1]
    return ""


def collapse(packages: list[Package]) -> tuple[list[Package], list[int]]:
    """One package for all copies of the same thing, and for each of `packages` its place in the new list.

    apko writes every apk, and syft inside it finds the same apk again: other qualifiers, licence in parentheses.
    Same means: contents, same purl but for the qualifiers, no two architectures and no two checksums of one kind.
    """
    kept: list[Package] = []
    place: list[int] = []
    candidates: dict[tuple[str, ...], list[int]] = {}
    for package in packages:
        position = None
        if package.role in CONTENTS and package.purl:
            key = (package.ecosystem, package.namespace, package.purl_name, package.version, _subpath(package.purl))
            same = candidates.setdefault(key, [])
            position = next((i for i in same if _may_be_one(kept[i], package)), None)
            if position is None:
                same.append(len(kept))
        if position is None:
            position = len(kept)
            kept.append(package)
        else:
            kept[position] = _merged(kept[position], package)
        place.append(position)
    return kept, place


def _subpath(text: str) -> str:
    return text.partition("#")[2]


def _may_be_one(first: Package, second: Package) -> bool:
    if first.arch and second.arch and first.arch != second.arch:
        return False
    sums = {checksum.algorithm: checksum.value for checksum in first.checksums}
    return all(sums.get(checksum.algorithm, checksum.value) == checksum.value for checksum in second.checksums)


def _merged(first: Package, second: Package) -> Package:
    """The first copy, completed from the second where it says nothing."""

    def stated(name: str) -> str:
        mine: str = getattr(first, name)
        return mine if licenses.is_stated(mine) else getattr(second, name) or mine

    texts = (
        "arch license_declared license_concluded license supplier originator download_location built_from homepage "
        "summary comment"
    )
    return msgspec.structs.replace(
        first,
        **{name: stated(name) for name in texts.split()},
        purls=tuple(dict.fromkeys((*first.purls, *second.purls))),
        cpes=tuple(dict.fromkeys((*first.cpes, *second.cpes))),
        checksums=tuple(dict.fromkeys((*first.checksums, *second.checksums))),
        spdx_ids=(*(first.spdx_ids or (first.spdx_id,)), second.spdx_id),
    )


def with_source_names(packages: list[Package], sources: Mapping[int, list[int]]) -> list[Package]:
    """Fill `built_from` where only the graph says it: the package's GENERATED_FROM, else its melange file."""
    result = []
    for position, package in enumerate(packages):
        if not package.built_from and package.role is Role.INSTALLED:
            for source in sources.get(position, ()):
                name = _name_of_source(packages[source])
                if name:
                    package = msgspec.structs.replace(package, built_from=name)
                    break
        result.append(package)
    return result


def _name_of_source(source: Package) -> str:
    if source.role is Role.BUILD_DEFINITION:
        file_name = source.name.rpartition("/")[2]
        return re.sub(r"(\.melange)?\.ya?ml$", "", file_name)
    return source.purl_name or source.name
