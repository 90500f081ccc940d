"""Unfollowed, a repository is asked no more: not by the round under way either."""

from __future__ import annotations

import pytest
from django.utils import timezone

from cgexplorer import sync
from cgexplorer.oci.registry import Registry
from cgexplorer.store.models import Sync
from cgexplorer.store.queries import follows as queries
from cgexplorer.store.record import follows, syncs
from tests.fakes.registry import FakeRegistry
from tests.sync.test_sync import REPOSITORY, push, push_index

pytestmark = pytest.mark.django_db


def test_what_is_unfollowed_during_its_round_is_asked_no_more(registry: FakeRegistry, source: Registry) -> None:
    """Not even for the digests that were to be fetched, and of which only some platforms had been meant."""
    push_index(registry, "1.0", "linux/amd64", "linux/arm64")
    name = f"{registry.host}/{REPOSITORY}"
    follows.follow(follows.read(name, platforms=["linux/amd64"]), timezone.now())
    found, _ = syncs.queue(name)
    sync.look(found, sync.wish(found), source)
    registry.requests.clear()
    assert syncs.unfollow(name)
    sync.work(found, source)
    assert registry.requests == []
    end = queries.progress([Sync.objects.get(pk=found.pk)])[0]
    assert (end.state, end.fetched, end.error) == ("failed", 0, "It is no longer followed.")
    assert not syncs.unfollow(name)


def test_what_is_unfollowed_while_its_tags_are_asked_is_asked_for_no_more_tags(
    registry: FakeRegistry, source: Registry
) -> None:
    push(registry, *(f"1.{number}" for number in range(sync.BATCH + 1)))
    name = f"{registry.host}/{REPOSITORY}"
    follows.follow(follows.read(name), timezone.now())
    found, _ = syncs.queue(name)
    asked_for = sync.wish(found)
    syncs.unfollow(name)
    sync.look(found, asked_for, source)
    assert not found.items.exists()
