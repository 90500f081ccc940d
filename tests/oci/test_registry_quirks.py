"""Honest registries that differ: each peculiarity by the name of who has it, and a real answer all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cgexplorer.oci.docker_config import Credentials
from cgexplorer.oci.errors import Malformed, NotFound
from cgexplorer.oci.evidence import Form, Kind, discover
from cgexplorer.oci.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST
from cgexplorer.oci.origin import Trusted
from cgexplorer.oci.patience import Patience
from cgexplorer.oci.registry import Registry, connect
from cgexplorer.oci.signed_forms import SIMPLE_SIGNING
from cgexplorer.oci.transport import Transport
from tests.fakes.registry import FakeRegistry, Fault

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
REPOSITORY = "team/app"
AT_ONCE = Patience(sleep=lambda _: None)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def registry(fake: FakeRegistry) -> Iterator[Registry]:
    with connect(fake.host, insecure=frozenset([fake.host]), patience=AT_ONCE) as registry:
        yield registry


def sign(fake: FakeRegistry, digest: str) -> None:
    fake.push_signed(REPOSITORY, [(SIMPLE_SIGNING, b"{}", {})], digest.replace(":", "-") + ".sig")


# -- referrers --------------------------------------------------------------------------------------------------------


def test_distribution_zot_and_harbor_without_a_referrers_api_are_asked_for_the_fallback_tag(
    fake: FakeRegistry, registry: Registry
) -> None:
    fake.referrers_api = False
    digest = fake.push_image(REPOSITORY, "latest")
    subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}
    attached = fake.push_signed(REPOSITORY, [(BUNDLE, b"{}", {})], subject=subject)
    entry = {"mediaType": OCI_MANIFEST, "digest": attached, "size": 1}
    fallback = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    fake.push(REPOSITORY, fallback, digest.replace(":", "-"))
    for status in (400, 404, 405, 406, 501):
        fake.referrers_status = status
        assert [one.digest for one in registry.referrers(REPOSITORY, digest)] == [attached]


def test_ghcr_sends_questions_for_referrers_to_a_web_page_which_is_not_asked(
    fake: FakeRegistry, registry: Registry
) -> None:
    with FakeRegistry() as page:
        fake.referrers_api, fake.referrers_status, fake.elsewhere = False, 303, page.host
        assert registry.referrers(REPOSITORY, fake.push_image(REPOSITORY, "latest")) == ()
        assert page.requests == []


@pytest.mark.parametrize("kind", ["an image, as GHCR", "an index, as GitLab"])
def test_ghcr_and_gitlab_answer_a_missing_fallback_tag_with_the_image_itself(
    fake: FakeRegistry, registry: Registry, kind: str
) -> None:
    """The children of an index are not attached to it."""
    fake.referrers_api = False
    digest = fake.push_image(REPOSITORY, "latest")
    if kind.startswith("an index"):
        entry = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}
        digest = fake.push(REPOSITORY, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}, "latest")
    fake.fault, fake.fault_at = Fault.IMAGE_FOR_ANY_TAG, "/manifests/"
    found = discover(registry, REPOSITORY, digest)
    assert (found.evidence, found.problems) == ((), ())


def test_an_artifact_manifest_of_the_withdrawn_specification_is_read(fake: FakeRegistry, registry: Registry) -> None:
    """ORAS and Notation pushed these to Azure, Harbor and zot before OCI 1.1 was final."""
    digest = fake.push_image(REPOSITORY, "latest")
    blob = {**fake.push_blob(REPOSITORY, b"{}"), "mediaType": BUNDLE}
    subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}
    fake.push(REPOSITORY, {"mediaType": OCI_ARTIFACT, "artifactType": BUNDLE, "blobs": [blob], "subject": subject})
    (one,) = discover(registry, REPOSITORY, digest).evidence
    assert (one.form, one.kind) == (Form.BUNDLE, Kind.ATTESTATION)


# -- HEAD -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.HEAD_REFUSED, id="405, as distribution once with tokens"),
        pytest.param(Fault.HEAD_FORBIDDEN, id="403, as registry.centos.org"),
        pytest.param(Fault.HEAD_NOT_FOUND, id="404, as Nexus"),
    ],
)
def test_a_registry_that_does_not_answer_head_is_asked_by_get(
    fake: FakeRegistry, registry: Registry, fault: Fault
) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    sign(fake, digest)
    fake.fault, fake.fault_at = fault, "/manifests/"
    assert registry.resolve(REPOSITORY, "latest") == digest
    assert len(discover(registry, REPOSITORY, digest).evidence) == 1
    with pytest.raises(NotFound):
        registry.resolve(REPOSITORY, "v9")


def test_where_head_tells_the_truth_a_missing_tag_costs_one_request(fake: FakeRegistry, registry: Registry) -> None:
    fake.push_image(REPOSITORY, "latest")
    for tag in ("v1", "v2", "v3"):
        with pytest.raises(NotFound):
            registry.resolve(REPOSITORY, tag)
    assert [method for method, _, _ in fake.requests] == ["HEAD", "GET", "HEAD", "HEAD"]


def test_a_missing_tag_does_not_make_believe_that_head_is_answered(fake: FakeRegistry, registry: Registry) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault, fake.fault_at = Fault.HEAD_REFUSED, "/manifests/"
    with pytest.raises(NotFound):
        registry.resolve(REPOSITORY, "v9")
    assert [registry.resolve(REPOSITORY, "latest") for _ in range(3)] == [digest] * 3
    assert [method for method, _, _ in fake.requests] == ["HEAD", "GET", "HEAD", "GET", "GET", "GET"]


def test_ecr_once_did_not_say_the_digest_of_a_tag(fake: FakeRegistry, registry: Registry) -> None:
    fake.head_tells_digest = False
    digest = fake.push_image(REPOSITORY, "latest")
    assert registry.resolve(REPOSITORY, "latest") == digest


# -- tag lists --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tags(fake: FakeRegistry) -> list[str]:
    digest = fake.push_image(REPOSITORY)
    names = [f"v{n:03}" for n in range(25)]
    fake.repository(REPOSITORY).tags.update(dict.fromkeys(names, digest))
    fake.page_size = 10
    return names


def test_quay_harbor_and_distribution_link_relatively(registry: Registry, tags: list[str]) -> None:
    assert list(registry.tags(REPOSITORY)) == tags


def test_ecr_and_artifact_registry_link_with_their_full_address(
    fake: FakeRegistry, registry: Registry, tags: list[str]
) -> None:
    fake.link_base = f"http://{fake.host}"
    assert list(registry.tags(REPOSITORY)) == tags


def test_a_registry_behind_a_proxy_that_links_to_itself_without_its_port_is_asked_where_it_is(
    fake: FakeRegistry, registry: Registry, tags: list[str]
) -> None:
    fake.link_base = "http://127.0.0.1"
    assert list(registry.tags(REPOSITORY)) == tags


def test_artifact_registry_without_link_gives_all_at_once(
    fake: FakeRegistry, registry: Registry, tags: list[str]
) -> None:
    fake.page_size = 1000
    assert list(registry.tags(REPOSITORY)) == tags


def test_a_registry_that_gives_fewer_at_a_time_is_asked_without_a_number(
    fake: FakeRegistry, registry: Registry, tags: list[str]
) -> None:
    """ECR and distribution refuse an `n` above their own limit."""
    fake.max_page = 100
    assert list(registry.tags(REPOSITORY)) == tags


@pytest.mark.parametrize("number", [999, 1000, 2000, 2500])
def test_a_list_that_is_cut_without_a_link_is_read_on_after_its_last_tag(
    fake: FakeRegistry, registry: Registry, tags: list[str], number: int
) -> None:
    """go-containerregistry's (`crane registry serve`), which begins anew after the last tag of all."""
    fake.repository(REPOSITORY).tags = dict.fromkeys([f"v{n:04}" for n in range(number)], next(iter(tags)))
    fake.page_size, fake.links, fake.begins_anew = 1000, False, True
    assert list(registry.tags(REPOSITORY)) == [f"v{n:04}" for n in range(number)]


# -- media types ------------------------------------------------------------------------------------------------------


def test_docker_hub_has_manifests_of_docker_v2_and_cosign_signs_these_too(
    fake: FakeRegistry, registry: Registry
) -> None:
    image = fake.push_image(REPOSITORY, mediaType=DOCKER_MANIFEST)
    entry = {
        "mediaType": DOCKER_MANIFEST,
        "digest": image,
        "size": 1,
        "platform": {"os": "linux", "architecture": "s390x"},
    }
    digest = fake.push(REPOSITORY, {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [entry]}, "latest")
    sign(fake, digest)
    found = registry.manifest(REPOSITORY, registry.resolve(REPOSITORY, "latest"))
    assert (found.is_index, str(found.children[0].platform)) == (True, "linux/s390x")
    assert registry.manifest(REPOSITORY, image).media_type == DOCKER_MANIFEST
    assert len(discover(registry, REPOSITORY, digest).evidence) == 1


def test_quay_has_manifests_of_docker_v1_which_are_refused_by_name(fake: FakeRegistry, registry: Registry) -> None:
    old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    digest = fake.push(REPOSITORY, b'{"schemaVersion": 1, "fsLayers": []}', "latest", old)
    with pytest.raises(Malformed):
        registry.manifest(REPOSITORY, digest)


# -- authorisation ----------------------------------------------------------------------------------------------------


def test_a_registry_token_of_dockers_configuration_is_sent_as_it_is(fake: FakeRegistry) -> None:
    fake.token_auth = True
    digest = fake.push_image(REPOSITORY, "latest")
    token = Credentials("", f"T-repository:{REPOSITORY}:pull", is_bearer=True)
    transport = Transport(trusted=Trusted(frozenset([fake.host])), patience=AT_ONCE)
    with Registry(fake.host, transport, token) as registry:
        assert registry.resolve(REPOSITORY, "latest") == digest
    assert not [path for _, path, _ in fake.requests if path.startswith("/token")]


def test_ecr_wants_basic_authorisation(fake: FakeRegistry) -> None:
    fake.basic_auth = ("AWS", "canary")
    digest = fake.push_image(REPOSITORY, "latest")
    with connect(
        fake.host, insecure=frozenset([fake.host]), credentials=Credentials("AWS", "canary"), patience=AT_ONCE
    ) as registry:
        assert registry.resolve(REPOSITORY, "latest") == digest
