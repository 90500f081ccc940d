"""What a document lists: its elements by role, filtered, sorted and in pages."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Literal

import msgspec

from cgexplorer.spdx import licenses
from cgexplorer.spdx.document import CONTENTS, Document, File, Graph, Package, Role
from cgexplorer.spdx.versions import version_key
from cgexplorer.store import blobs
from cgexplorer.store.models import Sbom, SbomDetail, SbomGraph
from cgexplorer.store.queries import pruned

type Sort = Literal["name", "version", "license", "built-from"]
SORTS: tuple[Sort, ...] = ("name", "version", "license", "built-from")


class Element(msgspec.Struct, frozen=True):
    """An element of packages[] and its place: the number under which the graph and URLs know it."""

    number: int
    package: Package


class Wanted(msgspec.Struct, frozen=True):
    """A filter. Empty fields ask for everything; `role` "" asks for the contents (installed and modules)."""

    text: str = ""
    ecosystem: str = ""
    license: str = ""
    role: str = ""
    sort: Sort = "name"


class Listing(msgspec.Struct, frozen=True):
    rows: tuple[Element, ...]
    total: int  # of the role, before text, type and licence
    ecosystems: tuple[tuple[str, int], ...]
    licenses: tuple[tuple[str, int], ...]
    roles: tuple[tuple[str, int], ...]


def elements(sbom: Sbom) -> tuple[Package, ...]:
    """Every element of packages[], in the document's order. () when the document is neither indexed nor pruned."""
    if sbom.indexed:
        try:
            return _elements(sbom.pk)
        except SbomDetail.DoesNotExist:  # pruned since
            sbom = Sbom.objects.get(pk=sbom.pk)
    found = pruned.document(sbom)
    return found.packages if found else ()


@lru_cache(maxsize=4)
def _elements(sbom_id: int) -> tuple[Package, ...]:
    # A stored document never changes: its elements are the same for as long as its id lives.
    return blobs.packages(SbomDetail.objects.only("packages").get(pk=sbom_id))


def listing(sbom: Sbom, wanted: Wanted) -> Listing:
    every = [Element(number, package) for number, package in enumerate(elements(sbom))]
    roles = Counter(str(element.package.role) for element in every)
    chosen = [element for element in every if _has_role(element.package, wanted.role)]
    text = wanted.text.casefold()
    rows = [
        element
        for element in chosen
        if (not text or text in element.package.name.casefold() or text in element.package.built_from.casefold())
        and (not wanted.ecosystem or element.package.ecosystem == wanted.ecosystem)
        and (not wanted.license or _license(element.package) == wanted.license)
    ]
    rows.sort(key=lambda element: _order(element, wanted.sort))
    return Listing(
        rows=tuple(rows),
        total=len(chosen),
        ecosystems=_counted(element.package.ecosystem for element in chosen),
        licenses=_counted(_license(element.package) for element in chosen),
        roles=tuple((str(role), roles[role]) for role in Role if roles[role]),
    )


NOT_STATED = "not stated"


def _license(package: Package) -> str:
    return package.license or NOT_STATED


def _has_role(package: Package, role: str) -> bool:
    return package.role in CONTENTS if not role else role in ("all", package.role)


def _order(element: Element, sort: Sort) -> tuple[object, ...]:
    """Total: the place in the document decides last."""
    package = element.package
    name = (package.name.casefold(), package.name, element.number)
    if sort == "version":
        key = version_key(package.ecosystem, package.version)
        return (package.ecosystem, key is None, key or b"", package.version, *name)
    if sort == "license":
        return (not package.license, package.license.casefold(), *name)
    if sort == "built-from":
        return (not package.built_from, package.built_from.casefold(), *name)
    return name


def _counted(values: object) -> tuple[tuple[str, int], ...]:
    counted = Counter(values)  # type: ignore[call-overload]
    return tuple(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


class LicenseRow(msgspec.Struct, frozen=True):
    expression: str  # "" = not stated
    packages: tuple[Element, ...]
    families: tuple[str, ...]


def license_rows(sbom: Sbom) -> tuple[LicenseRow, ...]:
    """Licences of the contents, the most used first; those that state none last."""
    grouped: dict[str, list[Element]] = {}
    for number, package in enumerate(elements(sbom)):
        if package.role in CONTENTS:
            grouped.setdefault(package.license, []).append(Element(number, package))
    rows = [
        LicenseRow(expression, tuple(found), tuple(map(str, licenses.families(expression))) if expression else ())
        for expression, found in grouped.items()
    ]
    return tuple(sorted(rows, key=lambda row: (not row.expression, -len(row.packages), row.expression)))


def files(sbom: Sbom, start: int, count: int) -> tuple[File, ...]:
    """Files in the document's order; only the blocks that hold them are unpacked."""
    detail = SbomDetail.objects.only("files").filter(pk=sbom.pk).first()
    if detail is None:
        found = pruned.document(sbom)
        return found.files[start : start + count] if found else ()
    return blobs.files(detail, start, count)


def document(sbom: Sbom) -> Document | None:
    detail = SbomDetail.objects.only("document").filter(pk=sbom.pk).first()
    return blobs.document(detail) if detail else pruned.document(sbom)


def graph(sbom: Sbom) -> Graph:
    row = SbomGraph.objects.filter(pk=sbom.pk).first()
    if row is None:
        found = pruned.document(sbom)
        return found.graph if found else Graph((), (), ())
    return blobs.graph(row)
