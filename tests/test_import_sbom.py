from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from cgexplorer import ingest
from cgexplorer.oci import reference as references
from cgexplorer.oci.digest import of as digest_of
from cgexplorer.store import blobs
from cgexplorer.store.models import (
    Payload,
    Sbom,
    Tag,
)
from cgexplorer.store.queries import payloads
from tests.ingesting import LATER, NAME, NOW, allow, fetch, package, signed_image, spdx, tables

pytestmark = pytest.mark.django_db


def test_an_unsigned_file_is_browsable_and_outside_the_default_search() -> None:
    raw = json.dumps(spdx("openssl@3.3.1-r0")).encode()

    sbom = ingest.import_sbom(raw, "mine", now=NOW)

    assert (sbom.image.name, sbom.manifest.digest) == ("local/mine", digest_of(raw))
    assert (sbom.manifest.state, sbom.evidence, sbom.indexed) == ("unsigned", None, True)
    assert not sbom.packages.searchable


def test_importing_a_file_twice_changes_nothing() -> None:
    raw = json.dumps(spdx("openssl@3.3.1-r0")).encode()
    ingest.import_sbom(raw, "mine", now=NOW)
    before = tables()

    ingest.import_sbom(raw, "mine", now=LATER)

    assert tables() == before


@pytest.mark.parametrize("raw", [b"", b"\0", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_file_that_is_no_sbom_is_kept_with_the_reason(raw: bytes) -> None:
    sbom = ingest.import_sbom(raw, "odd", now=NOW)

    assert not sbom.indexed
    assert sbom.not_indexed_reason.endswith((".", ")"))


def test_every_real_document_is_kept_and_indexed_or_says_why(shared: Path) -> None:
    files = sorted(
        place
        for folder in ("spdx", "sboms-of-tools")
        for place in (shared / folder).rglob("*")
        if place.is_file() and "LICENSE" not in place.name and place.suffix not in (".md", ".txt")
    )
    assert len(files) > 50
    for number, place in enumerate(files):
        raw = place.read_bytes()
        sbom = ingest.import_sbom(raw, f"real{number}", now=NOW)
        assert Payload.objects.get(pk=sbom.document_id).size == len(raw)
        assert sbom.indexed or sbom.not_indexed_reason, place


def test_a_very_large_real_document_is_kept_whole(shared: Path) -> None:
    with (shared / "spdx-large" / "debian-build-host.spdx.json.zst").open("rb") as file:
        raw = zstandard.ZstdDecompressor().stream_reader(file).read()

    sbom = ingest.import_sbom(raw, "debian", now=NOW)

    assert (len(raw), sbom.document.size) == (73_484_930, 73_484_930)
    assert sbom.file_count == 96_359
    assert len(sbom.packages.package_ids) == sbom.installed_count + sbom.module_count > 1000
    assert len(blobs.files(sbom.detail, 96_300, 100)) == 59


def test_text_that_postgresql_refuses_is_stored_escaped() -> None:
    odd = package("a@1", supplier="Organization: \0", licenseDeclared="\ud800", comment="\0\udfff")
    raw = json.dumps(spdx(name="\0", packages=[odd])).encode()

    sbom = ingest.import_sbom(raw, "odd", now=NOW)

    assert sbom.indexed
    assert sbom.name == "\\u0000"
    assert payloads.content(sbom.document) == raw


def test_a_file_nobody_signed_never_takes_the_place_of_a_fetched_image() -> None:
    allow()
    fetch(signed_image())
    verified = Tag.objects.get(name="latest").manifest
    sbom = ingest.import_sbom(
        json.dumps(spdx("evil@1.0-r0")).encode(), "evil", now=LATER, reference=references.parse(f"{NAME}:latest")
    )
    assert Tag.objects.get(name="latest").manifest == verified
    assert sbom.manifest != verified
    assert sbom.manifest.state == "unsigned"


def test_a_document_that_could_not_be_read_before_is_indexed_when_it_comes_again() -> None:
    raw = json.dumps(spdx("openssl@3.3.1-r0")).encode()
    sbom = ingest.import_sbom(raw, "mine", now=NOW)
    sbom.packages.delete()
    sbom.graph.delete()
    sbom.detail.delete()
    Sbom.objects.filter(pk=sbom.pk).update(indexed=False, not_indexed_reason="Not known yet.")

    again = ingest.import_sbom(raw, "mine", now=LATER)

    assert (again.pk, again.indexed, again.not_indexed_reason) == (sbom.pk, True, "")
    assert len(again.packages.package_ids) == 1
