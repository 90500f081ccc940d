"""Stock cosign and a private Sigstore beside us, in short; `make interop` is the long form, and builds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from scripts.interop import report, session, tampered, toolchain
from scripts.interop.signing import Desk

SIGNED = (
    "sign-classic-c2-p256-rekor1",
    "attest-classic-c3-alice-rekor1-tsa",
    "attest-bundle-c3-workflow-rekor2",
    "annotated-c3",
    "recursive-c3",
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    if not toolchain.is_complete():
        pytest.skip("cosign and its private Sigstore are not built: run `make interop` once, which needs Go")
    try:
        with session.desk(
            tmp_path_factory.mktemp("interop"), settings.CGEXPLORER_HOME / "postgres", wait=False
        ) as ready:
            yield ready
    except toolchain.Missing as error:
        pytest.skip(str(error))


def test_stock_cosign_and_we_answer_alike(desk: Desk, tmp_path: Path) -> None:
    chosen = tuple(one for one in session.everything() if one.name in SIGNED)
    assert len(chosen) == len(SIGNED)
    found = session.ask(desk, chosen, tmp_path)
    assert len(found.rows) > 50
    assert report.faults(found.rows, [], found.signed) == []


def test_stock_cosign_and_we_refuse_the_same_alterations(desk: Desk, tmp_path: Path) -> None:
    (base,) = (one for one in tampered.table() if one.name == "donor-sign-c3")
    found = session.ask(desk, (base,), tmp_path)
    assert any(row.question.exhibit == "altered-sign-c3-unchanged" for row in found.rows)
    assert report.faults(found.rows, [], found.signed) == []
