"""Pages travel compressed, and their length gives nothing away."""

from __future__ import annotations

import gzip

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.store.models import Manifest

pytestmark = pytest.mark.django_db
GZIP = {"accept-encoding": "gzip, deflate, br, zstd"}


def test_a_page_is_compressed_for_who_can_read_it_so(client: Client) -> None:
    plain = client.get(reverse("states"))
    small = client.get(reverse("states"), headers=GZIP)
    assert gzip.decompress(small.content) == plain.content
    assert len(small.content) < len(plain.content) / 2
    assert "Content-Encoding" not in plain
    assert all("Accept-Encoding" in answer["Vary"] for answer in (plain, small))


def test_the_length_of_a_compressed_page_differs_from_one_time_to_the_next(client: Client) -> None:
    assert len({len(client.get(reverse("states"), headers=GZIP).content) for _ in range(20)}) > 1


def test_an_export_is_compressed_while_it_is_written(client: Client) -> None:
    address = reverse("images-csv")
    small = b"".join(client.get(address, headers=GZIP))  # type: ignore[call-overload]
    assert gzip.decompress(small) == b"".join(client.get(address))  # type: ignore[call-overload]


def test_evidence_is_not_compressed_a_second_time(client: Client) -> None:
    call_command("load_samples", verbosity=0)
    manifest = Manifest.objects.filter(image__name="samples.example/nginx", is_index=False)[0]
    answer = client.get(reverse("evidence-zip", args=[manifest.image.name, manifest.digest]), headers=GZIP)
    assert b"".join(answer).startswith(b"PK")  # type: ignore[call-overload]
    answer.close()
    assert "Content-Encoding" not in answer
