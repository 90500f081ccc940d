"""Rounds over a repository of a registry that we did not write: Debian's docker-registry."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from cgexplorer import sync
from cgexplorer.oci.docker_config import Credentials
from cgexplorer.oci.errors import NotFound, Unauthorized
from cgexplorer.oci.registry import Registry, connect
from cgexplorer.store.models import Image, Manifest, Sync, Tag
from cgexplorer.store.queries import follows as queries
from cgexplorer.store.queries import history
from cgexplorer.store.queries.follows import SyncProgress
from cgexplorer.store.record import follows, syncs
from tests import peers
from tests.ingesting import allow, signed_image

pytestmark = pytest.mark.django_db
_numbers = itertools.count()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with peers.debian(tmp_path_factory.mktemp("docker-registry")) as running:
        yield running


class Followed:
    """A repository in which each tag is a signed image."""

    def __init__(self, host: str, repository: str) -> None:
        self.host, self.repository, self.name = host, repository, f"{host}/{repository}"
        self.pusher = peers.Pusher(host)

    def push(self, tag: str, package: str) -> str:
        source = signed_image(package, tag=tag, comment=package)
        self.pusher.load(source, self.repository)
        return source.tagged[tag]

    def round(self, source: Registry | None = None) -> SyncProgress:
        follows.follow(follows.read(self.name), timezone.now())
        found, _ = syncs.queue(self.name)
        with source or connect(self.host, insecure=frozenset([self.host])) as asked:
            sync.work(found, asked)
        return queries.progress([Sync.objects.get(pk=found.pk)])[0]


@pytest.fixture
def followed(host: str) -> Followed:
    allow(pattern=f"{host}/*")
    return Followed(host, f"team/app{next(_numbers)}")


def tagged() -> dict[str, str]:
    return {tag.name: tag.manifest.digest for tag in Tag.objects.select_related("manifest")}


def test_the_first_round_brings_every_tag_and_verifies_it(followed: Followed) -> None:
    pushed = {tag: followed.push(tag, f"openssl@{tag}") for tag in ("1.0", "1.1")}
    end = followed.round()
    assert (end.found, end.fetched, end.failed) == (2, 2, 0)  # cosign's own tags are in the list too
    assert tagged() == pushed
    assert set(Manifest.objects.values_list("state", flat=True)) == {"verified"}


def test_a_round_in_which_nothing_changed_costs_one_request_a_tag_and_one_for_the_list(followed: Followed) -> None:
    for tag in ("1.0", "1.1", "1.2"):
        followed.push(tag, f"openssl@{tag}")
    followed.round()
    end = followed.round()
    assert (end.unchanged, end.fetched, end.requests) == (3, 0, 4)


def test_a_moved_tag_is_fetched_and_the_move_is_kept(followed: Followed) -> None:
    followed.push("1.0", "openssl@1.0")
    first = followed.push("latest", "openssl@1.0-r1")
    followed.round()
    second = followed.push("latest", "openssl@1.0-r2")
    end = followed.round()
    assert (end.unchanged, end.changed, end.fetched) == (1, 1, 1)
    moves = history.timeline(Image.objects.get(), "latest")
    assert [(move.kind, move.digest) for move in moves] == [("moved", second), ("first", first)]


def test_a_deleted_tag_is_gone_and_its_digest_stays_browsable(followed: Followed) -> None:
    kept, deleted = followed.push("1.0", "openssl@1.0"), followed.push("1.1", "openssl@1.1")
    followed.round()
    followed.pusher.delete(followed.repository, deleted)
    assert followed.round().gone == 1
    assert tagged() == {"1.0": kept}
    assert Manifest.objects.filter(digest=deleted, state="verified").exists()
    assert [change.tag for change in history.gone(Image.objects.get())] == ["1.1"]


def test_a_repository_that_was_never_pushed_says_so(followed: Followed) -> None:
    with pytest.raises(NotFound, match=f"does not have the tags of {followed.name}"):
        followed.round()


def test_a_password_that_is_no_longer_right_leaves_what_is_stored_as_it_was(tmp_path: Path) -> None:
    with peers.debian(tmp_path, htpasswd=True) as host:
        allow(pattern=f"{host}/*")
        followed = Followed(host, "team/app")
        followed.pusher = peers.Pusher(host, lambda _: peers.BASIC)
        pushed = followed.push("1.0", "openssl@1.0")

        def known(password: str) -> Registry:
            credentials = Credentials(peers.USER, password)
            return connect(host, insecure=frozenset([host]), credentials=credentials)

        assert followed.round(known(peers.PASSWORD)).fetched == 1
        with pytest.raises(Unauthorized, match="refuses the credentials"):
            followed.round(known("mistyped"))
    assert tagged() == {"1.0": pushed}
    assert Manifest.objects.get().state == "verified"
