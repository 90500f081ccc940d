"""The relationships of a document as trees, one level at a time. Cycles end where a node was met before."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Literal

import msgspec

from cgexplorer.spdx import document as spdx
from cgexplorer.spdx import graph as graphs
from cgexplorer.spdx.document import Graph, Role
from cgexplorer.store.models import Sbom
from cgexplorer.store.queries import contents
from cgexplorer.store.queries.contents import Element

type By = Literal["contents", "depends", "used"]
DEPENDENCIES = (spdx.DEPENDS_ON, spdx.HAS_PREREQUISITE)
MAX_NODES = 500  # of one level; the table has them all
# A folder inside an apk is how syft says where it found something; what people look for is below it.
_HIDDEN = (Role.FILE,)


class Node(msgspec.Struct, frozen=True):
    element: Element
    below: int  # how many there are one level down


class Level(msgspec.Struct, frozen=True):
    nodes: tuple[Node, ...]
    left_out: int = 0


class Group(msgspec.Struct, frozen=True):
    """Contents of one role."""

    role: Role
    level: Level


class Build(msgspec.Struct, frozen=True):
    """A build definition, the packages it makes and the upstream sources they come from."""

    definition: Element | None  # None: packages whose document names no definition
    sources: tuple[Element, ...]
    packages: tuple[Element, ...]


class Tree(msgspec.Struct, frozen=True):
    contents: tuple[Group, ...]
    builds: tuple[Build, ...]
    depends: Level
    relationships: tuple[tuple[str, int], ...]  # type and count, the most frequent first
    roles: tuple[tuple[str, int], ...]


def tree(sbom: Sbom) -> Tree:
    """The first level of each tree."""
    view = _View(sbom)
    kinds = [(spdx.RELATIONSHIP_TYPES[kind], count) for kind, count in Counter(view.graph.type).items()]
    return Tree(
        contents=view.contents(),
        builds=view.builds(),
        depends=view.level(view.roots(), "depends"),
        relationships=tuple(sorted(kinds, key=lambda pair: (-pair[1], pair[0]))),
        roles=tuple((str(role), count) for role in Role if (count := view.roles[role])),
    )


def branch(sbom: Sbom, element: int, by: By) -> Level:
    """What is one level below an element."""
    view = _View(sbom)
    return view.level(view.below(element, by), by)


class _View:
    def __init__(self, sbom: Sbom) -> None:
        self.packages = contents.elements(sbom)
        self.graph: Graph = contents.graph(sbom)
        self.roles = Counter(package.role for package in self.packages)

    @cached_property
    def above(self) -> graphs.Reverse:
        return graphs.Reverse(self.graph)

    def below(self, node: int, by: By) -> list[int]:
        """Packages one level down; a hidden folder stands for what is in it."""
        if by == "used":
            found = [source for _, source in self.above.parents(node, DEPENDENCIES)]
        else:
            types = graphs.CONTENTS_TYPES if by == "contents" else DEPENDENCIES
            found = [target for _, target in graphs.children(self.graph, node, types)]
        return self._shown(found, by, {node})

    def _shown(self, found: list[int], by: By, seen: set[int]) -> list[int]:
        shown: list[int] = []
        for node in found:
            if node in seen or not 0 <= node < len(self.packages):
                continue
            seen.add(node)
            if by == "contents" and self.packages[node].role in _HIDDEN:
                inner = [target for _, target in graphs.children(self.graph, node, graphs.CONTENTS_TYPES)]
                shown += self._shown(inner, by, seen)
            else:
                shown.append(node)
        return shown

    def level(self, nodes: list[int], by: By) -> Level:
        ordered = sorted(nodes, key=lambda node: (self.packages[node].name.casefold(), node))
        shown = ordered[:MAX_NODES]
        return Level(
            tuple(Node(self.element(node), len(self.below(node, by))) for node in shown), len(ordered) - len(shown)
        )

    def element(self, node: int) -> Element:
        return Element(node, self.packages[node])

    def contents(self) -> tuple[Group, ...]:
        """What the described image holds, by role; without an image, what hangs under the document."""
        images = [node for node, package in enumerate(self.packages) if package.role is Role.IMAGE]
        tops = images or [spdx.THE_DOCUMENT]
        held: dict[Role, list[int]] = {}
        seen: set[int] = set(images)
        for top in tops:
            for node in self.below(top, "contents"):
                if node not in seen:
                    seen.add(node)
                    held.setdefault(self.packages[node].role, []).append(node)
        return tuple(Group(role, self.level(held[role], "contents")) for role in Role if role in held)

    def builds(self) -> tuple[Build, ...]:
        made: dict[int, list[int]] = {}
        for source, target in self._edges(spdx.DESCRIBED_BY):
            if 0 <= target < len(self.packages):
                made.setdefault(target, []).append(source)
        builds = [self._build(definition, packages) for definition, packages in made.items()]
        described = {package for packages in made.values() for package in packages}
        others = [source for source, _ in self._edges(spdx.GENERATED_FROM) if source not in described]
        if others:
            builds.append(self._build(None, list(dict.fromkeys(others))))
        return tuple(sorted(builds, key=lambda build: build.definition.package.name if build.definition else "~"))

    def _edges(self, *types: int) -> list[tuple[int, int]]:
        """(source, target) of the edges of these types that leave a package."""
        graph = self.graph
        return [
            (graph.source[place], graph.target[place])
            for place, kind in enumerate(graph.type)
            if kind in types and 0 <= graph.source[place] < len(self.packages)
        ]

    def _build(self, definition: int | None, packages: list[int]) -> Build:
        sources = dict.fromkeys(
            target
            for package in packages
            for _, target in graphs.children(self.graph, package, (spdx.GENERATED_FROM,))
            if 0 <= target < len(self.packages)
        )
        return Build(
            self.element(definition) if definition is not None else None,
            tuple(map(self.element, sources)),
            tuple(sorted(map(self.element, packages), key=lambda element: (element.package.name, element.number))),
        )

    def roots(self) -> list[int]:
        """Packages with dependencies that no other package depends on; in a ring, all of it."""
        edges = self._edges(*DEPENDENCIES)
        with_some = {source for source, _ in edges}
        depended = {target for source, target in edges if source != target}
        return sorted(with_some - depended or with_some)
