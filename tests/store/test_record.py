from __future__ import annotations

import json

import pytest
from django.db import transaction

from cgexplorer.spdx.document import Document
from cgexplorer.spdx.parse import parse
from cgexplorer.store.models import Component, License, Package
from cgexplorer.store.record import packages
from cgexplorer.store.record.unit import Occasion
from tests.ingesting import NOW, package, spdx

OCCASION = Occasion("ingest", "registry", NOW, None, {})


def document(*names: str, **more) -> Document:
    return parse(json.dumps(spdx(*names, **more)).encode())


def intern(*found: Document) -> list[list[int]]:
    with transaction.atomic():
        return [packages.intern(one.packages) for one in found]


@pytest.mark.django_db
def test_a_package_is_one_row_however_many_documents_name_it() -> None:
    first, second = intern(document("a@1", "b@1"), document("b@1", "c@1"))

    assert first[1] == second[0]
    assert (Package.objects.count(), Component.objects.count(), License.objects.count()) == (3, 3, 1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other",
    [
        package("a@2"),
        package("a@1", licenseDeclared="Apache-2.0"),
        package("a@1", supplier="Organization: Other"),
        package("a@1", sourceInfo="built package from: b 1"),
        package("a@1", checksums=[{"algorithm": "SHA256", "checksumValue": "a" * 64}]),
    ],
    ids=["version", "licence", "supplier", "source", "checksum"],
)
def test_a_package_that_differs_in_one_fact_is_another_row(other: dict[str, object]) -> None:
    intern(document(packages=[package("a@1")]), document(packages=[other]))

    assert (Package.objects.count(), Component.objects.count()) == (2, 1)


@pytest.mark.django_db
def test_fields_that_run_into_each_other_are_other_components() -> None:
    intern(document("ab@c"), document("a@bc"))

    assert Component.objects.count() == 2


@pytest.mark.django_db
def test_versions_are_stored_in_their_order() -> None:
    intern(document("a@1.10-r0", "a@1.9-r0", "a@1.9_rc1-r0"))

    ordered = Package.objects.order_by("version_key").values_list("version", flat=True)
    assert list(ordered) == ["1.9_rc1-r0", "1.9-r0", "1.10-r0"]
