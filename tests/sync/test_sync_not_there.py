"""What a registry does not have, and what that says of what it had."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction

from cgexplorer.oci.errors import NotFound
from cgexplorer.oci.registry import Registry
from cgexplorer.store.models import SyncItem
from tests.fakes.registry import FakeRegistry, Fault
from tests.sync.test_sync import REPOSITORY, go, push, tagged

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/tags/", "/v2/"])
@pytest.mark.parametrize("tags", [[], ["1.0", "1.1"]], ids=["all", "named"])
def test_a_repository_that_is_not_there_marks_nothing_gone(
    registry: FakeRegistry, source: Registry, tags: list[str], path: str
) -> None:
    """A proxy says so of everything while the registry behind it starts."""
    push(registry, "1.0", "1.1")
    go(registry, source, tags=tags)
    registry.fault, registry.fault_at = Fault.NO_REPOSITORY, path
    if path == "/v2/" or not tags:
        with pytest.raises(NotFound):
            go(registry, source)
    else:
        assert go(registry, source).unchanged == 2
    assert set(tagged()) == {"1.0", "1.1"}


def test_a_name_that_is_not_there_is_a_failure_that_says_so(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0")
    end = go(registry, source, tags=["1.0", "typo"])
    assert (end.fetched, end.failed) == (1, 1)
    assert "does not have the tag typo" in SyncItem.objects.get(state="failed").reason


def test_what_only_a_layout_told_of_is_asked_for_once(registry: FakeRegistry, source: Registry, tmp_path: Path) -> None:
    """The folder may lack the good signature."""
    push(registry, "1.0")
    name = f"{registry.host}/{REPOSITORY}"
    with transaction.atomic():  # another cgexplorer
        go(registry, source)
        call_command("export_layout", f"{name}:1.0", "--output", tmp_path / "out", stdout=io.StringIO())
        transaction.set_rollback(True)
    call_command("import_layout", tmp_path / "out", stdout=io.StringIO())
    assert tagged().keys() == {"1.0"}
    assert [go(registry, source).fetched for _ in range(2)] == [1, 0]
