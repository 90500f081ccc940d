"""CycloneDX 1.x JSON as it lies in a document: typed decode first, component by component when something is wrong.

Only what rows are made of; everything else stays in the kept bytes. Source: the CycloneDX JSON reference 1.2 to 1.7.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cgexplorer.spdx import wire
from cgexplorer.spdx.findings import Findings


class Hash(msgspec.Struct, gc=False):
    alg: str | None = None
    content: str | None = None


class Text(msgspec.Struct, gc=False):
    content: str | None = None
    encoding: str | None = None


class License(msgspec.Struct, gc=False):
    id: str | None = None
    name: str | None = None
    text: Text | None = None
    acknowledgement: str | None = None


class LicenseChoice(msgspec.Struct, gc=False):
    license: License | None = None
    expression: str | None = None
    acknowledgement: str | None = None


class Contact(msgspec.Struct, gc=False):
    name: str | None = None
    email: str | None = None


class Reference(msgspec.Struct, gc=False):
    type: str | None = None
    url: str | None = None


class Property(msgspec.Struct, gc=False):
    name: str | None = None
    value: str | None = None


class Component(msgspec.Struct, rename={"bom_ref": "bom-ref", "external_references": "externalReferences"}, gc=False):
    type: str | None = None
    bom_ref: str | None = None
    group: str | None = None
    name: str | None = None
    version: str | None = None
    description: str | None = None
    scope: str | None = None
    supplier: Contact | None = None
    publisher: str | None = None
    author: str | None = None
    authors: list[Contact] | None = None
    hashes: list[Hash] | None = None
    licenses: list[LicenseChoice] | None = None
    cpe: str | None = None
    purl: str | None = None
    external_references: list[Reference] | None = None
    properties: list[Property] | None = None
    components: list[Component] | None = None


class Tool(msgspec.Struct, gc=False):
    name: str | None = None
    version: str | None = None


class Tools(msgspec.Struct, gc=False):
    components: list[Tool] | None = None
    services: list[Tool] | None = None


class Metadata(msgspec.Struct):
    timestamp: str | None = None
    tools: Tools | list[Tool] | None = None  # a list until 1.4, deprecated since
    authors: list[Contact] | None = None
    component: Component | None = None


class Dependency(msgspec.Struct, rename="camel", gc=False):
    ref: str | None = None
    depends_on: list[str] | None = None


class Service(msgspec.Struct, gc=False):
    name: str | None = None


class Bom(msgspec.Struct, rename="camel"):
    spec_version: str | None = None
    serial_number: str | None = None
    metadata: Metadata | None = None
    components: list[Component] | None = None
    dependencies: list[Dependency] | None = None
    services: list[Service] | None = None


class _Sniffed(msgspec.Struct, rename="camel"):
    bom_format: msgspec.Raw = msgspec.Raw()
    spdx_version: msgspec.Raw = msgspec.Raw()


_SNIFFER = msgspec.json.Decoder(_Sniffed)
_DECODER = msgspec.json.Decoder(Bom)


def is_cyclonedx(raw: bytes) -> bool:
    """Whether a JSON object calls itself CycloneDX, and not SPDX too."""
    try:
        sniffed = _SNIFFER.decode(raw)
    except msgspec.DecodeError:  # half of a surrogate pair: the lenient reader of either format meets it again
        return b'"bomFormat"' in raw and b'"spdxVersion"' not in raw
    return bool(bytes(sniffed.bom_format)) and not bytes(sniffed.spdx_version)


def decode(raw: bytes, findings: Findings) -> Bom:
    """Decode a document that has passed the gate; what has a wrong type is left out and noted in `findings`."""
    if wire.may_decode_typed(raw):
        try:
            return _DECODER.decode(raw)
        except msgspec.DecodeError:
            pass
    tree = wire.tree_of(raw)
    bom = wire.element(Bom, _without(tree, "components", "dependencies", "metadata"), "document", findings)
    bom.metadata = _metadata(tree.get("metadata"), findings)
    bom.components = _components(tree.get("components"), findings)
    bom.dependencies = [
        wire.element(Dependency, one, "dependency", findings)
        for one in wire.items(tree.get("dependencies"), "dependencies", "dependency", findings)
    ]
    return bom


def _metadata(tree: Any, findings: Findings) -> Metadata | None:
    if not isinstance(tree, dict):
        if tree is not None:
            findings.add("metadata is not an object", repr(tree))
        return None
    metadata = wire.element(Metadata, _without(tree, "component"), "metadata", findings)
    described = _components([tree["component"]] if "component" in tree else None, findings)
    metadata.component = described[0] if described else None
    return metadata


def _components(found: Any, findings: Findings) -> list[Component]:
    components = []
    for one in wire.items(found, "components", "component", findings):
        component = wire.element(Component, _without(one, "components"), "component", findings)
        component.components = _components(one.get("components"), findings) or None
        components.append(component)
    return components


def _without(tree: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key not in keys}
