"""What commands print of a hostile image: nothing in it drives the terminal."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from rich.console import Console

from cgexplorer.management import telling
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, fetch

HOSTILE = "[/red]\x1b[31m"


def hostile_image() -> MemorySource:
    """An index that names its platform so."""
    source = MemorySource()
    source.push_index("latest", **{HOSTILE: source.push_image()})
    return source


def test_progress_of_a_platform_that_looks_like_markup_is_shown_as_it_is() -> None:
    shown = io.StringIO()
    Console(file=shown).print(telling.progress_line(f"Fetching linux/{HOSTILE}", 0, 2))
    assert shown.getvalue() == "Fetching linux/[/red]\\x1b[31m (0 of 2)\n"


@pytest.mark.django_db
def test_control_characters_of_a_platform_are_spelled_out_after_an_import() -> None:
    said = list(telling.lines(fetch(hostile_image())))
    assert any("linux/[/red]\\x1b[31m" in line for line in said)
    assert all(line.isprintable() for line in said)


@pytest.mark.django_db
def test_control_characters_of_a_platform_are_spelled_out_by_verify() -> None:
    fetch(hostile_image())
    out = io.StringIO()
    call_command("verify", f"{NAME}:latest", "--fail-on", "invalid", stdout=out)
    assert "linux/[/red]\\x1b[31m" in out.getvalue()
    assert all(line.isprintable() for line in out.getvalue().splitlines())


@pytest.mark.django_db
def test_an_image_that_states_no_platform_is_not_called_an_index() -> None:
    source = MemorySource()
    plain = source.push_image("plain", platform="")
    source.push_index("latest", amd64=plain)
    assert "index" in list(telling.lines(fetch(source)))[1]
    assert "no platform" in list(telling.lines(fetch(source, f"{NAME}:plain")))[1]
