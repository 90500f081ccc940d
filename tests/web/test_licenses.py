"""Licences across the fleet, and those that came with a build."""

from __future__ import annotations

import datetime as dt
import json
import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer import ingest
from cgexplorer.oci import reference as references
from cgexplorer.store.models import Evidence, Manifest, Sbom
from cgexplorer.store.queries import fleet_licenses, remembered
from tests.ingesting import LATER, NOW, package, spdx
from tests.store import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet() -> None:
    for number, licenses in enumerate((("MIT", "MIT OR GPL-2.0-only"), ("MIT", "LicenseRef-acme"), ("",))):
        manifest = make.manifest(make.image(f"cgr.dev/chainguard/i{number}"))
        make.tag(manifest, "latest")
        make.sbom(manifest, *(make.package(str(place), license=one) for place, one in enumerate(licenses)))


def test_own_licences_and_no_licence_stand_apart(fleet: None) -> None:
    found = fleet_licenses.uses()
    assert [use.expression for use in found.listed] == ["MIT", "MIT OR GPL-2.0-only"]
    assert [use.expression for use in found.own] == ["LicenseRef-acme"]
    assert found.not_stated is not None
    assert (found.listed[0].packages, found.listed[0].images, found.not_stated.images) == (1, 2, 1)


def test_a_family_shows_the_expressions_that_have_a_licence_of_it(fleet: None) -> None:
    assert [use.expression for use in fleet_licenses.uses("strong copyleft").all] == ["MIT OR GPL-2.0-only"]
    assert dict(fleet_licenses.uses().families)["permissive"] == 2
    assert fleet_licenses.uses("no such family").all == ()


def test_the_licences_of_many_images_say_how_long_ago_they_were_counted(
    fleet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_licenses, "LARGE", 2)
    monkeypatch.setattr(remembered, "KEPT_FOR", 1_000_000)
    monkeypatch.setattr(fleet_licenses._remembered, "_kept", None)
    assert "Counted" not in Client().get(reverse("licenses")).content.decode()
    assert "Counted" in Client().get(reverse("licenses")).content.decode()
    manifest = make.manifest(make.image("cgr.dev/chainguard/new"))
    make.tag(manifest, "latest")
    make.sbom(manifest, make.package("9", license="ISC"))
    assert "ISC" in Client().get(reverse("licenses-csv")).getvalue().decode()  # type: ignore[attr-defined]


def test_every_link_of_the_licence_page_finds_packages(fleet: None) -> None:
    page = Client().get(reverse("licenses")).content.decode()
    links = [unescape(link) for link in re.findall(r'href="(/packages/\?q=license[^"]+)"', page)]
    assert len(links) == 4
    assert all("none of" not in Client().get(link).content.decode() for link in links)


def test_a_family_of_a_hostile_name_is_shown_as_text(fleet: None) -> None:
    page = Client().get(reverse("licenses"), {"family": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert" not in page
    assert "No expression has a licence of this family" in page


def imported(name: str, *licenses: str, at: dt.datetime) -> Sbom:
    """A verified SBOM of a build of `name`; the evidence is made up, the document is parsed."""
    packages = [package(f"p{number}@1", number, licenseDeclared=one) for number, one in enumerate(licenses)]
    document = json.dumps(spdx(packages=packages, name=str(at))).encode()
    sbom = ingest.import_sbom(document, name, now=at, reference=references.parse(f"registry.example/app:{name}"))
    Manifest.objects.filter(pk=sbom.manifest_id).update(created_at=at, platform="linux/amd64")
    evidence: Evidence = make.evidence(sbom.manifest)
    Sbom.objects.filter(pk=sbom.pk).update(evidence=evidence)
    return Sbom.objects.get(pk=sbom.pk)


def test_a_licence_that_the_build_before_did_not_have_is_new() -> None:
    imported("1", "MIT", "ISC", at=NOW)
    sbom = imported("2", "MIT", "MIT AND AGPL-3.0-only", at=LATER)
    found = fleet_licenses.new_in(sbom.manifest, sbom)
    assert found is not None
    assert (found.tag, found.identifiers) == ("1", ("AGPL-3.0-only",))
    page = Client().get(reverse("digest-licenses", args=["registry.example/app", sbom.manifest.digest]))
    assert "New since 1" in page.content.decode()


def test_the_first_build_has_nothing_to_be_new_against() -> None:
    sbom = imported("1", "MIT", at=NOW)
    assert fleet_licenses.new_in(sbom.manifest, sbom) is None
