"""`manage.py follow`, `unfollow` and `sync`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from procrastinate.contrib.django.models import ProcrastinateJob

from cgexplorer.store.models import Follow, Sync, Tag
from tests.fakes.registry import FakeRegistry, Fault

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_queue")]


@pytest.fixture
def registry(settings) -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        settings.INSECURE_REGISTRIES = frozenset([running.host])
        for tag in ("1.0", "1.1", "nightly"):
            running.push_image("team/app", tag, annotations={"tag": tag})
        yield running


def told(*command: Any) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def last_line(text: str) -> dict[str, float]:
    return json.loads(text.splitlines()[-1])


def test_following_says_what_is_followed_and_queues_the_first_round() -> None:
    said = told(
        "follow", "cgr.dev/chainguard/go", "--tags", "latest", "1.*", "--newest", "3", "--platform", "linux/amd64",
        "--every", "30m",
    )  # fmt: skip
    assert "cgr.dev/chainguard/go is followed, every 30m. Tags: latest, 1.*, the newest 3" in said
    made = Follow.objects.get()
    assert (made.tags, made.newest, made.platforms, made.every_s) == (["latest", "1.*"], 3, ["linux/amd64"], 1800)
    assert ProcrastinateJob.objects.filter(task_name="sync").count() == 1


def test_following_again_changes_what_is_followed() -> None:
    told("follow", "cgr.dev/chainguard/go", "--tags", "latest")
    told("follow", "cgr.dev/chainguard/go", "--every", "1d")
    made = Follow.objects.get()
    assert (made.tags, made.every_s) == ([], 86400)


@pytest.mark.parametrize("wrong", ["cgr.dev/chainguard/go:latest", "Not A Name", "cgr.dev/x@sha256:" + "0" * 64])
def test_only_a_repository_can_be_followed(wrong: str) -> None:
    with pytest.raises(CommandError):
        told("follow", wrong)
    assert not Follow.objects.exists()


def test_what_is_not_followed_cannot_be_unfollowed() -> None:
    told("follow", "cgr.dev/chainguard/go")
    assert "no longer followed" in told("unfollow", "cgr.dev/chainguard/go")
    with pytest.raises(CommandError, match="is not followed"):
        told("unfollow", "cgr.dev/chainguard/go")


def test_a_sync_ends_with_its_figures_as_json(registry: FakeRegistry) -> None:
    told("follow", f"{registry.host}/team/app", "--tags", "1.*")
    first = last_line(told("sync", f"{registry.host}/team/app"))
    assert set(first) == {"checked", "unchanged", "fetched", "verified", "failed", "requests", "seconds"}
    assert (first["checked"], first["unchanged"], first["fetched"], first["failed"]) == (2, 0, 2, 0)
    again = last_line(told("sync", "--all"))
    assert (again["checked"], again["unchanged"], again["fetched"], again["requests"]) == (2, 2, 0, 3)


def test_a_sync_says_what_became_of_each_digest(registry: FakeRegistry) -> None:
    told("follow", f"{registry.host}/team/app", "--tags", "1.0")
    said = told("sync", f"{registry.host}/team/app")
    assert f"unsigned: 1.0 {registry.repository('team/app').tags['1.0']}" in said


def test_a_sync_of_one_tag_asks_that_tag(registry: FakeRegistry) -> None:
    assert last_line(told("sync", f"{registry.host}/team/app:nightly"))["fetched"] == 1
    assert Tag.objects.get().name == "nightly"


def test_a_sync_of_what_is_not_followed_asks_the_tags_that_are_stored(registry: FakeRegistry) -> None:
    told("sync", f"{registry.host}/team/app:nightly")
    assert last_line(told("sync", f"{registry.host}/team/app"))["unchanged"] == 1


def test_a_sync_of_the_unknown_says_what_to_do() -> None:
    with pytest.raises(CommandError, match=r"manage\.py follow registry\.example/app"):
        told("sync", "registry.example/app")
    with pytest.raises(CommandError, match="Nothing is followed yet"):
        told("sync", "--all")
    with pytest.raises(CommandError, match="never moves"):
        told("sync", "registry.example/app@sha256:" + "0" * 64)


def test_a_registry_that_could_not_be_asked_is_exit_code_3_and_others_are_synced(registry: FakeRegistry) -> None:
    told("follow", "registry.invalid/team/app")
    told("follow", f"{registry.host}/team/app")
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"registry\.invalid/team/app") as failure:
        call_command("sync", "--all", stdout=out)
    assert failure.value.returncode == 3
    assert last_line(out.getvalue())["fetched"] == 3
    assert last_line(out.getvalue())["failed"] == 1
    assert not Sync.objects.filter(finished_at=None).exists()


def test_a_digest_that_could_not_be_fetched_is_named(registry: FakeRegistry) -> None:
    broken = registry.repository("team/app").tags["1.1"]
    registry.fault, registry.fault_at = Fault.WRONG_BYTES, f"/manifests/{broken}"
    told("follow", f"{registry.host}/team/app", "--tags", "1.*")
    out = io.StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("sync", f"{registry.host}/team/app", stdout=out)
    assert failure.value.returncode == 3
    assert f"failed: 1.1 {broken}: " in out.getvalue()


def test_a_tag_that_is_not_there_is_named_without_a_digest(registry: FakeRegistry) -> None:
    told("follow", f"{registry.host}/team/app", "--tags", "2.0")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("sync", f"{registry.host}/team/app", stdout=out)
    assert "  1 tag asked for, 0 unchanged" in out.getvalue()
    assert "  failed: 2.0: The registry does not have the tag 2.0" in out.getvalue()
