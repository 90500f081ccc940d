"""A registry that behaves: everything is found, checked, page after page, with and without authorisation."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgexplorer.oci import docker_config
from cgexplorer.oci.docker_config import Credentials
from cgexplorer.oci.errors import NotFound, ReferenceError, Refused, TooLarge, Unauthorized
from cgexplorer.oci.evidence import Kind, discover
from cgexplorer.oci.manifest import OCI_INDEX, OCI_MANIFEST
from cgexplorer.oci.reference import parse
from cgexplorer.oci.registry import Registry, connect
from cgexplorer.oci.signed_forms import SIMPLE_SIGNING
from cgexplorer.oci.transport import Patience, Transport
from tests.fakes.registry import FakeRegistry

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
AT_ONCE = Patience(sleep=lambda _: None)
REPOSITORY = "chainguard/go"


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def registry(fake: FakeRegistry) -> Iterator[Registry]:
    with connect(fake.host, insecure=frozenset([fake.host]), patience=AT_ONCE) as registry:
        yield registry


def config_for(tmp_path: Path, host: str, **entry: str) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {host: entry}}))
    return path


@pytest.mark.parametrize("head_tells_digest", [True, False])
def test_a_tag_resolves_to_the_digest_of_the_bytes(
    fake: FakeRegistry, registry: Registry, head_tells_digest: bool
) -> None:
    fake.head_tells_digest = head_tells_digest
    digest = fake.push_image(REPOSITORY, "latest")
    assert registry.resolve(REPOSITORY, "latest") == digest
    assert registry.manifest(REPOSITORY, digest).media_type == OCI_MANIFEST


def test_a_blob_has_exactly_the_bytes_of_its_digest(fake: FakeRegistry, registry: Registry) -> None:
    blob = fake.push_blob(REPOSITORY, b"payload" * 10_000)
    assert registry.blob(REPOSITORY, blob["digest"], blob["size"]) == b"payload" * 10_000


def test_an_empty_blob_is_a_blob(fake: FakeRegistry, registry: Registry) -> None:
    blob = fake.push_blob(REPOSITORY, b"")
    assert registry.blob(REPOSITORY, blob["digest"], 0) == b""


def test_what_is_not_there_is_not_found(fake: FakeRegistry, registry: Registry) -> None:
    fake.push_image(REPOSITORY, "latest")
    digest = "sha256:" + "0" * 64
    with pytest.raises(NotFound, match="the tag v9 of"):
        registry.resolve(REPOSITORY, "v9")
    with pytest.raises(NotFound):
        registry.manifest(REPOSITORY, digest)
    with pytest.raises(NotFound):
        registry.blob(REPOSITORY, digest, 1)
    with pytest.raises(NotFound):
        list(registry.tags("no/such"))


def test_tags_come_page_after_page(fake: FakeRegistry, registry: Registry) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    names = [f"v{n:03}" for n in range(25)]
    fake.repository(REPOSITORY).tags.update(dict.fromkeys(names, digest))
    fake.page_size = 4
    assert list(registry.tags(REPOSITORY)) == ["latest", *names]


@pytest.mark.parametrize("api", [True, False])
def test_referrers_come_from_the_api_or_else_from_the_fallback_tag(
    fake: FakeRegistry, registry: Registry, api: bool
) -> None:
    fake.referrers_api = api
    digest = fake.push_image(REPOSITORY, "latest")
    subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}
    attached = fake.push_signed(REPOSITORY, [(BUNDLE, b"{}", {})], subject=subject)
    if not api:
        entry = {"mediaType": OCI_MANIFEST, "digest": attached, "size": 1}
        fallback = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
        fake.push(REPOSITORY, fallback, digest.replace(":", "-"))
    assert [one.digest for one in registry.referrers(REPOSITORY, digest)] == [attached]
    assert [one.kind for one in discover(registry, REPOSITORY, digest).evidence] == [Kind.ATTESTATION]


@pytest.mark.parametrize("api", [True, False])
def test_an_unsigned_image_has_no_evidence_and_no_problem(fake: FakeRegistry, registry: Registry, api: bool) -> None:
    fake.referrers_api = api
    found = discover(registry, REPOSITORY, fake.push_image(REPOSITORY, "latest"))
    assert (found.evidence, found.problems) == ((), ())


def test_a_classic_signature_is_found(fake: FakeRegistry, registry: Registry) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.push_signed(REPOSITORY, [(SIMPLE_SIGNING, b"{}", {"a": "b"})], digest.replace(":", "-") + ".sig")
    (one,) = discover(registry, REPOSITORY, digest).evidence
    assert (one.kind, one.content, one.annotations) == (Kind.SIGNATURE, b"{}", {"a": "b"})


@pytest.mark.parametrize("repository", ["../x", "A/b", "a//b", "a/b?x", "a/b/../c", ""])
def test_a_name_that_is_no_repository_is_never_asked_for(
    fake: FakeRegistry, registry: Registry, repository: str
) -> None:
    with pytest.raises(ReferenceError):
        registry.resolve(repository, "latest")
    with pytest.raises(ReferenceError):
        registry.resolve(REPOSITORY, "../latest")
    with pytest.raises(ReferenceError):
        registry.manifest(REPOSITORY, "sha256:../x")
    assert fake.requests == []


def test_a_declared_giant_is_never_asked_for(fake: FakeRegistry, registry: Registry) -> None:
    with pytest.raises(TooLarge):
        registry.blob(REPOSITORY, "sha256:" + "0" * 64, 1 << 40)
    assert fake.requests == []


def test_one_anonymous_token_serves_one_repository(fake: FakeRegistry, registry: Registry) -> None:
    fake.token_auth = True
    for repository in ("a/x", "a/y"):
        digest = fake.push_image(repository, "latest")
        assert registry.resolve(repository, "latest") == digest
        assert registry.manifest(repository, digest).digest == digest
    tokens = [path for _, path, _ in fake.requests if path.startswith("/token")]
    assert len(tokens) == 2
    assert all("pull" in path and "push" not in path for path in tokens)


def test_parallel_questions_share_one_token(fake: FakeRegistry, registry: Registry) -> None:
    fake.token_auth = True
    discover(registry, REPOSITORY, fake.push_image(REPOSITORY, "latest"))
    assert len([path for _, path, _ in fake.requests if path.startswith("/token")]) == 1


def test_basic_credentials_come_from_dockers_configuration(fake: FakeRegistry, tmp_path: Path) -> None:
    fake.basic_auth = ("robot", "s3cret:with:colons")
    digest = fake.push_image(REPOSITORY, "latest")
    path = config_for(tmp_path, fake.host, auth=base64.b64encode(b"robot:s3cret:with:colons").decode())
    with connect(fake.host, insecure=frozenset([fake.host]), docker_config=path, patience=AT_ONCE) as registry:
        assert registry.resolve(REPOSITORY, "latest") == digest


def test_credentials_buy_a_token_from_the_registrys_own_token_service(fake: FakeRegistry, tmp_path: Path) -> None:
    fake.basic_auth, fake.token_auth = ("robot", "s3cret"), True
    digest = fake.push_image(REPOSITORY, "latest")
    path = config_for(tmp_path, fake.host, username="robot", password="s3cret")
    with connect(fake.host, insecure=frozenset([fake.host]), docker_config=path, patience=AT_ONCE) as registry:
        assert registry.resolve(REPOSITORY, "latest") == digest


@pytest.mark.parametrize("password", [None, "wrong-canary"])
def test_without_the_right_password_it_is_unauthorized_and_the_sentence_does_not_repeat_it(
    fake: FakeRegistry, tmp_path: Path, password: str | None
) -> None:
    fake.basic_auth = ("robot", "s3cret")
    fake.push_image(REPOSITORY, "latest")
    path = config_for(tmp_path, fake.host, username="robot", password=password) if password else None
    with (
        connect(fake.host, insecure=frozenset([fake.host]), docker_config=path, patience=AT_ONCE) as registry,
        pytest.raises(Unauthorized) as caught,
    ):
        registry.resolve(REPOSITORY, "latest")
    assert "canary" not in str(caught.value)


def test_credentials_are_never_shown() -> None:
    credentials = Credentials("robot", "canary")
    assert "canary" not in f"{credentials!r} {credentials} {[credentials]}"


def test_an_unreadable_docker_configuration_is_said_and_a_missing_one_is_nothing(tmp_path: Path) -> None:
    assert docker_config.credentials("cgr.dev", tmp_path / "none.json") is None
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(Unauthorized, match="cannot be read"):
        docker_config.credentials("cgr.dev", tmp_path / "config.json")


def test_docker_hub_is_found_under_its_old_name(tmp_path: Path) -> None:
    path = config_for(tmp_path, "https://index.docker.io/v1/", username="me", password="x")
    assert docker_config.credentials("docker.io", path) == Credentials("me", "x")
    assert docker_config.credentials("cgr.dev", path) is None


def test_a_credential_helper_is_asked_by_its_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-fake"
    helper.write_text(
        '#!/bin/sh\nread server\necho "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"for $server\\"}"\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "config.json"
    path.write_text('{"credHelpers": {"cgr.dev": "fake"}}')
    found = docker_config.credentials("cgr.dev", path)
    assert found is not None
    assert (found.is_identity_token, found.secret) == (True, "for cgr.dev")


@pytest.mark.parametrize("name", ["../evil", "a b", "x;id", "/bin/sh", "-x"])
def test_a_credential_helper_with_a_path_for_a_name_is_not_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": name}))
    with pytest.raises(Unauthorized, match="no name"):
        docker_config.credentials("cgr.dev", path)


def test_a_registry_that_is_not_listed_is_asked_by_https_only() -> None:
    asked: list[tuple[str, int]] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    with Registry("cgr.dev", Transport(resolver=resolver)) as registry, pytest.raises(Refused, match="not public"):
        registry.resolve("chainguard/go", "latest")
    assert asked == [("cgr.dev", 443)]


def test_docker_hub_is_asked_at_its_registry() -> None:
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.1"]

    reference = parse("alpine")
    with Registry(reference.registry, Transport(resolver=resolver)) as registry, pytest.raises(Refused):
        registry.resolve(reference.repository, reference.tag)
    assert asked == ["registry-1.docker.io"]


def test_a_loopback_registry_that_is_not_listed_is_refused(fake: FakeRegistry) -> None:
    with connect(fake.host, patience=AT_ONCE) as registry, pytest.raises(Refused):
        registry.resolve(REPOSITORY, "latest")
    assert fake.requests == []


def test_the_real_postgres_image_reads_the_same_from_a_registry(
    fake: FakeRegistry, registry: Registry, shared: Path
) -> None:
    fake.load_layout(shared / "chainguard-postgres" / "oci-layout", "chainguard/postgres")
    index = registry.manifest("chainguard/postgres", registry.resolve("chainguard/postgres", "latest"))
    arm64 = discover(registry, "chainguard/postgres", index.children[1].digest)
    assert [one.kind for one in arm64.evidence] == [Kind.SIGNATURE, *[Kind.ATTESTATION] * 3]
    assert arm64.problems == ()
