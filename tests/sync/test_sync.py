"""Rounds over a followed repository, against the registry of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from cgexplorer import sync
from cgexplorer.oci.errors import Unreachable
from cgexplorer.oci.manifest import OCI_INDEX
from cgexplorer.oci.origin import PARALLEL_PER_HOST
from cgexplorer.oci.registry import Registry, connect
from cgexplorer.oci.transport import Patience
from cgexplorer.store.models import Image, Manifest, Sbom, SbomPackages, Sync, SyncItem, Tag, TagMove
from cgexplorer.store.queries import follows as queries
from cgexplorer.store.queries import history
from cgexplorer.store.queries.follows import SyncProgress
from cgexplorer.store.record import follows, syncs
from tests.fakes.registry import FakeRegistry, Fault
from tests.ingesting import allow, fetch, signed_image

pytestmark = pytest.mark.django_db
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "python"
REPOSITORY = "team/app"


def push(registry: FakeRegistry, *tags: str, variant: str = "") -> None:
    for tag in tags:
        registry.push_image(REPOSITORY, tag, annotations={"variant": variant or tag})


def push_index(registry: FakeRegistry, tag: str, *platforms: str) -> str:
    children = []
    for platform in platforms:
        os, architecture, *variant = platform.split("/")
        digest = registry.push_image(REPOSITORY, annotations={"platform": platform})
        kind, raw = registry.repository(REPOSITORY).manifests[digest]
        described = {"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        children.append({"mediaType": kind, "digest": digest, "size": len(raw), "platform": described})
    return registry.push(REPOSITORY, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}, tag)


def go(registry: FakeRegistry, source: Registry, tag: str = "", **wish) -> SyncProgress:
    """One round; with a wish, after following so."""
    name = f"{registry.host}/{REPOSITORY}"
    if wish or not queries.follow(name):
        follows.follow(follows.read(name, **wish), timezone.now())
    found, _ = syncs.queue(name, tag)
    sync.work(found, source)
    return queries.progress([Sync.objects.get(pk=found.pk)])[0]


def asked(registry: FakeRegistry) -> list[str]:
    """`HEAD latest`: what was asked about tags and manifests since the last call."""
    told = [f"{method} {path.rpartition('/')[2]}" for method, path, _ in registry.requests if "/manifests/" in path]
    registry.requests.clear()
    return told


def tagged() -> dict[str, str]:
    return {tag.name: tag.manifest.digest for tag in Tag.objects.select_related("manifest")}


def test_the_first_round_fetches_everything_that_is_meant(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0", "1.1", "nightly")
    end = go(registry, source, tags=["1.*"])
    assert (end.state, end.found, end.unchanged, end.changed, end.fetched, end.failed) == ("done", 2, 0, 2, 2, 0)
    assert set(tagged()) == {"1.0", "1.1"}


def test_an_unchanged_tag_costs_one_request(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0", "1.1", "1.2")
    go(registry, source)
    asked(registry)
    end = go(registry, source)
    assert (end.found, end.unchanged, end.fetched, end.requests) == (3, 3, 0, 4)  # and one for the list
    assert sorted(asked(registry)) == ["HEAD 1.0", "HEAD 1.1", "HEAD 1.2"]


def test_tags_are_asked_at_the_same_time_and_never_more_than_a_host_is_asked(
    registry: FakeRegistry, source: Registry
) -> None:
    push(registry, *(f"1.{number}" for number in range(60)), variant="same")
    go(registry, source)
    registry.peak, registry.latency_s = 0, 0.02
    go(registry, source)
    assert 1 < registry.peak <= PARALLEL_PER_HOST


def test_names_are_asked_without_reading_the_list(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0", "1.1")
    go(registry, source, tags=["1.0"])
    end = go(registry, source)
    assert (end.unchanged, end.requests) == (1, 1)


def test_only_the_digest_that_changed_is_fetched_though_the_list_is_the_same(
    registry: FakeRegistry, source: Registry
) -> None:
    push(registry, "1.0", "1.1")
    go(registry, source)
    push(registry, "1.1", variant="new")
    end = go(registry, source)
    assert (end.unchanged, end.changed, end.fetched) == (1, 1, 1)
    assert [change.kind for change in history.timeline(Image.objects.get(), "1.1")] == ["moved", "first"]


def test_tags_of_one_digest_are_fetched_once(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1", "1.0", "latest", variant="same")
    end = go(registry, source)
    assert (end.found, end.changed, end.fetched) == (3, 1, 1)
    assert len(set(tagged().values())) == 1
    assert set(tagged()) == {"1", "1.0", "latest"}


def test_a_tag_that_moves_to_a_stored_digest_moves_without_a_fetch(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0", "1.1")
    go(registry, source)
    registry.repository(REPOSITORY).tags["1.1"] = registry.repository(REPOSITORY).tags["1.0"]
    end = go(registry, source)
    assert (end.unchanged, end.changed) == (1, 0)
    assert tagged()["1.0"] == tagged()["1.1"]


def test_a_tag_that_is_deleted_is_gone_and_browsable(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0", "1.1")
    go(registry, source)
    del registry.repository(REPOSITORY).tags["1.1"]
    assert go(registry, source).gone == 1
    assert set(tagged()) == {"1.0"}
    assert [change.tag for change in history.gone(Image.objects.get())] == ["1.1"]
    assert go(registry, source).gone == 0


def test_a_tag_that_the_list_forgot_but_that_is_there_is_not_gone(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0", "1.1")
    go(registry, source)
    registry.unlisted = {"1.1"}
    end = go(registry, source)
    assert (end.found, end.unchanged, end.gone) == (2, 2, 0)


def test_a_registry_that_refuses_head_is_asked_by_get(registry: FakeRegistry, source: Registry) -> None:
    registry.head_tells_digest = False
    push(registry, "1.0")
    go(registry, source)
    assert go(registry, source).unchanged == 1


def test_a_long_list_of_tags_is_read_page_by_page(registry: FakeRegistry, source: Registry) -> None:
    push(registry, *(f"1.{number}" for number in range(7)), variant="same")
    registry.page_size = 3
    assert go(registry, source).found == 7


def test_cosigns_own_tags_are_not_followed(registry: FakeRegistry, source: Registry) -> None:
    registry.load_layout(SAMPLE, REPOSITORY)
    end = go(registry, source, newest=2)
    assert end.found == 2
    assert not any(name.startswith("sha256-") for name in tagged())


def test_only_the_platforms_that_are_meant_are_fetched_and_the_others_are_named(
    registry: FakeRegistry, source: Registry
) -> None:
    push_index(registry, "1.0", "linux/amd64", "linux/arm64/v8", "linux/s390x")
    end = go(registry, source, platforms=["linux/amd64", "linux/arm64"])
    assert end.manifests == 3
    other = Manifest.objects.get(platform="linux/s390x")
    assert (other.state, other.run, other.problem) == ("", None, "not fetched: its platform is not followed")
    assert go(registry, source).unchanged == 1


def test_a_platform_that_is_followed_later_is_fetched_though_no_tag_moved(
    registry: FakeRegistry, source: Registry
) -> None:
    push_index(registry, "1.0", "linux/amd64", "linux/s390x")
    go(registry, source, platforms=["linux/amd64"])
    assert go(registry, source, platforms=[]).fetched == 1
    assert not Manifest.objects.filter(run=None).exists()
    assert TagMove.objects.count() == 1


def test_a_digest_that_fails_is_named_with_its_reason_and_fetched_by_the_next_round(
    registry: FakeRegistry, source: Registry
) -> None:
    push(registry, "1.0", "1.1")
    broken = registry.repository(REPOSITORY).tags["1.1"]
    registry.fault, registry.fault_at = Fault.WRONG_BYTES, f"/manifests/{broken}"
    end = go(registry, source)
    assert (end.state, end.fetched, end.failed) == ("done", 1, 1)
    assert SyncItem.objects.get(state="failed").tags == ["1.1"]
    assert set(tagged()) == {"1.0"}
    registry.fault = Fault.NONE
    assert go(registry, source).fetched == 1
    assert set(tagged()) == {"1.0", "1.1"}


def test_a_registry_that_is_down_is_not_asked_for_every_tag(registry: FakeRegistry, source: Registry) -> None:
    push(registry, *(f"1.{number}" for number in range(40)), variant="same")
    go(registry, source)
    registry.fault, registry.fault_at = Fault.ERROR_500, "/manifests/"
    asked(registry)
    with pytest.raises(Unreachable):
        go(registry, source)
    assert len(set(asked(registry))) <= sync.MAX_SILENCES + PARALLEL_PER_HOST
    assert len(tagged()) == 40


def test_a_round_for_one_tag_asks_only_that(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0", "1.1")
    end = go(registry, source, "1.1", tags=["*"])
    assert (end.found, end.fetched) == (1, 1)
    assert set(tagged()) == {"1.1"}


def test_what_is_stored_and_not_followed_is_asked_again(registry: FakeRegistry, source: Registry) -> None:
    push(registry, "1.0", "1.1")
    go(registry, source, tags=["1.0"])
    name = f"{registry.host}/{REPOSITORY}"
    follows.unfollow(name)
    found, _ = syncs.queue(name)
    sync.work(found, source)
    assert queries.progress([Sync.objects.get(pk=found.pk)])[0].unchanged == 1


def test_a_look_that_was_cut_off_begins_anew_and_keeps_what_was_fetched(
    registry: FakeRegistry, source: Registry
) -> None:
    push(registry, "1.0", "1.1")
    name = f"{registry.host}/{REPOSITORY}"
    follows.follow(follows.read(name), timezone.now())
    found, _ = syncs.queue(name)
    sync.look(found, sync.wish(found), source)
    Sync.objects.filter(pk=found.pk).update(looked_at=None)
    sync.work(found, source)
    end = queries.progress([Sync.objects.get(pk=found.pk)])[0]
    assert (end.found, end.changed, end.fetched, end.state) == (2, 2, 2, "done")


def test_a_digest_that_cut_off_three_attempts_is_given_up_and_ends_the_round(
    registry: FakeRegistry, source: Registry
) -> None:
    push(registry, "1.0", "1.1")
    name = f"{registry.host}/{REPOSITORY}"
    follows.follow(follows.read(name), timezone.now())
    found, _ = syncs.queue(name)
    sync.look(found, sync.wish(found), source)
    poison = found.items.first()
    SyncItem.objects.filter(pk=poison.pk).update(attempts=syncs.MAX_ATTEMPTS)
    sync.work(found, source)
    end = queries.progress([Sync.objects.get(pk=found.pk)])[0]
    assert (end.fetched, end.failed, end.state) == (1, 1, "done")
    poison.refresh_from_db()
    assert "Given up" in poison.reason


def test_only_one_round_of_a_repository_is_under_way(registry: FakeRegistry) -> None:
    first, is_new = syncs.queue(f"{registry.host}/{REPOSITORY}")
    again, is_new_again = syncs.queue(f"{registry.host}/{REPOSITORY}")
    assert (is_new, is_new_again, first.pk) == (True, False, again.pk)


def test_an_index_whose_platforms_were_not_yet_named_when_it_was_cut_off_is_fetched_again(
    registry: FakeRegistry, source: Registry
) -> None:
    push_index(registry, "1.0", "linux/amd64")
    go(registry, source)
    index = Manifest.objects.get(is_index=True)
    index.entries.all().delete()
    assert go(registry, source).fetched == 1
    assert index.entries.count() == 1


def test_a_digest_that_is_not_signed_yet_is_looked_at_again_after_an_hour(
    registry: FakeRegistry, source: Registry
) -> None:
    push(registry, "1.0")
    go(registry, source)
    now = timezone.now()
    Manifest.objects.update(observed_at=now - 2 * queries.LOOK_AGAIN_AFTER)
    assert go(registry, source).fetched == 1
    old = now - 2 * queries.MAY_STILL_BE_SIGNED
    Manifest.objects.update(observed_at=old, first_seen_at=old)
    assert go(registry, source).fetched == 0


def test_progress_knows_its_rate_and_the_time_left() -> None:
    fields = dict.fromkeys(SyncProgress.__struct_fields__, 0)
    now = SyncProgress(**{**fields, "is_looking": True, "found": 100, "asked": 25, "step_s": 5.0})
    assert (now.per_s, now.left_s) == (5.0, 15.0)
    assert SyncProgress(**{**fields, "is_looking": True, "found": 100}).left_s is None
    fetching = SyncProgress(
        **{**fields, "is_looking": False, "changed": 8, "fetched": 3, "failed_digests": 1, "step_s": 2.0}
    )
    assert (fetching.done, fetching.left_s) == (4, 2.0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"repository": "registry.example/app:1.0"}, "without a tag or a digest"),
        ({"tags": ["a b"]}, "neither a tag nor a glob"),
        ({"newest": "0"}, "how many of the newest"),
        ({"platforms": ["Linux"]}, "not a platform"),
        ({"every": "5s"}, "not an interval"),
        ({"every": "hourly"}, "not an interval"),
        ({"tags": [f"t{n}" for n in range(101)]}, "At most 100"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_with_a_sentence(wrong: dict, sentence: str) -> None:
    with pytest.raises(Exception, match=sentence):
        follows.read(**{"repository": "registry.example/app", **wrong})


@pytest.mark.parametrize("text", ["90s", "15m", "1h", "2d"])
def test_an_interval_is_told_as_it_was_typed(text: str) -> None:
    assert follows.interval(follows.read("registry.example/app", every=text).every_s) == text


def test_what_is_due_is_taken_once_and_due_again_after_its_interval() -> None:
    now = timezone.now()
    made = follows.follow(follows.read("registry.example/app", every="1h"), now)
    assert follows.take_due(now) == ["registry.example/app"]
    assert follows.take_due(now) == []
    made.refresh_from_db()
    assert (made.due_at - now).total_seconds() == 3600


def test_a_round_out_of_turn_postpones_the_next_one() -> None:
    now = timezone.now()
    follows.follow(follows.read("registry.example/app"), now)
    syncs.queue("registry.example/app")
    assert follows.take_due(timezone.now()) == []


def test_a_platform_whose_index_was_cut_off_before_it_named_it_is_searched_after_the_next_round() -> None:
    allow()
    source = signed_image("openssl@3.3.1-r0")
    index = source.push_index("latest", amd64=source.tagged["latest"])
    fetch(source)
    Manifest.objects.get(digest=index).entries.all().delete()
    SbomPackages.objects.update(searchable=False)

    fetch(source)

    assert Sbom.objects.get().packages.searchable


def test_when_the_time_for_asking_is_over_the_next_round_begins_with_the_tags_that_were_not_asked(
    registry: FakeRegistry, source: Registry
) -> None:
    push(registry, *(f"1.{number}" for number in range(12)))
    go(registry, source)
    asked(registry)
    a_second_each = Patience(together_s=6, clock=lambda: float(len(registry.requests)))
    with connect(registry.host, insecure=frozenset([registry.host]), patience=a_second_each) as limited:
        end = go(registry, limited)
    first = {tag.removeprefix("HEAD ") for tag in asked(registry)}
    assert (end.state, end.found, end.unchanged, end.failed_tags) == ("done", 12, len(first), 1)
    assert 0 < len(first) < 12
    reason = SyncItem.objects.get(state="failed").reason
    assert "took more than 6 s" in reason
    assert f"the {12 - len(first)} tags that were not asked" in reason
    go(registry, source)
    again = [tag.removeprefix("HEAD ") for tag in asked(registry)]
    assert set(again[: 12 - len(first) - PARALLEL_PER_HOST]) <= set(tagged()) - first
    assert set(again) == set(tagged())
