"""As whom is always shown, and never somebody else; and `unsigned` is said only when it was proven."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.fakes.sigstore import WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, allow, attest, fetch, signed_image, sigstore, spdx

pytestmark = pytest.mark.django_db

# Before the allowed one in the alphabet, and in the order of evidence.
STRANGER = "https://github.com/aaa/elsewhere/.github/workflows/release.yaml@refs/heads/main"


@pytest.fixture
def digest() -> str:
    """A verified image beside whose signature somebody put their own."""
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    one = sigstore()
    source.attach(one.signature(digest, one.leaf(STRANGER)), one.signature(digest, one.leaf(WORKFLOW)))
    attest(source, digest, spdx("openssl@3.3.1-r0"))
    fetch(source)
    return digest


def _after(client: Client, path: str, marker: str) -> str:
    """300 characters of the page from this marker on."""
    return client.get(path).content.decode().partition(marker)[2][:300]


def test_a_verified_digest_names_the_signer_that_the_policy_allows(client: Client, digest: str) -> None:
    said = _after(client, f"/images/{NAME}@{digest}", "<dt>Signed by</dt>")
    assert WORKFLOW in said
    assert STRANGER not in said


def test_the_tags_name_the_signer_that_the_policy_allows(client: Client, digest: str) -> None:
    said = _after(client, f"/images/{NAME}", 'data-l="signer"')
    assert WORKFLOW in said
    assert STRANGER not in said
    assert [row["identity"] for row in client.get(f"/images/{NAME}.json").json()["tags"]] == [WORKFLOW]


def test_the_report_shows_the_strangers_signature_too(client: Client, digest: str) -> None:
    assert STRANGER in client.get(f"/images/{NAME}@{digest}/-/verification").content.decode()


def test_a_signer_that_no_policy_allows_is_named_as_what_it_is(client: Client) -> None:
    allow(STRANGER)
    fetch(signed_image())
    assert WORKFLOW in _after(client, f"/images/{NAME}", 'data-l="signer"')
    assert 'data-s="signer-not-allowed"' in client.get(f"/images/{NAME}").content.decode()


def _matrix(client: Client) -> dict[str, Any]:
    cells = client.get("/").context["coverage"][0].cells
    return dict(zip(("signature", "SLSA", "apko", "SPDX"), cells[0][2], strict=True))


def test_the_matrix_calls_nothing_unsigned_that_a_registry_did_not_answer_for(client: Client) -> None:
    allow()
    source = MemorySource()
    source.push_image("latest")
    source.unreachable.add("referrers")
    fetch(source)
    assert set(_matrix(client).values()) == {"could-not-check"}


def test_the_matrix_calls_unsigned_what_both_places_answered_is_not_there(client: Client) -> None:
    allow()
    fetch(signed_image())
    assert _matrix(client) == {"signature": "verified", "SLSA": "unsigned", "apko": "unsigned", "SPDX": "verified"}


def test_exports_have_the_rows_of_the_filtered_page(client: Client, digest: str) -> None:
    assert client.get("/images.json?state=unsigned").json()["images"] == []
    assert len(client.get("/images.json?state=verified").json()["images"]) == 1
    assert client.get(f"/images/{NAME}.json?q=nothing").json()["tags"] == []
    assert b"latest" not in b"".join(client.get(f"/images/{NAME}.csv?q=nothing"))
