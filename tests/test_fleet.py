"""The synthetic fleet of `make bench` is what ingestion would have left, so its figures mean something."""

from __future__ import annotations

import pytest

from cgexplorer.spdx.query import parse
from cgexplorer.store.models import PackageImage, SbomPackages
from cgexplorer.store.queries.search import search
from scripts import bench_fleet, fleet

pytestmark = pytest.mark.django_db

SMALL = fleet.Fleet(images=3, builds=4)


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MIDDLE_NAMES", 500)
    fleet.write(SMALL)


def test_every_build_lists_its_packages_and_only_the_newest_is_searched() -> None:
    contents = SbomPackages.objects.order_by("sbom_id")
    assert [len(one.package_ids) for one in contents] == [fleet.PACKAGES_OF_A_BUILD] * 12
    assert [one.searchable for one in contents] == [False, False, False, True] * 3
    assert all(one.package_ids == sorted(one.package_ids) for one in contents)


def test_builds_share_all_but_a_few_packages() -> None:
    old, new = SbomPackages.objects.filter(image_id=1).order_by("sbom_id")[2:]
    shared = len(set(old.package_ids) & set(new.package_ids))
    assert 0.92 < shared / fleet.PACKAGES_OF_A_BUILD < 1


def test_rollups_say_which_image_ever_held_a_package() -> None:
    held = {(package, one.image_id) for one in SbomPackages.objects.all() for package in one.package_ids}
    assert set(PackageImage.objects.values_list("package_id", "image_id")) == held


def test_a_package_of_one_image_is_found_in_it_alone() -> None:
    own = fleet.name_of(SMALL.components - 1)
    (hit,) = search(parse(f"pkg:apk/wolfi/{own}")).hits
    assert hit.image == "fleet.example/team/app-3"


def test_every_question_of_the_bench_finds_something() -> None:
    for name, ask in bench_fleet.questions(SMALL).items():
        assert ask(1), name
