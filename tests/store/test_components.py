"""One component over time."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from cgexplorer import ingest
from cgexplorer.spdx.document import Role
from cgexplorer.store.models import Component, Sbom
from cgexplorer.store.queries import components
from cgexplorer.store.queries.built_from import built_from
from cgexplorer.store.queries.components import component, versions
from tests.ingesting import allow, fetch, signed_image, spdx
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


def test_a_version_that_is_gone_was_last_seen_in_its_newest_build() -> None:
    of, old, new = make.image(), make.package("1"), make.package("2")
    for day, held in enumerate((old, old, new), start=1):
        built = make.manifest(of, str(day), created_at=dt.datetime(2026, 1, day, tzinfo=dt.UTC))
        make.sbom(built, held, searchable=held is new)
    found = {use.version: (use.first_seen_at, use.last_seen_at) for use in versions(make.component())}
    assert found["1"] == (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    assert found["2"] == (dt.datetime(2026, 1, 3, tzinfo=dt.UTC), None)


def test_too_many_versions_that_are_gone_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "MAX_GONE", 1)
    make.sbom(make.manifest(make.image()), make.package("1"), make.package("2"), searchable=False)
    assert [use.last_seen_at for use in versions(make.component())] == [None, None]


def test_a_real_version_names_its_build_definition_and_upstream_commit(shared: Path) -> None:
    raw = (shared / "chainguard-postgres" / "postgres-arm64.spdx.json").read_bytes()
    ingest.import_sbom(raw, "cgr.dev/chainguard/postgres", now=make.NOW)
    bash = Component.objects.get(name="bash", ecosystem="apk")
    found = built_from(bash, bash.packages.get().version)
    assert found is not None
    assert [one.package.role for one in found.definitions] == [Role.BUILD_DEFINITION]
    assert found.definitions[0].package.name.startswith("bash.yaml")
    assert [one.package.role for one in found.sources] == [Role.UPSTREAM]


def test_a_verified_document_speaks_before_a_newer_file_that_nobody_signed() -> None:
    allow()
    fetch(signed_image("zlib@1.3"))
    ingest.import_sbom(json.dumps(spdx("zlib@1.3")).encode(), "mine", now=make.NOW)
    zlib = Component.objects.get(name="zlib")
    found = built_from(zlib, "1.3")
    assert Sbom.objects.count() == 2
    assert found is not None
    assert found.sbom.evidence is not None


def test_a_version_whose_documents_cannot_be_read_has_no_source() -> None:
    make.sbom(make.manifest(make.image()), make.package("1"))
    assert built_from(make.component(), "1") is None
    assert built_from(make.component(), "2") is None
    assert Sbom.objects.count() == 1
