"""CycloneDX told in SPDX's words, so that both formats go the same way into the same rows.

A component is a package, a component of type `file` a file, `dependsOn` is DEPENDS_ON, components within components are
CONTAINS, and the component that the metadata describe is what the document DESCRIBES. What syft and trivy put into
properties because CycloneDX has no field for it is read from there: more CPEs, go.sum hashes, the source package.
Source: CycloneDX 1.7, https://cyclonedx.org/docs/1.7/json/; the mapping of fields as syft writes both formats.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator

from cgexplorer.spdx import cyclonedx_wire, wire
from cgexplorer.spdx.cyclonedx_wire import Bom, Component, Contact, LicenseChoice
from cgexplorer.spdx.findings import Findings
from cgexplorer.spdx.licenses import is_listed

is_one = cyclonedx_wire.is_cyclonedx

_DOCUMENT = "#/"  # a JSON pointer stands for a component that has no bom-ref
_PURPOSE = {
    "container": "CONTAINER",
    "operating-system": "OPERATING_SYSTEM",
    "file": "FILE",
    # Neither is software that is installed.
    "data": "FILE",
    "cryptographic-asset": "FILE",
}
_ALGORITHM = {"SHA-1": "SHA1", "SHA-224": "SHA224", "SHA-256": "SHA256", "SHA-384": "SHA384", "SHA-512": "SHA512"}
_PERSON = re.compile(r"^(?P<name>[^<>]*?)\s*<(?P<email>[^<>]+)>$")
_NOT_OF_IDS = re.compile(r"[^A-Za-z0-9.\-]+")


def decode(raw: bytes, findings: Findings) -> wire.Document:
    """The document in SPDX's words. Only for bytes that have passed the gate and that `is_one` calls CycloneDX."""
    bom = cyclonedx_wire.decode(raw, findings)
    metadata = bom.metadata or cyclonedx_wire.Metadata()
    told = _Told()
    told.everything(bom, metadata.component)
    if not (bom.spec_version or "").startswith("1."):
        findings.add("specVersion is not 1.x", bom.spec_version or "")
    for service in bom.services or ():
        findings.add("service, which is no package", service.name or "")
    return wire.Document(
        spdx_version=f"CycloneDX-{bom.spec_version or ''}",
        spdx_id=_DOCUMENT,
        name=metadata.component.name if metadata.component else None,
        document_namespace=bom.serial_number,
        creation_info=wire.CreationInfo(metadata.timestamp, list(_creators(metadata))),
        packages=told.packages,
        files=told.files,
        relationships=told.relationships,
        has_extracted_licensing_infos=list(told.license_texts.values()),
    )


class _Told:
    """What was told of the components so far."""

    def __init__(self) -> None:
        self.packages: list[wire.Package] = []
        self.files: list[wire.File] = []
        self.relationships: list[wire.Relationship] = []
        self.license_texts: dict[str, wire.ExtractedLicense] = {}

    def everything(self, bom: Bom, described: Component | None) -> None:
        if described is not None:
            ref = self._package(described, f"{_DOCUMENT}metadata/component")
            self._relate(_DOCUMENT, "DESCRIBES", ref)
            self._components(described.components, ref, f"{_DOCUMENT}metadata/component")
        self._components(bom.components, None, _DOCUMENT.rstrip("/"))
        for dependency in bom.dependencies or ():
            for target in dependency.depends_on or ():
                self._relate(dependency.ref, "DEPENDS_ON", target)

    def _components(self, components: list[Component] | None, parent: str | None, pointer: str) -> None:
        for number, component in enumerate(components or ()):
            here = f"{pointer}/components/{number}"
            ref = self._file(component, here) if component.type == "file" else self._package(component, here)
            if parent is not None:
                self._relate(parent, "CONTAINS", ref)
            self._components(component.components, ref, here)

    def _relate(self, source: str | None, kind: str, target: str | None) -> None:
        self.relationships.append(wire.Relationship(source, kind, target))

    def _file(self, component: Component, pointer: str) -> str:
        ref = component.bom_ref or pointer
        self.files.append(wire.File(ref, component.name, _checksums(component), self._license(component)[1]))
        return ref

    def _package(self, component: Component, pointer: str) -> str:
        ref = component.bom_ref or pointer
        declared, concluded = self._license(component)
        properties = {one.name: one.value for one in component.properties or () if one.name and one.value}
        self.packages.append(
            wire.Package(
                spdx_id=ref,
                name=_name(component),
                version_info=component.version,
                supplier=_supplier(component),
                originator=_originator(component),
                download_location=_reference(component, "distribution"),
                checksums=_checksums(component),
                homepage=_reference(component, "website"),
                source_info=_source(properties),
                license_declared=declared,
                license_concluded=concluded,
                summary=component.description,
                comment=f"scope: {component.scope}" if component.scope not in (None, "required") else None,
                external_refs=[*_external(component)],
                primary_package_purpose=_purpose(component),
            )
        )
        return ref

    def _license(self, component: Component) -> tuple[str | None, str | None]:
        """Declared and concluded; a choice that does not say which is declared."""
        declared: list[str] = []
        concluded: list[str] = []
        for choice in component.licenses or ():
            acknowledged = choice.acknowledgement or (choice.license.acknowledgement if choice.license else None)
            expression = self._expression(choice)
            if expression:
                (concluded if acknowledged == "concluded" else declared).append(expression)
        return _all_of(declared), _all_of(concluded)

    def _expression(self, choice: LicenseChoice) -> str | None:
        if choice.expression:
            return choice.expression
        licence = choice.license
        if licence is None:
            return None
        name = licence.id or licence.name
        if not name or is_listed(name):
            return name
        ref = f"LicenseRef-{_NOT_OF_IDS.sub('-', name).strip('-')[:200] or 'unnamed'}"
        text = licence.text.content if licence.text and licence.text.encoding is None else None
        self.license_texts.setdefault(ref, wire.ExtractedLicense(ref, name, text or ""))
        return ref


def _all_of(expressions: list[str]) -> str | None:
    if len(expressions) < 2:
        return expressions[0] if expressions else None
    return " AND ".join(f"({one})" if " OR " in one.upper() else one for one in dict.fromkeys(expressions))


def _name(component: Component) -> str | None:
    # With a purl the group is its namespace; without, it would be lost.
    if component.group and component.name and not component.purl:
        return f"{component.group}/{component.name}"
    return component.name


def _purpose(component: Component) -> str | None:
    # trivy: an `application` without a version is the lock file or binary that its packages were found in.
    if component.type == "application" and not component.purl and not component.version:
        return "FILE"
    return _PURPOSE.get(component.type or "")


def _external(component: Component) -> Iterator[wire.ExternalRef]:
    cpes = [component.cpe] if component.cpe else []
    cpes += [one.value for one in component.properties or () if one.name == "syft:cpe23" and one.value]
    for cpe in dict.fromkeys(cpes):
        yield wire.ExternalRef("SECURITY", "cpe23Type", cpe)
    if component.purl:
        yield wire.ExternalRef("PACKAGE-MANAGER", "purl", component.purl)


def _checksums(component: Component) -> list[wire.Checksum]:
    found = [wire.Checksum(_ALGORITHM.get(one.alg or "", one.alg), one.content) for one in component.hashes or ()]
    sums = [_h1(one.value or "") for one in component.properties or () if one.name == "syft:metadata:h1Digest"]
    return found + [wire.Checksum("SHA256", value) for value in sums if value]


def _h1(text: str) -> str:
    """go.sum's `h1:<base64>` is a SHA-256, which syft's SPDX documents write as such."""
    try:
        return base64.b64decode(text.removeprefix("h1:"), validate=True).hex() if text.startswith("h1:") else ""
    except binascii.Error:
        return ""


def _source(properties: dict[str, str]) -> str | None:
    name = properties.get("aquasecurity:trivy:SrcName")
    return f"built package from: {name} {properties.get('aquasecurity:trivy:SrcVersion', '')}" if name else None


def _reference(component: Component, kind: str) -> str | None:
    return next((one.url for one in component.external_references or () if one.type == kind and one.url), None)


def _supplier(component: Component) -> str | None:
    if component.supplier and component.supplier.name:
        return f"Organization: {component.supplier.name}"
    return _actor(component.publisher, "Organization") if component.publisher else None


def _originator(component: Component) -> str | None:
    written = component.author or next((_written(one) for one in component.authors or ()), "")
    return _actor(written, "Person") if written else None


def _creators(metadata: cyclonedx_wire.Metadata) -> Iterator[str]:
    tools = metadata.tools
    listed: Iterable[cyclonedx_wire.Tool] = tools if isinstance(tools, list) else ()
    if isinstance(tools, cyclonedx_wire.Tools):
        listed = [*(tools.components or ()), *(tools.services or ())]
    for tool in listed:
        if tool.name:
            yield f"Tool: {tool.name}-{tool.version}" if tool.version else f"Tool: {tool.name}"
    for author in metadata.authors or ():
        if _written(author):
            yield _actor(_written(author), "Person")


def _written(contact: Contact) -> str:
    return f"{contact.name or ''} <{contact.email}>" if contact.email else contact.name or ""


def _actor(written: str, kind: str) -> str:
    """As SPDX writes it; `Name <mail>` is a person, as distributions name their maintainers."""
    found = _PERSON.match(written.strip())
    return f"Person: {found['name']} ({found['email']})" if found else f"{kind}: {written.strip()}"
