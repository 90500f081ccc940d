from __future__ import annotations

import json

import pytest
from django.db import transaction

from cgexplorer.oci import reference as references
from cgexplorer.oci.digest import of as digest_of
from cgexplorer.oci.evidence import Kind
from cgexplorer.spdx.document import Document
from cgexplorer.spdx.parse import parse
from cgexplorer.store.models import Package, Sbom
from cgexplorer.store.record import images, packages, unit
from cgexplorer.store.record.sboms import ParsedSbom
from cgexplorer.store.record.unit import Judged, Occasion, Unit
from cgexplorer.verify.verdict import State, Verdict
from tests.at_once import together
from tests.ingesting import NOW, package, sigstore, spdx

OCCASION = Occasion("ingest", "registry", NOW, None, {})


def document(*names: str, **more) -> Document:
    return parse(json.dumps(spdx(*names, **more)).encode())


def intern(*found: Document) -> list[list[int]]:
    with transaction.atomic():
        return [packages.intern(one.packages) for one in found]


def carrying(name: str, *documents: Document) -> Unit:
    """A unit of one digest whose attestations carry these documents."""
    digest = digest_of(name.encode())
    signer = sigstore().leaf()
    judged = []
    for number, one in enumerate(documents):
        found = sigstore().attestation(digest, signer, predicate={"number": number})
        said = Verdict(State.VERIFIED, "Signed.", (), found.form, Kind.ATTESTATION)
        judged.append(Judged(found, said, None, ParsedSbom(f"{name} {number}".encode(), one)))
    return Unit(reference=name, digest=digest, state=State.UNSIGNED, reason="", judged=tuple(judged))


def save(found: Unit) -> None:
    unit.save(images.image(references.parse(found.reference), NOW), found, OCCASION, NOW)


@pytest.mark.django_db(transaction=True)
def test_units_that_share_packages_in_crossed_order_never_wait_for_each_other() -> None:
    intern(document("known@1"))  # its licence too: a new one would make the second writer wait before it holds anything
    one, other = (document(*(f"{letter}{n}@1" for n in range(4000))) for letter in "ab")

    units = carrying("registry.example/one", one, other), carrying("registry.example/two", other, one)

    failures = together(*(lambda found=found: save(found) for found in units))

    assert failures == []
    assert (Package.objects.count(), Sbom.objects.count()) == (8001, 4)


@pytest.mark.django_db
def test_every_element_of_a_document_is_counted_though_copies_are_one_row() -> None:
    copies = document(packages=[package("a@1"), package("a@1", 1), package("b@1", 2)])

    save(carrying("registry.example/app", copies))

    sbom = Sbom.objects.get()
    assert (sbom.package_count, sbom.installed_count) == (3, 2)
