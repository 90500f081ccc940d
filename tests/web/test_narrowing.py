"""Narrowing a search: every link leads to exactly what it counted."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from tests.store import factories as make

pytestmark = pytest.mark.django_db


def page(address: str) -> str:
    return Client().get(address).content.decode()


def digests(html: str) -> int:
    found = re.search(r"<caption>[\d,]+ images?, ([\d,]+) digests?\.", html)
    return int(found[1].replace(",", "")) if found else 0


@pytest.fixture
def fleet() -> None:
    net = make.component("openssl-go", "golang", "example.com/x")
    for number in range(3):
        manifest = make.manifest(make.image(f"cgr.dev/chainguard/i{number}"))
        make.tag(manifest, "latest")
        packages = [make.package(f"3.{number}", license="MIT AND Apache-2.0" if number else "ISC", built_from="")]
        if number == 1:
            packages.append(make.package("1", make.component("libssl3"), built_from="openssl"))
            alone = make.manifest(make.image("cgr.dev/chainguard/library"))  # what is only built from it
            make.tag(alone, "latest")
            make.sbom(alone, packages[-1])
            packages.append(make.package("v1", net, role="module", license='odd "licence"'))
        make.sbom(manifest, *packages)


@pytest.mark.parametrize("asked", ["?q=openssl", "?q=openssl&v=<9", "?q=license:*", "?q=openss&part=1"])
def test_every_link_finds_as_many_digests_as_it_says(fleet: None, asked: str) -> None:
    html = page("/packages/" + asked)
    links = re.findall(r'<li><a href="(\?[^"]+)"><span>[^<]*</span><b title="digests">([\d,]+)</b>', html)
    assert len(links) >= 2
    for link, count in links:
        assert digests(page("/packages/" + unescape(link))) == int(count), unescape(link)


def test_a_filter_is_taken_away_by_its_chip(fleet: None) -> None:
    html = page("/packages/?q=openssl+license:ISC")
    assert digests(html) == 1
    (link,) = re.findall(r'<a class="chip" href="([^"]+)" aria-label="Remove license:ISC"', html)
    assert digests(page("/packages/" + unescape(link))) == 4


def test_a_misspelt_name_offers_the_right_one(fleet: None) -> None:
    assert '<a href="?q=openssl">openssl</a>' in page("/packages/?q=opnssl")


def test_apks_build_numbers_are_explained_where_they_surprise(fleet: None) -> None:
    assert "leaves them out" in page("/packages/?q=openssl<=3.1")
    assert "leaves them out" not in page("/packages/?q=openssl<=3.1-r0")
    assert "end in a build number" in page("/packages/?q=openssl=3.1")
