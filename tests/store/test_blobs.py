from __future__ import annotations

import json

import pytest

from cgexplorer.spdx.document import Document, File
from cgexplorer.spdx.parse import parse
from cgexplorer.store import blobs
from cgexplorer.store.models import SbomDetail, SbomGraph
from tests.ingesting import spdx

FILES = 3 * blobs.FILES_A_BLOCK + 5


def stored(document: Document) -> SbomDetail:
    made = blobs.encode(document)
    return SbomDetail(packages=made.packages, files=made.files, document=made.document)


@pytest.fixture(scope="module")
def document() -> Document:
    files = [{"SPDXID": f"SPDXRef-File-{n}", "fileName": f"/usr/lib/{n}", "checksums": []} for n in range(FILES)]
    return parse(json.dumps(spdx("a@1", "b@2", files=files)).encode())


def test_a_document_comes_back_whole(document: Document) -> None:
    detail, graph = stored(document), SbomGraph(data=blobs.encode(document).graph)

    assert blobs.packages(detail) == document.packages
    assert blobs.files(detail, 0, FILES) == document.files
    assert blobs.graph(graph) == document.graph
    rest = blobs.document(detail)
    assert (rest.name, rest.creators, rest.described) == (document.name, document.creators, document.described)
    assert (rest.packages, rest.files) == ((), ())


@pytest.mark.parametrize("start", [0, 1, blobs.FILES_A_BLOCK - 1, blobs.FILES_A_BLOCK, FILES - 3, FILES, FILES + 9])
def test_a_page_of_files_is_that_part_of_the_document(document: Document, start: int) -> None:
    assert blobs.files(stored(document), start, 10) == document.files[start : start + 10]


def test_a_page_unpacks_no_block_but_its_own(document: Document) -> None:
    detail = stored(document)
    first = int.from_bytes(detail.files[:4], "little")
    # The first block is rubbish now; a page behind it does not notice.
    detail.files = detail.files[:4] + bytes(first) + detail.files[4 + first :]

    found: tuple[File, ...] = blobs.files(detail, blobs.FILES_A_BLOCK, 1)

    assert found == document.files[blobs.FILES_A_BLOCK : blobs.FILES_A_BLOCK + 1]


def test_a_document_without_files_has_none() -> None:
    assert blobs.files(stored(parse(json.dumps(spdx("a@1")).encode())), 0, 10) == ()
