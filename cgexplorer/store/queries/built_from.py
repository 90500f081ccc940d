"""What a version of a component was built from, as a document that holds it states it."""

from __future__ import annotations

import msgspec

from cgexplorer.spdx import document as spdx
from cgexplorer.spdx import graph as graphs
from cgexplorer.spdx.document import CONTENTS, Package
from cgexplorer.spdx.wire import escaped
from cgexplorer.store.models import Component, PackageImage, Sbom
from cgexplorer.store.queries import contents
from cgexplorer.store.queries.contents import Element


class BuiltFrom(msgspec.Struct, frozen=True):
    """A document with this version, the place where it lists it, and what it says that was built from."""

    sbom: Sbom
    element: Element
    definitions: tuple[Element, ...]  # DESCRIBED_BY: a melange file at its commit
    sources: tuple[Element, ...]  # GENERATED_FROM: upstream at its commit


def built_from(component: Component, version: str) -> BuiltFrom | None:
    """By the newest of the documents that brought this version to an image, a verified one before any other.

    One document is read, however many hold the version. None when it can be read no more.
    """
    brought = PackageImage.objects.filter(package__component=component, package__version=version)
    newest = brought.filter(first_sbom__evidence__state="verified").order_by("-first_sbom").first()
    found = newest or brought.order_by("-first_sbom").first()
    if found is None:
        return None
    sbom = Sbom.objects.select_related("manifest__image", "manifest__run", "evidence").get(pk=found.first_sbom_id)
    listed = contents.elements(sbom)
    place = next((number for number, one in enumerate(listed) if _is(one, component, version)), None)
    return None if place is None else _stated(sbom, listed, place)


def _is(package: Package, component: Component, version: str) -> bool:
    if package.role not in CONTENTS or escaped(package.version) != version:
        return False
    named = package.ecosystem, package.namespace, package.purl_name or package.name
    return tuple(map(escaped, named)) == (component.ecosystem, component.namespace, component.name)


def _stated(sbom: Sbom, listed: tuple[Package, ...], place: int) -> BuiltFrom:
    ends = graphs.children(contents.graph(sbom), place, (spdx.DESCRIBED_BY, spdx.GENERATED_FROM))
    others = [(kind, Element(end, listed[end])) for kind, end in ends if 0 <= end < len(listed)]
    return BuiltFrom(
        sbom,
        Element(place, listed[place]),
        definitions=tuple(other for kind, other in others if kind == spdx.DESCRIBED_BY),
        sources=tuple(other for kind, other in others if kind == spdx.GENERATED_FROM),
    )
