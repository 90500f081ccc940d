"""Pruning while others fetch: no row goes that somebody is about to use, and nobody waits for ever."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import transaction

from cgexplorer.store.models import Component, Image, License, Package, Sbom
from cgexplorer.store.queries import consistency
from cgexplorer.store.queries.prunable import Rule
from cgexplorer.store.record import prune
from tests.at_once import together
from tests.ingesting import NOW, allow, fetch, signed_image
from tests.store.test_record_at_once import carrying, document, intern, save

pytestmark = pytest.mark.django_db(transaction=True)
SOON = NOW + dt.timedelta(days=40)
RULE = Rule(30, keep_newest=0)


def counts() -> tuple[int, int, int]:
    return Package.objects.count(), Component.objects.count(), License.objects.count()


def test_a_row_that_a_fetch_has_looked_up_is_not_deleted_before_it_is_used() -> None:
    """Nothing holds the rows; a fetch has their ids, and its SBOM is not stored yet."""
    intern(found := document("a@1", "b@1"))
    looked_up, tried = threading.Event(), threading.Event()
    busy = []

    def fetching() -> None:
        with transaction.atomic():
            (ids,) = intern(found)
            looked_up.set()
            assert tried.wait(30)
            assert set(Package.objects.filter(pk__in=ids).values_list("pk", flat=True)) == set(ids)

    def pruning() -> None:
        assert looked_up.wait(30)
        try:
            for kind in prune.KINDS:
                list(prune.unused(kind, lambda: False))
        except prune.Busy as error:
            busy.append(error)
        finally:
            tried.set()

    assert together(fetching, pruning) == []
    assert len(busy) == 1
    assert counts() == (2, 2, 1)


def test_it_tries_again_until_the_fetch_has_ended() -> None:
    intern(found := document("a@1"))
    looked_up, tried = threading.Event(), threading.Event()

    def wait() -> bool:
        tried.set()
        return True

    def fetching() -> None:
        with transaction.atomic():
            intern(found)
            looked_up.set()
            assert tried.wait(30)

    def pruning() -> None:
        assert looked_up.wait(30)
        assert sum(prune.unused("package", wait)) == 1

    assert together(fetching, pruning) == []
    assert Package.objects.count() == 0


def test_a_fetch_that_waited_for_the_deletion_makes_the_rows_anew() -> None:
    intern(found := document("a@1"))
    before = Package.objects.get().pk

    with transaction.atomic():
        assert prune._delete("package", [before]) == 1  # the lock is held until this transaction ends
        ids: list[int] = []
        waiting = threading.Thread(target=lambda: _on_its_own(lambda: ids.extend(intern(found)[0])))
        waiting.start()
        waiting.join(0.2)
        assert ids == []
    waiting.join(30)

    assert ids == [Package.objects.get().pk] != [before]


def _on_its_own(job) -> None:
    assert together(job) == []


def test_pruners_and_fetches_of_the_same_packages_leave_everything_in_agreement() -> None:
    allow()
    source = signed_image("a@1", "shared@1")
    fetch(source)
    for number in range(2, 8):
        signed_image(f"a@{number}", "shared@1", f"only-{number}@1", into=source, variant=str(number))
        fetch(source, now=NOW + dt.timedelta(minutes=number))
    image = Image.objects.get()
    units = [
        carrying(f"registry.example/{name}", document("shared@1", *(f"only-{n}@1" for n in range(2, 8)), f"{name}@1"))
        for name in ("one", "two", "three")
    ]

    def pruning() -> None:
        while prune.some(image, RULE, SOON, limit=1).sboms:
            for kind in prune.KINDS:
                list(prune.unused(kind, lambda: True))

    failures = together(pruning, pruning, *(lambda found=found: save(found) for found in units))

    assert failures == []
    # carrying() has no run with verdicts of stored policies; what is said of packages and rollups is what counts here
    of_rows = [one for one in consistency.violations() if "SBOM" in one.rule or "rollup" in one.rule]
    assert of_rows == []
    assert Sbom.objects.filter(pruned_at__isnull=False).count() == 6
