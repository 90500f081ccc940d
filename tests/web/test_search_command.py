"""manage.py search: data on stdout, and what a script can rely on."""

from __future__ import annotations

import csv
import json

import pytest
from django.core.management import CommandError, call_command

from cgexplorer.store.models import Sbom
from tests.store import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def go() -> str:
    manifest = make.manifest(make.image("cgr.dev/chainguard/go"))
    make.tag(manifest)
    make.sbom(manifest, make.package("3.3.1-r0"), make.package("3.3.5-r0"))
    make.tag(make.manifest(make.image("docker.io/library/nginx"), state="unsigned", state_reason="nothing there"))
    return manifest.digest


def test_json_has_the_shape_that_scripts_rely_on(go: str, capsys) -> None:
    call_command("search", "openssl<3.3.2", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "cgexplorer.search/1"
    assert answer["query"] == {
        "name": "openssl", "namespace": None, "versions": "<3.3.2", "ecosystem": "", "scope": "current",
        "include_unverified": False, "filters": {},
    }  # fmt: skip
    assert answer["total"] == {"images": 1, "digests": 1}
    assert answer["universe"]["images"] == 2
    assert answer["universe"]["without_verified_sbom"] == ["docker.io/library/nginx"]
    (row,) = answer["results"]
    assert row == {
        "purl": "pkg:apk/wolfi/openssl@3.3.1-r0?arch=x86_64", "name": "openssl", "version": "3.3.1-r0",
        "ecosystem": "apk", "image": "cgr.dev/chainguard/go", "tags": ["latest"], "digest": go,
        "platform": "linux/amd64", "state": "verified", "image_state": "verified", "matched_by": "name",
        "built_from": "",
    }  # fmt: skip


def test_csv_holds_the_same_rows(go: str, capsys) -> None:
    call_command("search", "openssl", "--format", "csv")
    printed = capsys.readouterr()
    rows = list(csv.DictReader(printed.out.splitlines()))
    assert [row["version"] for row in rows] == ["3.3.5-r0", "3.3.1-r0"]
    assert {row["digest"] for row in rows} == {go}
    assert "1 of 2 images; 1 image has no verified SBOM" in printed.err


def test_the_table_begins_with_the_answer_and_ends_with_what_was_not_searched(go: str, capsys) -> None:
    call_command("search", "openssl<3.3.2")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "openssl < 3.3.2 (apk order): 1 of 2 images; 1 image has no verified SBOM"
    assert "docker.io/library/nginx:latest" in lines[-1]
    assert lines[-1].endswith("unsigned, no SBOM is attached to it")


def test_an_sbom_that_was_searched_in_part_is_named_by_command_and_page(go: str, capsys, client) -> None:
    reason = "This document is larger than what is indexed: 10 of 50,010 packages are left out."
    Sbom.objects.update(not_indexed_reason=reason)
    call_command("search", "no-such-package")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("; 1 digest was searched in part")
    assert lines[-2] == "Searched in part:"
    assert lines[-1].endswith(f"verified, {reason}")
    page = client.get("/packages/?q=no-such-package").content.decode()
    assert "Searched in part: 1 digest" in page
    assert reason in page


def test_nothing_found_is_no_error(go: str, capsys) -> None:
    call_command("search", "log4j-core", "--format", "json")
    assert json.loads(capsys.readouterr().out)["results"] == []


def test_a_bad_query_is_a_sentence_and_an_error() -> None:
    with pytest.raises(CommandError, match="no version constraint") as error:
        call_command("search", "openssl<<3")
    assert error.value.returncode == 1


def test_a_name_with_markup_or_control_characters_is_printed_as_text(capsys) -> None:
    manifest = make.manifest(make.image())
    make.tag(manifest)
    make.sbom(manifest, make.package("1", make.component("[red]evil\x1b[2J[/red]")))
    call_command("search", "evil")
    assert "[red]evil\\x1b[2J[/red]" in capsys.readouterr().out
