"""The tests' own world: the embedded PostgreSQL, and the real data beside the checkout."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cgexplorer import embedded_pg

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure() -> None:
    from django.conf import settings

    # Pages are tested without the collected, hashed copies that a server serves.
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    # In a fresh clone nothing was collected yet, and whitenoise warns of a folder that is not there.
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    if "DATABASE_URL" not in os.environ:
        embedded_pg.ensure_running(settings.CGEXPLORER_HOME / "postgres")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real signed images and SBOMs. They are not part of the project: without them these tests say so and skip."""
    if not SHARED.is_dir():
        pytest.skip("no real data beside the checkout (../shared/data)")
    return SHARED


@pytest.fixture(autouse=True)
def chainguards_policies(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """A test that commits empties every table when it ends, also of what the migrations put there: put it back."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if marker is not None and marker.kwargs.get("transaction"):
        from django.apps import apps

        migration = importlib.import_module("cgexplorer.store.migrations.0003_chainguard_policies")
        with django_db_blocker.unblock():
            migration.add(apps, None)
