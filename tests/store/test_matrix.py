"""What is attested of an index's platforms, where it lies, and what is said to be missing."""

from __future__ import annotations

import pytest

from cgexplorer import predicates
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import matrix
from cgexplorer.store.queries.matrix import MISSING, UNKNOWN, Cell, Matrix
from tests.store import factories as make

pytestmark = pytest.mark.django_db
SLSA, SPDX, APKO = predicates.SLSA_V1, predicates.SPDX, predicates.APKO
REQUIRED_SLSA = "https://slsa.dev/provenance"


@pytest.fixture
def index() -> Manifest:
    """Two platforms and their index; all were looked at, and all are signed."""
    image = make.image()
    children = [make.manifest(image, seed=name, platform=name) for name in ("linux/amd64", "linux/arm64")]
    found = make.index(image, *children, seed="index")
    for one in (found, *children):
        looked_at(one)
    return found


def looked_at(manifest: Manifest, state: str = "verified", problems: tuple[dict[str, str], ...] = ()) -> None:
    run = make.run(manifest, state=state, problems=list(problems))
    Manifest.objects.filter(pk=manifest.pk).update(run=run, state=state, payload=make.payload(manifest.digest.encode()))


def platforms(index: Manifest) -> list[Manifest]:
    return [entry.manifest for entry in index.entries.select_related("manifest").order_by("position")]


def attest(*of: Manifest, predicate_type: str = SPDX, state: str = "verified") -> None:
    for one in of:
        make.evidence(one, predicate_type=predicate_type, state=state)


def cells(found: Matrix, predicate_type: str) -> list[Cell]:
    number = [column.predicate_type for column in found.columns].index(predicate_type)
    return [row.cells[number] for row in found.rows]


def of(index: Manifest, *wanted: str) -> Matrix:
    return matrix.of(Manifest.objects.select_related("run").get(pk=index.pk), wanted)


def test_each_cell_says_whether_the_attestation_is_the_digests_own_or_its_indexs(index: Manifest) -> None:
    amd64, arm64 = platforms(index)
    attest(amd64, arm64, predicate_type=APKO)
    attest(index, predicate_type=SLSA)
    found = of(index)
    assert [row.platform for row in found.rows] == ["", "linux/amd64", "linux/arm64"]
    assert cells(found, APKO) == [Cell(MISSING, "platforms", "verified"), Cell("verified"), Cell("verified")]
    assert cells(found, SLSA) == [Cell("verified"), *[Cell(MISSING, "index", "verified")] * 2]
    assert (found.gaps, found.warnings) == ((), ())


def test_what_one_platform_lacks_is_said_in_words(index: Manifest) -> None:
    attest(platforms(index)[0])
    found = of(index)
    assert cells(found, SPDX) == [Cell(MISSING), Cell("verified"), Cell(MISSING)]
    assert found.gaps == ("SPDX is missing for linux/arm64; the index has none either.",)


def test_what_the_policy_asks_for_has_a_column_though_nobody_attested_it(index: Manifest) -> None:
    attest(*platforms(index), predicate_type=SLSA)
    found = of(index, REQUIRED_SLSA, SPDX)
    assert [(one.predicate_type, one.is_required) for one in found.columns] == [(REQUIRED_SLSA, True), (SPDX, True)]
    assert cells(found, REQUIRED_SLSA)[1:] == [Cell("verified")] * 2
    assert found.gaps == ("SPDX is missing for every platform; the index has none either. The policy asks for it.",)


def test_an_attestation_that_could_not_be_checked_is_there(index: Manifest) -> None:
    attest(index, state="could-not-check")
    assert cells(of(index), SPDX)[1] == Cell(MISSING, "index", "could-not-check")


def test_one_sbom_on_the_index_for_all_platforms_is_warned_about(index: Manifest) -> None:
    attest(index)
    found = of(index)
    assert found.warnings == (
        "An SPDX document is attached to the index itself, and no platform has one of its own."
        " One document cannot list what each of 2 platforms contains.",
    )
    assert found.gaps == ()


def test_an_sbom_on_the_index_beside_those_of_its_platforms_is_not(index: Manifest) -> None:
    attest(index, *platforms(index))
    assert of(index).warnings == ()


def test_the_platform_that_the_indexs_sbom_has_to_stand_for_is_named(index: Manifest) -> None:
    attest(index, platforms(index)[0])
    assert "and linux/arm64 has none of its own." in of(index).warnings[0]


def test_a_provenance_on_the_index_is_no_sbom_and_not_warned_about(index: Manifest) -> None:
    attest(index, predicate_type=SLSA)
    assert of(index).warnings == ()


def test_one_good_attestation_of_a_type_is_enough_and_a_bad_one_alone_is_shown(index: Manifest) -> None:
    amd64, arm64 = platforms(index)
    attest(amd64, arm64, state="invalid")
    attest(amd64)
    assert [one.state for one in cells(of(index), SPDX)[1:]] == ["verified", "invalid"]


def test_on_the_platforms_is_not_better_than_the_worst_of_them(index: Manifest) -> None:
    amd64, arm64 = platforms(index)
    attest(amd64)
    attest(arm64, state="invalid")
    assert cells(of(index), SPDX)[0] == Cell(MISSING, "platforms", "invalid")


def test_nothing_is_called_missing_of_what_could_not_be_read(index: Manifest) -> None:
    amd64, arm64 = platforms(index)
    attest(amd64)
    looked_at(arm64, "could-not-check", ({"place": "referrers", "reason": "no answer"},))
    found = of(index)
    assert cells(found, SPDX)[2] == Cell(UNKNOWN)
    assert found.gaps == ()


def test_an_index_that_could_not_be_read_is_not_said_to_have_none(index: Manifest) -> None:
    attest(platforms(index)[0])
    looked_at(index, "could-not-check", ({"place": "referrers", "reason": "no answer"},))
    assert of(index).gaps == ("SPDX is missing for linux/arm64; the index could not be read.",)


def test_a_platform_that_was_not_fetched_is_named(index: Manifest) -> None:
    attest(platforms(index)[0])
    Manifest.objects.filter(pk=platforms(index)[1].pk).update(payload=None, run=None, state="")
    found = of(index)
    assert cells(found, SPDX)[2] == Cell(UNKNOWN)
    assert found.gaps == ("What is attested of linux/arm64 is not known here: it was not fetched.",)


def test_platforms_that_nobody_signed_are_named_beside_the_index_that_is_signed(index: Manifest) -> None:
    for one in platforms(index):
        looked_at(one, "unsigned")
    assert of(index).gaps == (
        "linux/amd64 and linux/arm64 are not signed. The index is signed, and it names the digest of each.",
    )
