"""The box on every page: what is pasted into it leads to where it is shown, or can be fetched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from cgexplorer.store.models import Tag

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("samples")]


@pytest.fixture(scope="module")
def samples(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """The sample images, imported once for all tests of this file, which only read them."""
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("load_samples", verbosity=0)
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("text", ["UPPER/case:1", "registry.example/a:", "registry.example//a", "a/b@sha256:12"])
def test_a_malformed_reference_is_explained_and_not_fetched(client: Client, text: str) -> None:
    response = client.get(reverse("jump"), {"q": text})
    assert response.status_code == 404
    assert reverse("fetch") not in response.content.decode()
    assert client.post(reverse("fetch"), {"reference": text}).status_code == 400


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("samples.example/nginx:latest", "/images/samples.example/nginx@sha256:"),
        ("samples.example/nginx", "/images/samples.example/nginx"),
        ("nginx:1.29.8", "/images/samples.example/nginx@sha256:"),
        ("pkg:apk/wolfi/libssl3", "/packages/?q=pkg%3Aapk%2Fwolfi%2Flibssl3"),
        ("openssl < 3.3.2", "/packages/?q=openssl+%3C+3.3.2"),
        ("openssl", "/packages/?q=openssl"),
    ],
)
def test_the_box_leads_to_what_was_pasted(client: Client, text: str, target: str) -> None:
    response = client.get(reverse("jump"), {"q": text})
    assert response.status_code == 302
    assert response["Location"].startswith(target)


def test_a_digest_alone_leads_to_its_page(client: Client) -> None:
    manifest = Tag.objects.get(image__name="samples.example/nginx", name="latest").manifest
    response = client.get(reverse("jump"), {"q": manifest.digest})
    assert response["Location"] == reverse("digest", args=[manifest.image.name, manifest.digest])


def test_an_unknown_reference_can_be_fetched_and_asking_twice_is_one_fetch(client: Client) -> None:
    page = client.get(reverse("jump"), {"q": "registry.example/new:1"})
    assert reverse("fetch") in page.content.decode()
    first = client.post(reverse("fetch"), {"reference": "registry.example/new:1"})
    second = client.post(reverse("fetch"), {"reference": "registry.example/new:1"})
    assert first.status_code == 302
    assert first["Location"] == second["Location"]
    assert client.get(first["Location"]).status_code == 200
