"""A new installation: every page is a page, and the first one tells what to do."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["home", "images", "package-search", "compare", "identities", "licenses", "policies"])
def test_a_page_without_rows_is_a_page(client: Client, name: str) -> None:
    response = client.get(reverse(name))
    assert response.status_code == 200
    assert response.content.count(b"<h1") == 1


def test_the_first_page_tells_how_to_get_an_image(client: Client) -> None:
    text = client.get(reverse("home")).content.decode()
    assert "No image is stored yet" in text
    assert "manage.py import_layout" in text
    assert reverse("jump") in text


def test_a_no_over_nothing_does_not_claim_that_every_image_was_searched(client: Client) -> None:
    text = client.get(reverse("package-search"), {"q": "openssl"}).content.decode()
    assert "nothing to search" in text
    assert "very image has a verified SBOM" not in text
