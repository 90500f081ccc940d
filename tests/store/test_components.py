"""One component over time."""

from __future__ import annotations

import pytest

from cgexplorer.store.queries.components import component, versions
from tests.store import factories as make

pytestmark = pytest.mark.django_db


def test_versions_are_listed_highest_first_with_the_images_that_hold_them() -> None:
    old, new = make.package("3.3.9-r0", license="Apache-2.0"), make.package("3.3.10-r0")
    make.sbom(make.manifest(make.image("a.example/one")), old)
    make.sbom(make.manifest(make.image("a.example/two")), old, new, searchable=False)
    found = versions(make.component())
    assert [(one.version, one.images, one.current_images) for one in found] == [
        ("3.3.10-r0", 1, 0),
        ("3.3.9-r0", 2, 1),
    ]
    assert found[1].licenses == ("Apache-2.0",)
    assert found[1].first_seen_at == make.NOW


def test_a_version_without_an_order_comes_last() -> None:
    make.sbom(make.manifest(make.image()), make.package("nightly build"), make.package("1"))
    assert [(one.version, one.has_order) for one in versions(make.component())] == [
        ("1", True),
        ("nightly build", False),
    ]


@pytest.mark.parametrize(
    ("ecosystem", "namespace", "name", "path"),
    [
        ("apk", "wolfi", "openssl", "wolfi/openssl"),
        ("golang", "github.com/spf13", "cobra", "github.com/spf13/cobra"),
        ("npm", "@angular", "core", "@angular/core"),
        ("pypi", "", "requests", "requests"),
        ("", "", "a/b", "a/b"),
    ],
)
def test_a_path_names_one_component(ecosystem: str, namespace: str, name: str, path: str) -> None:
    made = make.component(name, ecosystem, namespace)
    assert component(ecosystem, path) == made


def test_an_unknown_path_names_none() -> None:
    assert component("apk", "wolfi/nothing") is None
