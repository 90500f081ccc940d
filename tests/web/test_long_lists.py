"""Lists of any length: a page at a time, and no page heavier than a slow line carries."""

from __future__ import annotations

import gzip
import re

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer.web.images import PAGE_SIZE
from tests.store import factories as make

pytestmark = pytest.mark.django_db
MAX_PAGE_BYTES = 60_000


def _rows(page: str) -> list[str]:
    return re.findall(r'<th scope="row" class="a"><a href="([^"]*)"', page)


def _next(page: str) -> str:
    found = re.search(r'<a href="([^"]*)"[^>]* rel="next"', page)
    return found[1] if found else ""


def test_every_image_is_on_one_page_of_the_list(client: Client) -> None:
    for number in range(PAGE_SIZE + 3):
        make.image(f"registry.example/image-{number:03}")
    first = client.get(reverse("images")).content.decode()
    second = client.get(reverse("images") + _next(first)).content.decode()
    names = [*_rows(first), *_rows(second)]
    assert len(_rows(first)) == PAGE_SIZE
    assert names == [reverse("image", args=[f"registry.example/image-{number:03}"]) for number in range(PAGE_SIZE + 3)]
    assert not _next(second)


def test_a_filter_begins_at_the_first_page_and_is_kept_on_the_second(client: Client) -> None:
    for number in range(PAGE_SIZE + 1):
        make.image(f"registry.example/wanted-{number:03}")
    make.image("registry.example/other")
    first = client.get(reverse("images"), {"q": "wanted"}).content.decode()
    second = client.get(reverse("images") + _next(first).replace("&amp;", "&")).content.decode()
    assert _rows(second) == [reverse("image", args=[f"registry.example/wanted-{PAGE_SIZE:03}"])]


@pytest.mark.parametrize("text", ["100%", "a_b", "back\\slash"])
def test_what_is_special_to_like_is_a_letter_in_a_filter(client: Client, text: str) -> None:
    make.image("registry.example/axb100")
    assert not _rows(client.get(reverse("images"), {"q": text}).content.decode())


def test_every_tag_is_on_one_page_of_its_image(client: Client) -> None:
    image = make.image("registry.example/many")
    child = make.manifest(image, "1")
    for number in range(PAGE_SIZE + 2):
        make.tag(child, f"v{number:03}")
    address = reverse("image", args=[image.name])
    first = client.get(address).content.decode()
    second = client.get(address + _next(first)).content.decode()
    found = re.findall(r'name="mark" value="[^:]*:(v\d+)"', first + second)
    assert sorted(found) == [f"v{number:03}" for number in range(PAGE_SIZE + 2)]


@pytest.mark.parametrize("name", ["home", "images", "image", "package-search", "component", "licenses", "drift"])
def test_a_full_page_weighs_little(client: Client, name: str) -> None:
    for number in range(PAGE_SIZE + 20):
        child = make.manifest(make.image(f"registry.example/{number:03}-{'long-name-' * 8}end"), str(number))
        make.sbom(child, make.package(f"3.{number}.1-r0"), make.package(f"3.{number}.2-r0"))
        make.tag(make.index(child.image, child), "latest")
    for number in range(PAGE_SIZE + 20):
        make.tag(child, f"tag-{number}")
    address = {
        "image": reverse("image", args=[child.image.name]),
        "package-search": reverse("package-search") + "?q=openssl",
        "component": reverse("component", args=["apk", "wolfi/openssl"]),
    }
    answer = client.get(address.get(name) or reverse(name), headers={"accept-encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    assert b"<html" in gzip.decompress(answer.content)
    assert len(answer.content) <= MAX_PAGE_BYTES
