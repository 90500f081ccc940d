"""Saved searches while others write: no change is missed by a first answer, and none is lost by a kill."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import OperationalError, connection, transaction

from cgexplorer.store.models import DriftEvent, Image, Manifest, SavedAnswer, SavedSearch
from cgexplorer.store.queries import saved_searches as queries
from cgexplorer.store.record import saved_searches as record
from cgexplorer.store.record import tags
from cgexplorer.store.record.saved_searches import Wish
from tests.at_once import together
from tests.store import factories as make

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = dt.timedelta(hours=1)


def held(name: str) -> tuple[Image, Manifest]:
    manifest = make.manifest(make.image(name))
    make.tag(manifest)
    make.sbom(manifest, make.package("3.3.1-r0"))
    return manifest.image, manifest


def test_what_was_found_first_and_all_events_since_add_up_to_what_is_found_now() -> None:
    some = [held(f"registry.example/app-{number}") for number in range(4)]

    def move(image: Image, manifest: Manifest) -> None:
        for number in range(1, 6):
            tags.observe(image, {f"tag-{number}": manifest}, make.NOW + number * HOUR)

    def save() -> None:
        for number in range(6):
            record.save(f"openssl {number}", Wish("openssl"), make.NOW)

    assert together(save, *(lambda one=one: move(*one) for one in some)) == []

    for search in SavedSearch.objects.all():
        now = queries.answers(search)
        for answer in SavedAnswer.objects.filter(search=search):
            assert queries.held(answer) == now[answer.image_id].held
            last = DriftEvent.objects.filter(search=search.name, image=answer.image).order_by("pk")
            assert len(last) == answer.changes
            assert all("tag-" in event.changes[0]["name"] for event in last)
        assert set(now) == set(SavedAnswer.objects.filter(search=search).values_list("image_id", flat=True))


def test_a_writer_that_is_killed_before_it_commits_leaves_neither_and_the_next_tells_it() -> None:
    image, _ = held("registry.example/app")
    record.save("openssl", Wish("openssl"), make.NOW)
    told, killed = threading.Event(), threading.Event()
    pids: list[int] = []

    def write() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
            tags.gone(image, ["latest"], make.NOW + HOUR)
            assert DriftEvent.objects.filter(search="openssl").exists()
            told.set()
            killed.wait(10)

    def kill() -> None:
        told.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pids[0]])
        killed.set()

    failures = together(write, kill)
    assert [type(one) for one in failures] == [OperationalError]
    assert (image.tags.count(), DriftEvent.objects.count(), SavedAnswer.objects.get().digests) == (1, 0, 1)
    tags.gone(image, ["latest"], make.NOW + HOUR)
    assert DriftEvent.objects.get(search="openssl").after == "none"


def test_a_search_that_is_removed_while_its_answer_changes_breaks_no_writer() -> None:
    image, manifest = held("registry.example/app")
    record.save("openssl", Wish("openssl"), make.NOW)

    def move() -> None:
        for number in range(1, 10):
            tags.observe(image, {f"tag-{number}": manifest}, make.NOW + number * HOUR)

    assert together(move, lambda: record.remove(name="openssl")) == []
    assert not SavedAnswer.objects.exists()
    assert image.tags.count() == 10
