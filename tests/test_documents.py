"""The documents and the code keep the promises that nobody would notice broken."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_every_relative_link_of_a_document_leads_to_a_file_of_the_project() -> None:
    known = {path.relative_to(ROOT).as_posix() for path in tracked(".")}
    broken = []
    for document in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
            if "://" in target:
                continue
            path = (document.parent / target).resolve().relative_to(ROOT).as_posix()
            if path not in known and not any(name.startswith(f"{path}/") for name in known):
                broken.append(f"{document.name}: {target}")
    assert broken == []


def test_no_python_file_is_longer_than_four_hundred_lines() -> None:
    long = [
        path.relative_to(ROOT).as_posix()
        for path in tracked("*.py")
        if "migrations" not in path.parts and len(path.read_text().splitlines()) > MAX_LINES
    ]
    assert long == []


def test_every_command_that_the_readme_shows_exists() -> None:
    shown = set(re.findall(r"manage\.py (\w+)", (ROOT / "README.md").read_text()))
    commands = {path.stem for path in (ROOT / "cgexplorer" / "management" / "commands").glob("*.py")}
    assert shown <= commands


def test_every_target_that_make_help_lists_is_made_whatever_folder_has_its_name() -> None:
    """`make torture` writes the folder `torture/`, which would make the second run "up to date"."""
    makefile = (ROOT / "Makefile").read_text()
    listed = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    phony = {name for line in re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE) for name in line.split()}
    assert listed
    assert listed <= phony
