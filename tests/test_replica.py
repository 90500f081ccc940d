"""A real standby of a real primary, and which of them pages are read from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from cgexplorer.store import replica
from cgexplorer.store.models import Image
from tests.standby import replicated
from tests.test_embedded_pg import let_others_pass

PRIMARY, REPLICA = [200, True, False, True], [200, False, True, True]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Steps of `tests.reading_replica`, and what it logged."""
    folder = tmp_path_factory.mktemp("pair")
    let_others_pass(folder)
    with replicated(folder) as pair:
        addresses = {"DATABASE_URL": pair.primary, "REPLICA_DATABASE_URL": pair.standby}
        done = subprocess.run(
            [sys.executable, "-m", "tests.reading_replica", str(folder)],
            env={
                **os.environ, **addresses, "DJANGO_SETTINGS_MODULE": "cgexplorer.settings",
                "ALLOWED_HOSTS": "testserver", "PYTHONWARNINGS": "",
            },
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return {**json.loads(done.stdout.splitlines()[-1]), "log": done.stderr}


@pytest.mark.parametrize("page", ["a list", "an image"])
def test_lists_are_read_from_a_replica_that_keeps_up(seen: dict[str, Any], page: str) -> None:
    assert seen[page] == REPLICA
    assert seen["said when it keeps up"] == "ready\n"


def test_searches_are_read_from_a_replica_that_keeps_up(seen: dict[str, Any]) -> None:
    assert seen["a search"][:3] == REPLICA[:3]


def test_pages_of_work_are_read_from_the_primary(seen: dict[str, Any]) -> None:
    assert seen["work"][:3] == PRIMARY[:3]


def test_who_has_just_changed_something_reads_the_primary(seen: dict[str, Any]) -> None:
    assert seen["after a post"] == PRIMARY


def test_a_replica_that_is_too_far_behind_is_not_read(seen: dict[str, Any]) -> None:
    assert seen["too far behind"] == PRIMARY
    said = seen["said when it is behind"]
    assert said.startswith("ready\nThe replica is ")
    assert "pages are read from the primary" in said
    assert seen["a little behind"] == REPLICA
    assert "The replica keeps up again" in seen["log"]


def test_a_replica_that_goes_away_costs_nobody_a_page(seen: dict[str, Any]) -> None:
    assert seen["gone on the way"][0] == 200
    assert seen["gone on the way"][3]
    assert seen["gone"] == PRIMARY
    assert seen["said when it is gone"].startswith("ready\nThe replica does not answer")
    assert "The replica does not answer" in seen["log"]


@pytest.mark.django_db(transaction=True)
def test_nothing_inside_a_transaction_is_read_from_a_replica() -> None:
    with replica.reading_from_replica():
        assert replica.alias() == "replica"
        with transaction.atomic():
            assert replica.alias() == "default"
    assert replica.alias() == "default"


def test_sessions_and_the_queue_are_read_where_they_are_written() -> None:
    from django.contrib.sessions.models import Session

    router = replica.Router()
    with replica.reading_from_replica():
        assert router.db_for_read(Image) == "replica"
        assert router.db_for_read(Session) is None
        assert router.db_for_write(Image) == "default"
    assert not router.allow_migrate("replica", "store")


@pytest.mark.django_db
def test_without_a_replica_nobody_is_marked_as_having_written(client: Client) -> None:
    client.post("/follows/", {})
    assert "just_wrote" not in client.cookies
