from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from cgexplorer.spdx import conformance, linear_spdx_tools, worker
from cgexplorer.spdx.conformance import Opinion
from tests.spdx import documents
from tests.spdx.documents import document, package, raw, related


def test_a_faultless_document_is_clean() -> None:
    bytes_ = raw(package("a", filesAnalyzed=False), relationships=[related("DOCUMENT", "DESCRIBES", "a")])
    assert conformance.check(bytes_) == conformance.Conformance(Opinion.CLEAN)


def test_findings_are_grouped_by_class_with_their_number() -> None:
    odd = [package(f"under_score_{place}", filesAnalyzed=False) for place in range(5)]
    found = conformance.check(raw(*odd, relationships=[related("DOCUMENT", "DESCRIBES", "under_score_0")]))
    assert found.opinion is Opinion.FINDINGS
    counts = {one.what: one.count for one in found.findings}
    assert max(counts.values()) >= 5
    assert len(counts) < found.count


def test_a_document_that_spdx_tools_cannot_read_is_rejected_with_the_reason() -> None:
    found = conformance.check(raw(package("a", supplier="nobody in particular")))
    assert found.opinion is Opinion.REJECTED
    assert "nobody in particular doesn't match any of person, organization or tool" in found.reason


def test_a_document_that_spdx_tools_dies_of_is_rejected_too() -> None:
    assert conformance.check(b'{"packages": {"a": 1}}').opinion is Opinion.REJECTED


def test_a_very_long_reason_is_shortened() -> None:
    found = conformance.rejected(["x" * 900_000])
    assert len(found.reason) == 500
    assert all(len(example) <= 200 for one in found.findings for example in one.examples)


def test_what_takes_too_long_is_killed_and_not_run() -> None:
    found = conformance.check(raw(package("a")), timeout_s=0.01)
    assert found.opinion is Opinion.NOT_RUN
    assert "more than 0.01 seconds" in found.reason


def test_a_reader_that_is_slow_to_begin_gets_all_of_a_long_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LOOK_EVERY_S", 0.001)  # many looks before it has started
    long = package("a", filesAnalyzed=False, comment="x" * 500_000)
    found = conformance.check(raw(long, relationships=[related("DOCUMENT", "DESCRIBES", "a")]), timeout_s=30)
    assert found.opinion is Opinion.CLEAN


def test_a_process_that_dies_gives_a_sentence_and_no_answer() -> None:
    with pytest.raises(worker.WorkerError, match="unknown task nonsense"):
        worker.run("nonsense", b"", 30)


def test_messages_about_different_elements_are_one_class() -> None:
    messages = [
        f'spdx_id must only contain letters, numbers, "." and "-", but is: SPDXRef-a_{place}' for place in range(9)
    ]
    (group,) = conformance.grouped(messages)
    assert group.count == 9
    assert len(group.examples) == 3


def stock_messages(model: Any) -> list[str]:
    return [one.validation_message for one in validate_full_spdx_document(model)]


REPLACED = [
    (linear_spdx_tools.spdx_id_validators, "is_spdx_id_present_in_document"),
    (linear_spdx_tools.spdx_id_validators, "is_spdx_id_present_in_files"),
    (linear_spdx_tools.spdx_id_validators, "is_external_doc_ref_present_in_document"),
    (linear_spdx_tools.license_expression_validator, "is_external_doc_ref_present_in_document"),
    (linear_spdx_tools.license_expression_validator, "validate_license_expression"),
    (linear_spdx_tools.package_validator, "filter_by_type_and_origin"),
    (linear_spdx_tools.package_validator, "filter_by_type_and_target"),
    (linear_spdx_tools.package_validator, "get_element_type_from_spdx_id"),
    (linear_spdx_tools.package_validator, "validate_license_expression"),
    (linear_spdx_tools.file_validator, "validate_license_expression"),
]


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """spdx-tools as it was, after the test."""
    for module, name in REPLACED:
        monkeypatch.setattr(module, name, getattr(module, name))


def faulty() -> dict[str, Any]:
    """One of each fault that the replaced functions look for."""
    file = {
        "SPDXID": "SPDXRef-f",
        "fileName": "/absolute",
        "checksums": [{"algorithm": "SHA1", "checksumValue": "0" * 40}],
        "licenseConcluded": "MIT AND LicenseRef-unknown",
        "licenseInfoInFiles": ["LicenseRef-unknown", "NOASSERTION"],
    }
    return document(
        package("a", filesAnalyzed=False, hasFiles=["SPDXRef-f"], licenseDeclared="LicenseRef-unknown"),
        package("under_score", licenseConcluded="Invented-1.0", licenseInfoFromFiles=["Invented-1.0"]),
        files=[file],
        relationships=[
            related("DOCUMENT", "DESCRIBES", "a"),
            related("a", "CONTAINS", "gone"),
            related("f", "CONTAINED_BY", "a"),
            related("a", "DEPENDS_ON", "b") | {"relatedSpdxElement": "DocumentRef-x:SPDXRef-y"},
        ],
    )


def accepted(path: Path) -> Any:
    try:
        return JsonLikeDictParser().parse(json.loads(path.read_bytes()))
    except SPDXParsingError:
        return None


SMALL = [path for path in documents.real() if path.stat().st_size < 300_000 and path.name != documents.INVALID]


@pytest.mark.usefixtures("restored")
def test_lookups_give_the_messages_of_stock_spdx_tools_in_their_order() -> None:
    model = JsonLikeDictParser().parse(faulty())
    stock = stock_messages(model)
    assert len(stock) > 8
    found = linear_spdx_tools.validate_linearly(model)
    assert [one.validation_message for one in found] == stock


@pytest.mark.skipif(not SMALL, reason="no real data beside the checkout (../shared/data)")
@pytest.mark.usefixtures("restored")
def test_lookups_give_the_same_for_real_documents() -> None:
    models = [model for path in SMALL if (model := accepted(path)) is not None]
    assert len(models) >= 25
    stock = [stock_messages(model) for model in models]  # all before the first lookup replaces anything
    assert [[one.validation_message for one in linear_spdx_tools.validate_linearly(model)] for model in models] == stock


def test_the_worker_runs_wherever_the_server_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert os.getcwd() == str(tmp_path)
    assert conformance.check(raw(package("a"))).opinion is not Opinion.NOT_RUN


def test_megabytes_of_reasons_are_some_classes_and_a_short_text() -> None:
    """What spdx-tools says of a document of trivy's: every package once, 0.9 MB in one real case."""
    odd = [
        {"SPDXID": f"SPDXRef-{place}", "name": "x", "filesAnalyzed": False, "licenseDeclared": f"GPL {place}, see file"}
        for place in range(4000)
    ]
    found = conformance.check(raw(*odd), timeout_s=50)
    assert found.opinion is Opinion.REJECTED
    assert found.count >= 4000
    assert len(found.findings) < 20
    assert len(json.dumps([[one.what, one.count, *one.examples] for one in found.findings])) < 8000
