"""Rows against spdx-tools' model: on every real document that it accepts, and on repaired ones that it rejects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cgexplorer.spdx.document import NotIndexable
from cgexplorer.spdx.parse import parse
from tests.spdx import documents, honesty
from tests.spdx.honesty import accepted, assert_same

REAL = documents.real()
pytestmark = pytest.mark.skipif(not REAL, reason="no real data beside the checkout (../shared/data)")


def repaired(tree: dict[str, Any]) -> dict[str, Any]:
    """What syft 0.57 writes and spdx-tools refuses: fractions of seconds, files without checksums."""
    creation = tree["creationInfo"]
    creation["created"] = re.sub(r"\.\d+Z$", "Z", creation["created"])
    for file in tree.get("files") or ():
        file["checksums"] = file.get("checksums") or [{"algorithm": "SHA1", "checksumValue": "0" * 40}]
    for package in tree.get("packages") or ():
        for key in ("supplier", "originator"):
            if package.get(key, "").strip() in ("Organization:", "Person:"):
                package[key] = "NOASSERTION"
    return tree


@pytest.fixture(autouse=True)
def without_quadratic_work() -> Iterator[None]:
    with honesty.without_quadratic_work():
        yield


@pytest.mark.parametrize("path", [one for one in REAL if one.name != documents.INVALID], ids=lambda path: path.name)
def test_rows_are_what_spdx_tools_reads(path: Path) -> None:
    raw = path.read_bytes()
    model = accepted(json.loads(raw))
    if model is None:
        raw = json.dumps(repaired(json.loads(raw))).encode()
        model = accepted(json.loads(raw))
    assert model is not None, "spdx-tools rejects even the repaired document"
    assert_same(raw, model)


@pytest.mark.parametrize("path", [one for one in REAL if one.name != documents.INVALID], ids=lambda path: path.name)
def test_no_element_of_a_real_document_is_lost(path: Path) -> None:
    raw = path.read_bytes()
    tree, found = json.loads(raw), parse(raw)
    assert sum(len(one.spdx_ids) or 1 for one in found.packages) == len(tree.get("packages") or ())
    assert len(found.files) == len(tree.get("files") or ())
    assert found.truncated == ""


def test_the_truly_invalid_document_says_where() -> None:
    path = next(one for one in REAL if one.name == documents.INVALID)
    with pytest.raises(NotIndexable, match=r"^The document is not JSON: .* at line 14[67], column \d\.$"):
        parse(path.read_bytes())
