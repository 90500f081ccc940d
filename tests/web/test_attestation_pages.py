"""What was signed about an image: readable, as a tree, and as exact bytes."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer import predicates
from tests.store import factories as make

pytestmark = pytest.mark.django_db
SLSA = {
    "buildDefinition": {
        "buildType": "https://apko.dev/slsa-build-type@v1",
        "internalParameters": {"bash": "5.3-r12"},
        "resolvedDependencies": [
            {"uri": "git+https://github.com/acme/images", "digest": {"gitCommit": "ab" * 20}},
            {"uri": "javascript:alert(1)", "digest": {"sha256": "cd" * 32}},
        ],
    },
    "runDetails": {"builder": {"id": "https://builder.example", "version": {"apko": "v1.2.21"}}},
}
APKO = {
    "contents": {"packages": ["bash=5.3-r12"]},
    "entrypoint": {"command": "/usr/bin/bash"},
    "environment": {"PATH": "/usr/bin", "HOME": "/root"},
    "work-dir": "/home",
}
CONFIG = {"os": "linux", "architecture": "amd64", "config": {"Entrypoint": ["/bin/sh"], "Env": ["PATH=/usr/bin"]}}


def attested(predicate_type: str, predicate: object, **fields):
    statement = {
        "_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type,
        "subject": [{"name": "x", "digest": {"sha256": "ab" * 32}}], "predicate": predicate,
    }  # fmt: skip
    manifest = make.manifest(make.image(), config=make.payload(json.dumps(CONFIG).encode()))
    payload = make.payload(json.dumps(statement).encode())
    return make.evidence(manifest, predicate_type=predicate_type, payload=payload, **fields)


def page(client: Client, name: str, evidence, *more) -> str:
    response = client.get(reverse(name, args=[evidence.image.name, evidence.manifest.digest, *more]))
    assert response.status_code == 200
    return response.content.decode()


def test_provenance_names_builder_source_and_inputs(client: Client) -> None:
    text = page(client, "provenance", attested(predicates.SLSA_V1, SLSA))
    assert "https://builder.example" in text
    assert f'href="https://github.com/acme/images/commit/{"ab" * 20}"' in text
    assert "5.3-r12" in text
    assert 'href="javascript:' not in text


def test_configuration_stands_beside_the_image_and_differences_are_named(client: Client) -> None:
    text = page(client, "config", attested(predicates.APKO, APKO))
    assert "The image differs from its signed configuration" in text
    assert "/bin/sh" in text
    assert "/usr/bin/bash" in text
    assert "apko configuration only" in text


def test_any_other_predicate_is_a_tree(client: Client) -> None:
    evidence = attested("https://example.com/anything", {"a": [1, {"b": None}], "c": "<script>"})
    text = page(client, "attestation", evidence, evidence.pk)
    assert "&lt;script&gt;" in text
    assert "<script>&" not in text
    assert "2 fields" in text


@pytest.mark.parametrize("name", ["provenance", "config"])
def test_without_an_attestation_the_page_says_so(client: Client, name: str) -> None:
    manifest = make.manifest(make.image())
    text = client.get(reverse(name, args=[manifest.image.name, manifest.digest])).content.decode()
    assert "attestation of this digest" in text


@pytest.mark.parametrize("state", ["no-policy", "signer-not-allowed"])
def test_contents_by_somebody_not_allowed_carry_a_warning(client: Client, state: str) -> None:
    text = page(client, "provenance", attested(predicates.SLSA_V1, SLSA, state=state))
    assert "Not verified" in text
    assert "https://builder.example" in text


def test_contents_of_an_invalid_attestation_are_not_shown(client: Client) -> None:
    evidence = attested(predicates.SLSA_V1, SLSA, state="invalid")
    for text in (page(client, "provenance", evidence), page(client, "attestation", evidence, evidence.pk)):
        assert "its contents are not shown" in text
        assert "https://builder.example" not in text


def test_a_predicate_of_another_shape_has_no_readable_form(client: Client) -> None:
    assert "No readable form" in page(client, "provenance", attested(predicates.SLSA_V1, [1, 2]))


def bytes_of(client: Client, evidence, part: str):
    path = reverse("attestation-bytes", args=[evidence.image.name, evidence.manifest.digest, evidence.pk, part])
    return client.get(path)


def test_downloads_are_exact_bytes_that_no_browser_renders(client: Client) -> None:
    envelope = b'{"payloadType":  "x"}'
    evidence = attested(predicates.SLSA_V1, {"html": "<script>"}, content=make.payload(envelope))
    answer = bytes_of(client, evidence, "envelope")
    assert answer.content == envelope
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert bytes_of(client, evidence, "predicate").content == b'{"html": "<script>"}'


def test_a_predicate_that_nobody_signed_cannot_be_downloaded_as_one(client: Client) -> None:
    evidence = attested(predicates.SLSA_V1, SLSA, state="invalid")
    assert bytes_of(client, evidence, "predicate").status_code == 404
    assert bytes_of(client, evidence, "envelope").status_code == 200


@pytest.mark.parametrize("part", ["bundle", "anything"])
def test_a_part_that_is_not_there_is_not_found(client: Client, part: str) -> None:
    assert bytes_of(client, attested(predicates.SLSA_V1, SLSA), part).status_code == 404


def test_an_attestation_of_another_digest_is_not_found(client: Client) -> None:
    evidence, other = attested(predicates.SLSA_V1, SLSA), make.manifest(make.image(), "other")
    path = reverse("attestation", args=[other.image.name, other.digest, evidence.pk])
    assert client.get(path).status_code == 404


def test_the_list_names_every_attestation_with_its_state(client: Client) -> None:
    text = page(client, "attestations", attested("https://example.com/x<y", {}, state="signer-not-allowed"))
    assert "signer not allowed" in text
    assert "x&lt;y" in text
