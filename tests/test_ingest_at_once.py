from __future__ import annotations

import pytest

from cgexplorer.store.models import (
    Evidence,
    Image,
    IndexEntry,
    Manifest,
    Package,
    Sbom,
    Tag,
    TagMove,
    VerificationRun,
)
from tests.at_once import together
from tests.fakes.source import MemorySource
from tests.ingesting import allow, attest, fetch, signed_image, spdx


@pytest.mark.django_db(transaction=True)
def test_two_at_once_store_an_image_once() -> None:
    allow()
    source = signed_image(*(f"package{n}@1.{n}-r0" for n in range(200)))
    source.push_index("latest", amd64=source.tagged["latest"])

    assert together(*[lambda: fetch(source)] * 4) == []

    counts = [model.objects.count() for model in (Image, Manifest, Sbom, Evidence, Tag, TagMove, IndexEntry)]
    assert counts == [1, 2, 1, 2, 1, 1, 1]
    assert VerificationRun.objects.count() == 2
    assert Package.objects.count() == 200


@pytest.mark.django_db(transaction=True)
def test_images_that_share_packages_are_stored_at_once_without_a_deadlock() -> None:
    allow()
    names = [f"package{n}@1.{n}-r0" for n in range(300)]
    sources = []
    for number in range(4):
        order = names if number % 2 else names[::-1]
        source = MemorySource()
        digest = source.push_image("latest", variant=str(number))
        half = len(order) // 2
        attest(source, digest, spdx(*order[:half], name=f"{number}a"), spdx(*order[half:], name=f"{number}b"))
        sources.append((source, f"registry.example/app{number}:latest"))

    assert together(*[lambda s=source, r=reference: fetch(s, r) for source, reference in sources]) == []

    assert Package.objects.count() == 300
    assert Sbom.objects.filter(packages__searchable=True).count() == 8
