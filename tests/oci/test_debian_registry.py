"""The same questions to a registry that we did not write: Debian's docker-registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cgexplorer.oci.docker_config import Credentials
from cgexplorer.oci.errors import NotFound, Unauthorized
from cgexplorer.oci.evidence import discover
from cgexplorer.oci.layout import Layout
from cgexplorer.oci.registry import Registry, connect
from tests import peers
from tests.fakes.source import MemorySource
from tests.fakes.token_service import TokenService

REPOSITORY = "team/app"
GOOD = Credentials(peers.USER, peers.PASSWORD)
WRONG = Credentials(peers.USER, "mistyped")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with peers.debian(tmp_path_factory.mktemp("docker-registry")) as host:
        yield host


@pytest.fixture
def registry(real: str) -> Iterator[Registry]:
    with connect(real, insecure=frozenset([real])) as registry:
        yield registry


@pytest.mark.parametrize("repository", ["d/annot", "d/att-spdx", "d/b-rekor2", "d/sig-and-bundle", "d/unsigned"])
def test_it_answers_as_the_layout_that_was_pushed_to_it(
    real: str, registry: Registry, shared: Path, repository: str
) -> None:
    peers.Pusher(real).load_layout(shared / "cosign-made", repository)
    layout = Layout(shared / "cosign-made")
    digest = registry.resolve(repository, "1.0")
    assert digest == layout.resolve(repository, "1.0")
    assert registry.manifest(repository, digest) == layout.manifest(repository, digest)
    assert discover(registry, repository, digest) == discover(layout, repository, digest)
    assert sorted(registry.tags(repository)) == sorted(layout.tags(repository))


def test_what_it_does_not_have_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFound):
        registry.resolve("no/such", "latest")
    with pytest.raises(NotFound):
        list(registry.tags("no/such"))
    with pytest.raises(NotFound):
        registry.blob("no/such", "sha256:" + "0" * 64, 1)


# -- authorisation by htpasswd ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image() -> tuple[MemorySource, str]:
    source = MemorySource()
    return source, source.push_image("latest")


@pytest.fixture(scope="module")
def with_passwords(tmp_path_factory: pytest.TempPathFactory, image: tuple[MemorySource, str]) -> Iterator[str]:
    with peers.debian(tmp_path_factory.mktemp("htpasswd"), htpasswd=True) as host:
        peers.Pusher(host, lambda _: peers.BASIC).load(image[0], REPOSITORY)
        yield host


def asked(host: str, credentials: Credentials | None, *more: str, token_service: str = "") -> Registry:
    trusted = frozenset([host, *more])
    return connect(host, insecure=trusted, credentials=credentials, token_service=token_service)


def test_a_password_opens_it(with_passwords: str, image: tuple[MemorySource, str]) -> None:
    with asked(with_passwords, GOOD) as registry:
        assert registry.resolve(REPOSITORY, "latest") == image[1]
        assert list(registry.tags(REPOSITORY)) == ["latest"]
        assert discover(registry, REPOSITORY, image[1]).problems == ()


def test_without_a_password_it_says_that_it_wants_one(with_passwords: str) -> None:
    with asked(with_passwords, None) as registry, pytest.raises(Unauthorized, match="Add credentials for it"):
        registry.resolve(REPOSITORY, "latest")


def test_a_wrong_password_is_refused_by_name_and_nothing_is_taken_for_absent(
    with_passwords: str, image: tuple[MemorySource, str]
) -> None:
    with asked(with_passwords, WRONG) as registry:
        with pytest.raises(Unauthorized, match=r"refuses the credentials.*Check the credentials") as refusal:
            registry.resolve(REPOSITORY, "latest")
        assert "mistyped" not in str(refusal.value)
        with pytest.raises(Unauthorized):
            list(registry.tags("no/such"))
        assert len(discover(registry, REPOSITORY, image[1]).problems) == 3  # both classic tags, and the referrers


# -- authorisation by tokens ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service() -> Iterator[TokenService]:
    with TokenService(peers.USER, peers.PASSWORD) as running:
        yield running


@pytest.fixture(scope="module")
def with_tokens(
    tmp_path_factory: pytest.TempPathFactory, service: TokenService, image: tuple[MemorySource, str]
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("tokens")
    with peers.debian(folder, more=service.configuration(folder)) as host:
        pusher = peers.Pusher(host, lambda repository: f"Bearer {service.token(repository, 'pull', 'push')}")
        pusher.load(image[0], REPOSITORY)
        yield host


def test_one_token_of_its_service_opens_one_repository(
    with_tokens: str, service: TokenService, image: tuple[MemorySource, str]
) -> None:
    service.asked.clear()
    with asked(with_tokens, GOOD, service.host, token_service=service.host) as registry:
        assert registry.resolve(REPOSITORY, "latest") == image[1]
        assert list(registry.tags(REPOSITORY)) == ["latest"]
        assert discover(registry, REPOSITORY, image[1]).problems == ()
    ((query, _),) = service.asked
    assert "scope=repository%3Ateam%2Fapp%3Apull" in query
    assert "push" not in query


def test_a_token_service_that_nobody_listed_sees_no_password(with_tokens: str, service: TokenService) -> None:
    service.asked.clear()
    with (
        asked(with_tokens, GOOD, service.host) as registry,
        pytest.raises(Unauthorized, match=r"gives no token .* not sent there.* --token-service"),
    ):
        registry.resolve(REPOSITORY, "latest")
    assert [authorization for _, authorization in service.asked] == [""]


def test_a_wrong_password_gets_no_token_and_that_is_said(with_tokens: str, service: TokenService) -> None:
    with (
        asked(with_tokens, WRONG, service.host, token_service=service.host) as registry,
        pytest.raises(Unauthorized, match=r"gives no token for team/app .*answered 401.*Check the credentials"),
    ):
        registry.resolve(REPOSITORY, "latest")


def test_a_token_that_it_does_not_believe_is_a_refusal(with_tokens: str) -> None:
    """Signed by a service of another key, as after its keys were changed on one side."""
    with TokenService(peers.USER, peers.PASSWORD) as other:
        forged = Credentials("", other.token(REPOSITORY, "pull"), is_bearer=True)
        with asked(with_tokens, forged) as registry, pytest.raises(Unauthorized, match="does not let us read"):
            registry.resolve(REPOSITORY, "latest")
