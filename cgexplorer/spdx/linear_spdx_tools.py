"""spdx-tools with its document-wide lookups remembered: the same messages in the same order, without quadratic work.

Stock validation asks "is this id in the document" by a scan for each element: 200 s for 20,000 packages, 1 s so.
The functions of spdx-tools are replaced for the whole process, so this belongs into the worker process only.
Checked against stock spdx-tools 0.8.5 by tests/spdx/test_conformance.py; raise the pin only together with it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from spdx_tools.spdx.model.file import File
from spdx_tools.spdx.model.package import Package
from spdx_tools.spdx.model.relationship import RelationshipType
from spdx_tools.spdx.model.snippet import Snippet
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.jsonlikedict import license_expression_parser, relationship_parser
from spdx_tools.spdx.validation import (
    document_validator,
    file_validator,
    license_expression_validator,
    package_validator,
    spdx_id_validators,
)
from spdx_tools.spdx.validation.validation_message import SpdxElementType, ValidationContext, ValidationMessage


def parse_linearly() -> None:
    """Replace the parser's slow functions: a licence parsed once a text, relationships found by set."""
    licenses: Any = license_expression_parser.LicenseExpressionParser
    relationships: Any = relationship_parser.RelationshipParser
    licenses.parse_license_expression = staticmethod(_Remembered(licenses.parse_license_expression))
    relationships.get_all_relationships_without_comments = staticmethod(_Known)
    relationships.check_if_relationship_exists = lambda _, relationship, existing_relationships: (
        existing_relationships.has(relationship)
    )


class _Remembered:
    def __init__(self, original: Any) -> None:
        self._original = original
        self._answers: dict[str, Any] = {}

    def __call__(self, text: Any) -> Any:
        if not isinstance(text, str):
            return self._original(text)
        if text not in self._answers:
            try:
                self._answers[text] = self._original(text)
            except SPDXParsingError as error:
                self._answers[text] = error
        answer = self._answers[text]
        if isinstance(answer, SPDXParsingError):
            raise SPDXParsingError(list(answer.messages))
        return answer


_INVERSE = {
    RelationshipType.DESCRIBES: RelationshipType.DESCRIBED_BY,
    RelationshipType.DESCRIBED_BY: RelationshipType.DESCRIBES,
    RelationshipType.CONTAINS: RelationshipType.CONTAINED_BY,
    RelationshipType.CONTAINED_BY: RelationshipType.CONTAINS,
}


class _Known(list[Any]):
    """The relationships that the document states, and each as a key."""

    def __init__(self, relationships: list[Any]) -> None:
        super().__init__(relationships)
        self._keys = {
            _key(one.relationship_type, one.spdx_element_id, one.related_spdx_element_id) for one in relationships
        }

    def has(self, one: Any) -> bool:
        kind, source, target = one.relationship_type, one.spdx_element_id, one.related_spdx_element_id
        return _key(kind, source, target) in self._keys or _key(_INVERSE[kind], target, source) in self._keys


def _key(kind: Any, source: Any, target: Any) -> tuple[Any, str, str]:
    return (kind, str(source), str(target))


def validate_linearly(document: Any, version: str | None = None) -> list[Any]:
    """All messages of spdx-tools' full validation."""
    known = _Lookups(document)
    ids: Any = spdx_id_validators
    packages: Any = package_validator
    files: Any = file_validator
    expressions: Any = license_expression_validator
    ids.is_spdx_id_present_in_document = lambda spdx_id, _: spdx_id in known.ids
    ids.is_spdx_id_present_in_files = lambda spdx_id, _: spdx_id in known.file_ids
    ids.is_external_doc_ref_present_in_document = lambda name, _: name in known.external
    expressions.is_external_doc_ref_present_in_document = ids.is_external_doc_ref_present_in_document
    packages.filter_by_type_and_origin = lambda _relationships, _kind, origin: known.contains.get(origin, [])
    packages.filter_by_type_and_target = lambda _relationships, _kind, target: known.contained.get(target, [])
    packages.get_element_type_from_spdx_id = lambda spdx_id, _: known.element_types.get(spdx_id)
    packages.validate_license_expression = files.validate_license_expression = known.license_messages
    expressions.validate_license_expression = known.license_messages
    found: list[Any] = document_validator.validate_full_spdx_document(document, version)
    return found


_STOCK_LICENSE_VALIDATION = license_expression_validator.validate_license_expression


class _Lookups:
    def __init__(self, document: Any) -> None:
        self.element_types: dict[str, Any] = {}
        for kind, elements in ((Snippet, document.snippets), (File, document.files), (Package, document.packages)):
            self.element_types |= {element.spdx_id: kind for element in elements}
        self.file_ids = {element.spdx_id for element in document.files}
        self.ids = {*self.element_types, document.creation_info.spdx_id}
        self.external = {one.document_ref_id for one in document.creation_info.external_document_refs}
        self.contains: dict[str, list[Any]] = defaultdict(list)
        self.contained: dict[str, list[Any]] = defaultdict(list)
        for one in document.relationships:
            if one.relationship_type is RelationshipType.CONTAINS:
                self.contains[one.spdx_element_id].append(one)
            elif one.relationship_type is RelationshipType.CONTAINED_BY:
                self.contained[str(one.related_spdx_element_id)].append(one)
        self._license_messages: dict[str, list[str]] = {}

    def license_messages(self, expression: Any, document: Any, parent_id: str, context: Any = None) -> list[Any]:
        if expression is None or not hasattr(expression, "render"):
            return list(_STOCK_LICENSE_VALIDATION(expression, document, parent_id, context))
        text = str(expression)
        messages = self._license_messages.get(text)
        if messages is None:
            stock = _STOCK_LICENSE_VALIDATION(expression, document, parent_id, context)
            messages = self._license_messages[text] = [message.validation_message for message in stock]
        context = context or ValidationContext(
            parent_id=parent_id, element_type=SpdxElementType.LICENSE_EXPRESSION, full_element=expression
        )
        return [ValidationMessage(message, context) for message in messages]
