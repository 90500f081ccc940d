"""Rounds over a repository of registries that we did not write: Debian's, which has no referrers API, and
go-containerregistry's, which has."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from cgexplorer import ingest, sync
from cgexplorer.oci.docker_config import Credentials
from cgexplorer.oci.errors import NotFound, Unauthorized
from cgexplorer.oci.registry import Registry, connect
from cgexplorer.store.models import Evidence, Image, Manifest, Sbom, Sync, Tag
from cgexplorer.store.queries import follows as queries
from cgexplorer.store.queries import history
from cgexplorer.store.queries.follows import SyncProgress
from cgexplorer.store.record import follows, syncs
from cgexplorer.verify.cli import main
from tests import peers
from tests.fakes.sigstore import GITHUB, SPDX, WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import allow, signed_image, sigstore, spdx

pytestmark = pytest.mark.django_db
_numbers = itertools.count()


@pytest.fixture(scope="module", params=[peers.debian, peers.with_referrers], ids=["debian", "go-containerregistry"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with request.param(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def with_referrers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with peers.with_referrers(tmp_path_factory.mktemp("registry")) as running:
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

    def connected(self) -> Registry:
        return connect(self.host, insecure=frozenset([self.host]))

    def round(self, source: Registry | None = None) -> SyncProgress:
        follows.follow(follows.read(self.name), timezone.now())
        found, _ = syncs.queue(self.name)
        with source or self.connected() as asked:
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
    followed.pusher.delete(followed.repository, "1.1", deleted)
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


# -- the referrers API ------------------------------------------------------------------------------------------------


def signed_by_bundles(tag: str = "latest") -> MemorySource:
    """As cosign 3 signs: an image with a signature and an SBOM attached, and no tags beside its own."""
    source, one = MemorySource(), sigstore()
    digest = source.push_image(tag)
    source.refer(digest, json.dumps(one.bundle(digest, one.leaf())).encode())
    source.refer(digest, json.dumps(one.bundle(digest, one.leaf(), SPDX, spdx("openssl@3.3.1-r0"))).encode())
    return source


def test_what_is_attached_as_a_referrer_is_verified_by_a_round(with_referrers: str) -> None:
    allow(pattern=f"{with_referrers}/*")
    followed = Followed(with_referrers, "team/bundles")
    followed.pusher.load(signed_by_bundles(), followed.repository)
    assert followed.round().fetched == 1
    assert Manifest.objects.get().state == "verified"
    assert set(Evidence.objects.values_list("form", "kind", "state")) == {
        ("bundle", "signature", "verified"),
        ("bundle", "attestation", "verified"),
    }
    assert Sbom.objects.get().packages.searchable


def test_an_image_without_referrers_is_unsigned_by_the_answer_of_the_api(with_referrers: str) -> None:
    followed = Followed(with_referrers, "team/unsigned")
    source = MemorySource()
    source.push_image("latest")
    followed.pusher.load(source, followed.repository)
    followed.round()
    assert Manifest.objects.get().state == "unsigned"


def test_a_signature_that_is_attached_later_is_found_when_the_registry_is_asked_again(with_referrers: str) -> None:
    allow(pattern=f"{with_referrers}/*")
    followed = Followed(with_referrers, "team/later")
    signed = signed_by_bundles()
    digest = signed.tagged["latest"]
    bare = MemorySource()
    assert bare.push_image("latest") == digest
    followed.pusher.load(bare, followed.repository)
    followed.round()
    assert Manifest.objects.get().state == "unsigned"
    followed.pusher.load(signed, followed.repository)
    with followed.connected() as asked:
        ingest.reverify(Manifest.objects.get(), now=timezone.now(), live=asked)
    assert Manifest.objects.get().state == "verified"


def test_the_verifier_without_a_store_reads_referrers_too(
    with_referrers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peers.Pusher(with_referrers).load(signed_by_bundles(), "team/alone")
    (tmp_path / "root.json").write_bytes(sigstore().trusted_root())
    signer = ["--certificate-identity", WORKFLOW, "--certificate-oidc-issuer", GITHUB]
    trust = ["--trusted-root", str(tmp_path / "root.json"), "--allow-http-registry"]
    reference = f"{with_referrers}/team/alone:latest"
    assert main(["verify", *signer, *trust, reference]) == 0
    assert main(["verify-attestation", "--type", "spdxjson", *signer, *trust, reference]) == 0
    capsys.readouterr()


def test_more_tags_than_are_asked_for_at_once_are_all_found(with_referrers: str) -> None:
    source = MemorySource()
    digest = source.push_image("v0000")
    pusher = peers.Pusher(with_referrers)
    pusher.load(source, "team/many")
    names = [f"v{number:04}" for number in range(1001)]
    for name in names[1:]:
        pusher.manifest("team/many", source.manifests[digest], name)
    with connect(with_referrers, insecure=frozenset([with_referrers])) as registry:
        assert list(registry.tags("team/many")) == names
