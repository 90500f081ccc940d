"""The counting of `make torture`: what it says of rows that are as they should be, and of those that are not."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from cgexplorer import embedded_pg, ingest, jobs, registries
from cgexplorer.oci import reference as references
from cgexplorer.store.models import Activity, Evidence, Manifest, Tag
from scripts.torture import ground
from scripts.torture.crowd import Crowd
from scripts.torture.figures import Figure
from tests.fakes.registry import FakeRegistry, listening

pytestmark = pytest.mark.django_db

KILLED = """
import time
from cgexplorer import embedded_pg
from scripts.torture import ground

with ground.cleared_up() as home:
    embedded_pg.ensure_running(home / "postgres")
    child = ground.mortal(["sleep", "600"])
    print(home, child.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """Two images in two waves, all taken in."""
    with FakeRegistry() as registry:
        found = Crowd(registry, "crowd", 2, random.Random(1))
        for _ in range(2):
            found.push()
            take_in(found)
        yield found


def take_in(crowd: Crowd) -> None:
    for name in crowd.latest:
        reference = references.parse(f"{name}:latest")
        with registries.connect(reference) as source:
            ingest.ingest(reference, source, trigger="ingest", now=timezone.now())


def test_what_is_whole_is_counted_as_whole_also_when_it_is_taken_in_twice(crowd: Crowd) -> None:
    take_in(crowd)
    assert (crowd.missing(), crowd.half_ingested(), crowd.duplicated()) == ([], [], [])


def test_what_was_never_taken_in_is_missing(crowd: Crowd) -> None:
    crowd.push()
    assert len(crowd.missing()) == len(crowd.latest)


def test_a_tag_that_stayed_behind_is_missing(crowd: Crowd) -> None:
    name = next(iter(crowd.latest))
    older = Manifest.objects.filter(image__name=name, is_index=True).earliest("pk")
    Tag.objects.filter(image__name=name).update(manifest=older)
    assert [one.partition(": ")[0] for one in crowd.missing()] == [name]


def test_rows_that_are_not_those_of_the_document_are_half_ingested(crowd: Crowd) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE store_sbomgraph SET data = (SELECT data FROM store_sbomgraph ORDER BY sbom_id LIMIT 1)")
        cursor.execute("UPDATE store_sbomdetail SET packages = (SELECT max(packages) FROM store_sbomdetail)")
    assert [one for one in crowd.half_ingested() if one.endswith("is not as parsed")]


def test_evidence_that_is_there_twice_is_counted(crowd: Crowd) -> None:
    one = Evidence.objects.first()
    assert one is not None
    one.pk, one.fingerprint = None, b"another"
    one.save()
    assert crowd.duplicated() == ["13 pieces of evidence, 12 expected"]


def test_an_activity_that_no_job_will_end_is_forgotten() -> None:
    waiting = jobs.defer_fetch(references.parse("registry.example/app:1"))
    assert ground.forgotten() == []
    lost = Activity.objects.create(kind="fetch", subject="registry.example/app:2")
    assert ground.forgotten() == [lost.pk]
    assert waiting.pk != lost.pk


def test_a_figure_holds_up_to_its_limit() -> None:
    assert [Figure("s", "w", value, limit=0).holds for value in (0, 1)] == [True, False]


def test_no_registry_listens_where_an_earlier_one_did_whose_rows_are_still_there() -> None:
    with FakeRegistry() as earlier:
        port = int(earlier.host.rpartition(":")[2])
    with listening(BaseHTTPRequestHandler, [port, 0]) as server:
        assert server.server_address[1] != port


def test_nothing_is_left_running_when_it_is_killed_itself() -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as torture:
        assert torture.stdout is not None
        home, child = torture.stdout.readline().split()
        assert embedded_pg.is_running(Path(home) / "postgres")
        torture.kill()
    assert ground.until(lambda: not Path(home).exists(), for_s=60)
    assert ground.until(lambda: not _lives(int(child)), for_s=60)
    assert not embedded_pg.is_running(Path(home) / "postgres")


def _lives(pid: int) -> bool:
    """A zombie, which whoever took it over has yet to bury, does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
