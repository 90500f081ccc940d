from __future__ import annotations

import datetime as dt
import json

import pytest

from cgexplorer.oci.digest import of as digest_of
from cgexplorer.store.models import (
    Evidence,
    Manifest,
    Package,
    Sbom,
)
from tests.fakes.source import MemorySource
from tests.ingesting import allow, attest, fetch, package, sign, spdx

pytestmark = pytest.mark.django_db


def test_sizes_beyond_any_number_are_stored_all_the_same() -> None:
    source = MemorySource()
    huge = {"mediaType": "application/x", "digest": digest_of(b"layer"), "size": 2**63 - 1}
    source.push_image("latest", layers=[huge, huge])

    assert fetch(source).manifests[0].state == "unsigned"


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "yesterday", "\0"])
def test_an_impossible_date_of_creation_counts_as_absent(created: str) -> None:
    source = MemorySource()
    source.push_image("latest", created=created)
    fetch(source)

    assert Manifest.objects.get().created_at is None


def test_a_date_of_creation_is_kept_in_utc() -> None:
    source = MemorySource()
    source.push_image("latest", created="2026-07-01T02:00:00.123456789+02:00")
    fetch(source)

    assert Manifest.objects.get().created_at == dt.datetime(2026, 7, 1, 0, 0, 0, 123456, tzinfo=dt.UTC)


def test_nul_and_endless_names_in_a_configuration_are_stored() -> None:
    source = MemorySource()
    source.push_image("latest", platform="linux\0/" + "a" * 300)

    fetch(source)

    assert len(Manifest.objects.get().platform) <= 64


def test_an_endless_identity_in_a_certificate_is_stored() -> None:
    source = MemorySource()
    digest = source.push_image("latest")
    # Random text, because an index compresses what repeats.
    name = "https://example.com/" + "".join(digest_of(str(n).encode())[7:] for n in range(200))
    sign(source, digest, name)

    assert fetch(source).manifests[0].state == "invalid"
    assert Evidence.objects.get().identity == name


@pytest.mark.parametrize(
    "odd",
    [
        package("a%00b@1%00"),
        package("a@1", name="\0"),
        package("a@1", checksums=[{"algorithm": "SHA256", "checksumValue": "z" * 64}]),
        package("a" * 5000 + "@" + "9" * 5000),
        package("a@1", supplier="Organization: " + "x" * 100_000),
    ],
    ids=[
        "NUL in a purl",
        "NUL in a name",
        "checksum that is no number",
        "long name",
        "long supplier",
    ],
)
def test_a_signed_document_with_odd_text_is_stored(odd: dict[str, object]) -> None:
    allow()
    source = MemorySource()
    document = json.loads(json.dumps(spdx(packages=[odd, package("openssl@3.3.1-r0", 9)])))
    attest(source, source.push_image("latest"), document)

    fetch(source)

    assert Sbom.objects.get().document.size > 0
    assert Sbom.objects.get().indexed
    assert Package.objects.filter(component__name="openssl").exists()
