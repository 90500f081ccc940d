"""No quirk costs more than what is odd itself, each is named, and what spdx-tools reads we read as it does."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given

from cgexplorer.spdx.conformance import Opinion
from cgexplorer.spdx.document import Document
from cgexplorer.spdx.parse import parse
from cgexplorer.spdx.spdx_tools_opinion import opinion
from tests.spdx import documents, honesty, quirks
from tests.spdx.quirks import MISSING, QUIRKS, Quirk


def assert_nothing_lost(tree: dict[str, Any], found: Document) -> None:
    """Every element that is an element is there, also the one that is odd; the good ones are as they were."""
    packages, files, texts = (
        [one for one in tree.get(key) or () if isinstance(one, dict)]
        for key in ("packages", "files", "hasExtractedLicensingInfos")
    )
    assert sum(len(one.spdx_ids) or 1 for one in found.packages) == len(packages)
    assert (len(found.files), len(found.extracted_licenses)) == (len(files), len(texts))
    good = found.packages[0]
    assert (good.spdx_id, good.name, good.purl) == ("SPDXRef-good", "good", quirks.PURL)
    assert found.truncated == ""


def assert_named(chosen: list[Quirk], found: Document) -> None:
    wanted = Counter(one.finding for one in chosen if one.finding)
    counted = documents.findings(found)
    assert {what: counted.get(what, 0) for what in wanted} == {
        what: max(count, counted.get(what, 0)) for what, count in wanted.items()
    }
    repr(found).encode()  # no half characters: each row can be stored
    assert "\\x00" not in repr(found)


def assert_read_as_by_spdx_tools(chosen: list[Quirk], raw: bytes) -> None:
    """Where it accepts, its model is ours; what it refuses or dies of has its opinion kept."""
    with honesty.without_quadratic_work():
        try:
            model = honesty.accepted(json.loads(raw))
        except Exception:
            model = None
        if model is None:
            assert opinion(raw).opinion is Opinion.REJECTED
    if model is not None and not any(map(is_read_otherwise, chosen)) and has_no_copies(raw, model):
        honesty.assert_same(raw, model)


def has_no_copies(raw: bytes, model: Any) -> bool:
    """Packages of one purl are one here, and of those with one identifier it cannot be said which is which."""
    listed = len(model.packages)
    return len(parse(raw).packages) == listed == len({one.spdx_id for one in model.packages})


# What spdx-tools has as None we have as ""; the purl fills a version; a checksum without a value is none.
OTHERWISE_EMPTY = {("package", "versionInfo"), ("package", "checksums"), ("heading", "SPDXID")}
OTHERWISE_EMPTY |= {("extracted licence", field) for field in ("licenseId", "extractedText")}


def is_read_otherwise(quirk: Quirk) -> bool:
    text = json.dumps(quirk.value) if quirk.value is not MISSING else ""
    is_empty = quirk.value in (MISSING, None, "") or '"checksumValue": ""' in text
    return (
        "\\u0000" in text  # escaped, because PostgreSQL refuses them
        or "\\ud" in text
        or (is_empty and (quirk.of, quirk.field) in OTHERWISE_EMPTY)
        or (quirk.field, quirk.value) == ("hasFiles", "SPDXRef-file")  # a list of its letters to spdx-tools
        or "used twice" in quirk.finding
    )


@pytest.mark.parametrize("quirk", QUIRKS, ids=repr)
def test_a_quirk_alone(quirk: Quirk) -> None:
    assert_kept_and_named([quirk])


@given(quirks.documents)
def test_quirks_together(chosen: list[Quirk]) -> None:
    assert_kept_and_named(chosen)


def assert_kept_and_named(chosen: list[Quirk]) -> None:
    raw = quirks.raw(chosen)
    found = parse(raw)
    assert_nothing_lost(quirks.made(chosen), found)
    assert_named(chosen, found)
    assert_read_as_by_spdx_tools(chosen, raw)


def test_one_bad_field_of_a_reference_costs_no_purl() -> None:
    reference = {"referenceCategory": 5, "referenceType": "purl", "referenceLocator": quirks.PURL}
    found = parse(documents.raw(documents.package("a", externalRefs=[reference])))
    assert found.packages[0].purls == (quirks.PURL,)
    assert documents.findings(found) == {"package: externalRefs has a wrong type": 1}


def test_a_bad_date_costs_no_creators() -> None:
    creation = {"created": 7, "creators": ["Tool: syft-1.57.0"]}
    found = parse(documents.raw(documents.package("a"), creationInfo=creation))
    assert (found.created, found.generator) == ("7", "syft 1.57.0")
