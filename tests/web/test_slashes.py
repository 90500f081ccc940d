"""Slashes in addresses, as people and attackers write them."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.store import factories as make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/images", "/packages", "/images//", "/images/samples.example/nginx/", "/compare"])
def test_a_slash_too_many_or_too_few_is_no_fault(client: Client, path: str) -> None:
    make.index(make.image("samples.example/nginx"))
    response = client.get(path, follow=True)
    assert response.status_code == 200
    assert all(target.startswith("/") and not target.startswith("//") for target, _ in response.redirect_chain)


def test_two_slashes_in_front_lead_to_no_other_site(client: Client) -> None:
    for path in ("//evil.example/", "//evil.example/images/", "/%5Cevil.example/"):
        response = client.get(path)
        location = response.headers.get("Location", "")
        assert not location.startswith(("//", "/\\", "http"))
