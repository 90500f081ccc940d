"""The tests' own world: the embedded PostgreSQL, and the real data beside the checkout."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgexplorer import embedded_pg
from tests.fakes.registry import FakeRegistry

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure() -> None:
    import hypothesis
    from django.conf import settings

    # How long an example takes says how busy the machine is, not whether the code is right.
    calm = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture]
    hypothesis.settings.register_profile("calm", deadline=None, suppress_health_check=calm)
    hypothesis.settings.register_profile("fuzz", parent=hypothesis.settings.get_profile("calm"), max_examples=2000)
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "calm"))

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
def chainguards_policies(request: pytest.FixtureRequest) -> None:
    """A test that commits empties every table when it ends, also of what the migrations put there: put it back."""
    if request.node.get_closest_marker("django_db") or "db" in request.fixturenames:
        from django.apps import apps

        request.getfixturevalue("db")
        if not apps.get_model("store", "PolicyRow").objects.filter(name="chainguard public").exists():
            importlib.import_module("cgexplorer.store.migrations.0003_chainguard_policies").add(apps, None)
            importlib.import_module("cgexplorer.store.migrations.0015_chainguard_images_are_complete").ask(apps, None)


@pytest.fixture
def empty_queue() -> Iterator[None]:
    """Procrastinate's tables are not emptied between tests, because Django does not manage them."""
    from django.db import connection

    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """One with a sample image, for those who do not fill one of their own."""
    with FakeRegistry() as running:
        running.load_layout(SAMPLES / "python", "team/python")
        yield running
