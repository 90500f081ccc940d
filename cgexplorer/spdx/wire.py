"""SPDX 2.x JSON as it lies in a document: typed decode first, element by element when something has a wrong type.

Unknown keys are passed over here and stay in the kept bytes. Source: SPDX 2.3, annex "JSON format".
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, get_args, get_origin

import msgspec

from cgexplorer.spdx.document import NotIndexable
from cgexplorer.spdx.findings import Findings

_NUL = b"\\u0000"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Checksum(msgspec.Struct, rename="camel", gc=False):
    algorithm: str | None = None
    checksum_value: str | None = None


class ExternalRef(msgspec.Struct, rename="camel", gc=False):
    reference_category: str | None = None
    reference_type: str | None = None
    reference_locator: str | None = None


class Package(msgspec.Struct, rename="camel", gc=False):
    spdx_id: str | None = msgspec.field(default=None, name="SPDXID")
    name: str | None = None
    version_info: str | None = None
    package_file_name: str | None = None
    supplier: str | None = None
    originator: str | None = None
    download_location: str | None = None
    checksums: list[Checksum] | None = None
    homepage: str | None = None
    source_info: str | None = None
    license_concluded: str | None = None
    license_declared: str | None = None
    summary: str | None = None
    description: str | None = None
    comment: str | None = None
    external_refs: list[ExternalRef] | None = None
    primary_package_purpose: str | None = None
    has_files: list[str] | None = None


class File(msgspec.Struct, rename="camel", gc=False):
    spdx_id: str | None = msgspec.field(default=None, name="SPDXID")
    file_name: str | None = None
    checksums: list[Checksum] | None = None
    license_concluded: str | None = None


class Relationship(msgspec.Struct, rename="camel", gc=False):
    spdx_element_id: str | None = None
    relationship_type: str | None = None
    related_spdx_element: str | None = None


class ExtractedLicense(msgspec.Struct, rename="camel", gc=False):
    license_id: str | None = None
    name: str | None = None
    extracted_text: str | None = None


class CreationInfo(msgspec.Struct, rename="camel"):
    created: str | None = None
    creators: list[str] | None = None


class Document(msgspec.Struct, rename="camel"):
    spdx_version: str | None = None
    spdx_id: str | None = msgspec.field(default=None, name="SPDXID")
    name: str | None = None
    document_namespace: str | None = None
    creation_info: CreationInfo | None = None
    document_describes: list[str] | None = None
    packages: list[Package] | None = None
    files: list[File] | None = None
    relationships: list[Relationship] | None = None
    has_extracted_licensing_infos: list[ExtractedLicense] | None = None


class _Sniffed(msgspec.Struct, rename="camel"):
    """Only what tells one format from another."""

    spdx_version: msgspec.Raw = msgspec.Raw()
    context: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="@context")
    graph: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="@graph")
    packages: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="Data")


_SNIFFER = msgspec.json.Decoder(_Sniffed)
_SNIFFED_FIELDS = msgspec.structs.fields(_Sniffed)
_DECODER = msgspec.json.Decoder(Document)


def decode(raw: bytes, findings: Findings) -> Document:
    """Decode a document that has passed the gate.

    Elements and fields of a wrong type are left out and noted in `findings`; everything else is kept.
    Raises NotIndexable when the bytes are not SPDX 2.x.
    """
    if may_decode_typed(raw):
        try:
            return _DECODER.decode(_spdx_2_part(raw))
        except msgspec.DecodeError:  # a wrong type, or half of a surrogate pair
            pass
    tree = tree_of(raw)
    wrapped = tree.get("Data")
    _refuse_other_formats(tree.keys(), json.dumps(tree.get("@context")), isinstance(wrapped, dict))
    return _decode_leniently(wrapped if "spdxVersion" not in tree and isinstance(wrapped, dict) else tree, findings)


def may_decode_typed(raw: bytes) -> bool:
    """Not when a NUL is written in it: the typed decoder would hand it on."""
    return _NUL not in raw


def tree_of(raw: bytes) -> dict[str, Any]:
    """The document as it is, with what cannot be stored as text escaped."""
    tree = json.loads(raw)
    if _NUL in raw or _SURROGATE.search(raw):
        tree = escaped(tree)
    return tree  # type: ignore[no-any-return]


def _spdx_2_part(raw: bytes) -> bytes:
    sniffed = _SNIFFER.decode(raw)
    present = {field.encode_name for field in _SNIFFED_FIELDS if bytes(getattr(sniffed, field.name))}
    wrapped = bytes(sniffed.data)
    _refuse_other_formats(present, bytes(sniffed.context).decode(), wrapped.startswith(b"{"))
    if "spdxVersion" not in present and wrapped.startswith(b"{"):
        return wrapped  # cosign's generic predicate: {"Data": …, "Timestamp": …}
    return raw


def _refuse_other_formats(keys: Collection[str], context: str, wraps_object: bool) -> None:
    if "spdx.org/rdf/3" in context or ("@graph" in keys and "spdxVersion" not in keys):
        raise NotIndexable("SPDX 3, not indexed yet.")
    if "Data" in keys and "spdxVersion" not in keys and not wraps_object:
        raise NotIndexable("The predicate wraps text in Data instead of a JSON document; that is not indexed yet.")
    if not {"spdxVersion", "packages", "Data"} & set(keys):
        raise NotIndexable(
            "The document is JSON, but neither SPDX nor CycloneDX: it states no spdxVersion, packages or bomFormat."
        )


def _decode_leniently(tree: dict[str, Any], findings: Findings) -> Document:
    lists: dict[str, tuple[type[msgspec.Struct], str]] = {
        "packages": (Package, "package"),
        "files": (File, "file"),
        "relationships": (Relationship, "relationship"),
        "hasExtractedLicensingInfos": (ExtractedLicense, "extracted licence"),
    }
    rest = {key: value for key, value in tree.items() if key not in lists}
    document = element(Document, rest, "document", findings)
    for key, (struct, what) in lists.items():
        elements = [element(struct, value, what, findings) for value in items(tree.get(key), key, what, findings)]
        setattr(document, key_to_field(key), elements)
    return document


def key_to_field(key: str) -> str:
    return re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), key)


def items(value: Any, key: str, what: str, findings: Findings) -> Iterator[dict[str, Any]]:
    if value is None:
        return
    if not isinstance(value, list):
        findings.add(f"{key} is not a list", repr(value))
        return
    for item in value:
        if isinstance(item, dict):
            yield item
        else:
            findings.add(f"{what} that is not an object", repr(item))


def element[S: msgspec.Struct](struct: type[S], value: dict[str, Any], what: str, findings: Findings) -> S:
    """The element without the fields that cannot be read."""
    try:
        return msgspec.convert(value, struct)
    except msgspec.ValidationError:
        pass
    kept: dict[str, Any] = {}
    for field in _fields(struct):
        found = value.get(field.encode_name)
        if found is None:
            continue
        try:
            kept[field.name] = msgspec.convert(found, field.type)
        except msgspec.ValidationError:
            nested = _struct_in(field.type)
            if nested is not None and isinstance(found, dict) and list not in _kinds(field.type):
                kept[field.name] = element(nested, found, field.encode_name, findings)
                continue
            repaired = _repaired(found, field.type)
            findings.add(f"{what}: {field.encode_name} has a wrong type", f"{_id_of(value)} {found!r}")
            if repaired is not None:
                kept[field.name] = repaired
    return struct(**kept)


def _id_of(element: dict[str, Any]) -> str:
    return str(element.get("SPDXID") or element.get("bom-ref") or "")


@cache
def _kinds(wanted: Any) -> tuple[Any, ...]:
    """`list[Checksum] | None` is a list or nothing."""
    return tuple(get_origin(one) or one for one in get_args(wanted) or (wanted,))


@cache
def _struct_in(wanted: Any) -> type[msgspec.Struct] | None:
    """The type of object that a field is, or that the items of its list are."""
    for one in get_args(wanted) or (wanted,):
        for inner in get_args(one) or (one,):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                return inner
    return None


@cache
def _fields(struct: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(struct)


def _repaired(found: Any, wanted: Any) -> Any:
    """What can be kept of a field with a wrong type: the good items of a list, a number as text, a single item."""
    if isinstance(found, bool | dict):
        return None
    if isinstance(found, int | float):
        try:
            return msgspec.convert(str(found), wanted)
        except msgspec.ValidationError:
            return None
    if isinstance(found, str):
        found = [found]
    struct, good = _struct_in(wanted) if list in _kinds(wanted) else None, []
    for item in found:
        try:
            good += msgspec.convert([item], wanted)
        except (msgspec.ValidationError, TypeError):
            if struct is not None and isinstance(item, dict):
                good.append(element(struct, item, "", Findings()))  # counted as one fault, with the list
    return good or None


def escaped(value: Any) -> Any:
    """NUL and lone surrogates are legal in JSON but cannot be stored as text: shown as JSON would escape them."""
    if isinstance(value, str):
        if "\0" in value:
            value = value.replace("\0", "\\u0000")
        try:
            value.encode()
        except UnicodeEncodeError:
            value = value.encode("utf-8", "backslashreplace").decode()
        return value
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, dict):
        return {escaped(key): escaped(item) for key, item in value.items()}
    return value
