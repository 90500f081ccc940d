"""What is kept of where tags pointed."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import importlib
from collections import defaultdict
from itertools import groupby
from pathlib import Path

import pytest
from django.db import connection

from cgexplorer.oci.evidence import Kind
from cgexplorer.store.models import Image, Manifest, Tag, TagMove
from cgexplorer.store.queries import history
from cgexplorer.store.record import tags
from tests.store import factories as make

pytestmark = pytest.mark.django_db
NOW = make.NOW
HOUR = dt.timedelta(hours=1)


def at(hours: float) -> dt.datetime:
    return NOW + hours * HOUR


@pytest.fixture
def image() -> Image:
    return make.image("registry.example/app")


@pytest.fixture
def old(image: Image) -> Manifest:
    return make.manifest(image, "old")


@pytest.fixture
def new(image: Image) -> Manifest:
    return make.manifest(image, "new")


def told(image: Image, tag: str = "latest") -> list[tuple[str, str, dt.datetime, dt.datetime]]:
    return [
        (change.kind, change.digest, change.first_seen_at, change.last_seen_at)
        for change in reversed(history.timeline(image, tag))
    ]


def test_looks_that_find_the_same_digest_are_one_interval(image: Image, old: Manifest) -> None:
    for hour in range(5):
        tags.observe(image, {"latest": old}, at(hour))
    assert told(image) == [("first", old.digest, at(0), at(4))]
    assert TagMove.objects.count() == 1


def test_a_move_keeps_when_the_digest_before_was_last_seen(image: Image, old: Manifest, new: Manifest) -> None:
    tags.observe(image, {"latest": old}, at(0))
    tags.observe(image, {"latest": old}, at(1))
    assert tags.observe(image, {"latest": new}, at(3)) == ["latest"]
    tags.observe(image, {"latest": new}, at(5))
    assert told(image) == [("first", old.digest, at(0), at(1)), ("moved", new.digest, at(3), at(5))]
    last = history.timeline(image, "latest")[0]
    assert (last.previous_digest, last.previous_last_seen_at, last.is_last) == (old.digest, at(1), True)


def test_a_digest_that_the_tag_had_before_is_a_rollback(image: Image, old: Manifest, new: Manifest) -> None:
    for hour, manifest in enumerate((old, new, old)):
        tags.observe(image, {"latest": manifest}, at(hour))
    assert [kind for kind, *_ in told(image)] == ["first", "moved", "rolled back"]


@pytest.mark.parametrize(("state", "kind"), [("verified", "rolled back"), ("invalid", "moved")])
def test_an_older_signature_makes_a_move_a_rollback_only_when_it_is_verified(
    image: Image, old: Manifest, new: Manifest, state: str, kind: str
) -> None:
    make.evidence(new, kind=Kind.SIGNATURE, signed_at=at(-1))
    make.evidence(old, kind=Kind.SIGNATURE, signed_at=at(-9), state=state)
    tags.observe(image, {"latest": new}, at(0))
    tags.observe(image, {"latest": old}, at(1))
    assert history.timeline(image, "latest")[0].kind == kind


def test_a_tag_that_is_gone_keeps_its_past_and_no_longer_points_anywhere(image: Image, old: Manifest) -> None:
    tags.observe(image, {"latest": old, "other": old}, at(0))
    assert tags.gone(image, ["latest", "never-seen"], at(2)) == ["latest"]
    assert [tag.name for tag in Tag.objects.all()] == ["other"]
    assert told(image) == [("first", old.digest, at(0), at(0)), ("gone", "", at(2), at(2))]
    assert [(one.tag, one.previous_digest, one.previous_last_seen_at) for one in history.gone(image)] == [
        ("latest", old.digest, at(0))
    ]


def test_a_tag_that_comes_back_is_told_as_such(image: Image, old: Manifest) -> None:
    tags.observe(image, {"latest": old}, at(0))
    tags.gone(image, ["latest"], at(1))
    tags.observe(image, {"latest": old}, at(2))
    assert [kind for kind, *_ in told(image)] == ["first", "gone", "back"]
    assert history.gone(image) == []


def test_being_gone_is_noticed_once(image: Image, old: Manifest) -> None:
    tags.observe(image, {"latest": old}, at(0))
    assert [tags.gone(image, ["latest"], at(hour)) for hour in (1, 2)] == [["latest"], []]


@pytest.mark.parametrize("late", ["observe", "gone"])
def test_a_look_that_began_before_the_last_one_moves_nothing(
    image: Image, old: Manifest, new: Manifest, late: str
) -> None:
    tags.observe(image, {"latest": new}, at(2))
    changed = tags.gone(image, ["latest"], at(1)) if late == "gone" else tags.observe(image, {"latest": old}, at(1))
    assert changed == []
    assert Tag.objects.get().manifest == new


def test_a_look_that_began_before_a_tag_was_missed_does_not_bring_it_back(image: Image, old: Manifest) -> None:
    tags.observe(image, {"latest": old}, at(0))
    tags.gone(image, ["latest"], at(2))
    assert tags.observe(image, {"latest": old}, at(1)) == []
    assert not Tag.objects.exists()


def test_a_digest_lists_the_tags_that_pointed_to_it_or_to_its_index(image: Image, old: Manifest) -> None:
    index = make.index(image, old)
    tags.observe(image, {"1.0": old}, at(0))
    tags.observe(image, {"1": index}, at(1))
    assert [(change.tag, change.digest) for change in history.tags_of(old)] == [
        ("1", index.digest),
        ("1.0", old.digest),
    ]
    assert [change.tag for change in history.tags_of(index)] == ["1"]


def test_changes_come_in_the_order_in_which_they_were_seen_each_with_the_one_before(
    image: Image, old: Manifest, new: Manifest
) -> None:
    tags.observe(image, {"a": old}, at(0))
    known = history.changes()[-1].id
    tags.observe(image, {"a": new, "b": new}, at(1))
    assert [(change.tag, change.previous_digest) for change in history.changes(after_id=known)] == [
        ("a", old.digest),
        ("b", ""),
    ]


def test_moves_stored_before_this_version_are_chained_by_the_migration(
    image: Image, old: Manifest, new: Manifest
) -> None:
    for hour, manifest in enumerate((old, new)):
        TagMove.objects.create(image=image, name="latest", manifest=manifest, moved_at=at(hour))
    chain = importlib.import_module("cgexplorer.store.migrations.0005_tag_history").CHAIN
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(chain)
    assert [kind for kind, *_ in told(image)] == ["first", "moved"]
    assert told(image)[0][3] == at(0)


def test_the_real_moves_of_2022_give_exactly_their_timelines(shared: Path) -> None:
    """5,604 moves of 439 tags of 30 repositories, as Chainguard's own history of its tags recorded them."""
    with gzip.open(shared / "chainguard_tag_history_2022.tsv.gz", "rt") as file:
        moves = [
            (row["repo"], dt.datetime.fromisoformat(row["date"]), row["tag"], row["digest"])
            for row in csv.DictReader(file, delimiter="\t")
        ]
    # Commits are in their order, their dates not always: who had looked after each would have seen the later date.
    clock: dict[str, dt.datetime] = {}
    expected: dict[tuple[str, str], list[tuple[str, dt.datetime]]] = defaultdict(list)
    looks: list[tuple[str, dt.datetime, dict[str, str]]] = []
    for (repository, date), together in groupby(moves, key=lambda move: move[:2]):
        clock[repository] = max(clock.get(repository, date), date)
        looks.append((repository, clock[repository], {tag: digest for _, _, tag, digest in together}))
        for tag, digest in looks[-1][2].items():
            expected[repository, tag].append((digest, clock[repository]))
    images = {repository: make.image(repository) for repository in {move[0] for move in moves}}
    known = {
        (one.image_id, one.digest): one
        for one in Manifest.objects.bulk_create(
            Manifest(image=images[repository], digest=digest, first_seen_at=NOW, observed_at=NOW, state="verified")
            for repository, digest in sorted({(move[0], move[3]) for move in moves})
        )
    }

    for repository, moment, seen in looks:
        image = images[repository]
        tags.observe(image, {tag: known[image.pk, digest] for tag, digest in seen.items()}, moment)

    changes = history.changes()
    assert len(changes) == len(moves) == 5604
    found: dict[tuple[str, str], list[tuple[str, dt.datetime]]] = defaultdict(list)
    for change in changes:
        before = found[change.image, change.tag]
        assert change.previous_digest == (before[-1][0] if before else "")
        before.append((change.digest, change.first_seen_at))
    assert found == expected
    assert sum(change.kind == "rolled back" for change in changes) == 21
    assert {
        (tag.image.name, tag.name): tag.manifest.digest for tag in Tag.objects.select_related("image", "manifest")
    } == {key: observed[-1][0] for key, observed in expected.items()}
