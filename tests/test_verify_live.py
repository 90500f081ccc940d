"""`manage.py verify --live`: what the registry holds now, told from what it held before."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from cgexplorer.store.models import Manifest, VerificationRun
from tests.fakes.registry import FakeRegistry, Fault

pytestmark = pytest.mark.django_db
SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "python"

GITHUB = "https://token.actions.githubusercontent.com"


def verify(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("verify", *arguments, "--live", stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), err.getvalue() + str(error)
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def registry(settings: Any) -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        running.load_layout(SAMPLE, "team/python")
        settings.INSECURE_REGISTRIES = frozenset({running.host})
        call_command("add_policy", "--name", "samples", "--match", f"{running.host}/*", "--issuer", GITHUB,
                     "--identity-regexp", "https://github.com/example/.+", "--trusted-root",
                     str(SAMPLE.parent / "trusted_root.json"), stdout=io.StringIO())  # fmt: skip
        call_command("add_image", f"{running.host}/team/python:3.14.7", stdout=io.StringIO())
        yield running


def test_the_registry_is_asked_and_every_platform_gets_a_run(registry: FakeRegistry) -> None:
    reference = f"{registry.host}/team/python:3.14.7"
    before = VerificationRun.objects.count()
    code, said, _ = verify(reference, "--format", "json")
    assert (code, json.loads(said)["state"]) == (0, "verified")
    assert VerificationRun.objects.count() == before + Manifest.objects.count() == before + 3
    assert set(VerificationRun.objects.order_by("-pk")[:3].values_list("source", "trigger")) == {
        ("registry", "command")
    }


def test_a_registry_that_does_not_answer_is_told_and_changes_no_verdict(registry: FakeRegistry) -> None:
    reference = f"{registry.host}/team/python:3.14.7"
    registry.fault = Fault.FORBIDDEN
    before = VerificationRun.objects.count()
    code, said, error = verify(reference)
    assert code == 3
    assert "verified" in said
    assert "earlier look" in error
    assert VerificationRun.objects.count() == before
    assert set(Manifest.objects.values_list("state", flat=True)) == {"verified"}
