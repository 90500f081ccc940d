"""How often a registry is asked for one digest: each question once, and none whose answer is known."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cgexplorer.oci.evidence import Discovery, Kind, discover
from cgexplorer.oci.registry import Registry, connect
from cgexplorer.oci.signed_forms import SIMPLE_SIGNING
from tests.fakes.registry import FakeRegistry, Fault

REPOSITORY = "chainguard/go"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def registry(fake: FakeRegistry) -> Iterator[Registry]:
    with connect(fake.host, insecure=frozenset([fake.host])) as registry:
        yield registry


def payload(fake: FakeRegistry, digest: str, optional: dict[str, str] | None = None) -> bytes:
    """As cosign writes it."""
    identity, image = {"docker-reference": f"{fake.host}/{REPOSITORY}"}, {"docker-manifest-digest": digest}
    critical = {"identity": identity, "image": image, "type": "cosign container image signature"}
    return json.dumps({"critical": critical, "optional": optional}, separators=(",", ":")).encode()


def signed(fake: FakeRegistry, *payloads: bytes, digest: str) -> None:
    layers = [(SIMPLE_SIGNING, payload, {"number": str(number)}) for number, payload in enumerate(payloads)]
    fake.push_signed(REPOSITORY, layers, digest.replace(":", "-") + ".sig")


def asked(fake: FakeRegistry, registry: Registry, digest: str, only: Kind | None) -> tuple[Discovery, list[str]]:
    """What is found, and the sorted questions without their common part."""
    name, hexadecimal = f"{fake.host}/{REPOSITORY}", digest.removeprefix("sha256:")
    found = discover(registry, REPOSITORY, digest, name=name, only=only)
    questions = [f"{method} {path.removeprefix(f'/v2/{REPOSITORY}/')}" for method, path, _ in fake.requests]
    return found, sorted(question.replace(hexadecimal, "DIGEST") for question in questions)


def test_a_classic_signature_takes_two_requests(fake: FakeRegistry, registry: Registry) -> None:
    digest = fake.push_image(REPOSITORY)
    signed(fake, payload(fake, digest), digest=digest)
    found, questions = asked(fake, registry, digest, Kind.SIGNATURE)
    assert [one.content for one in found.evidence] == [payload(fake, digest)]
    assert questions == ["GET manifests/sha256-DIGEST.sig", "GET referrers/sha256:DIGEST"]


def test_attestations_take_one_more_and_so_does_a_registry_without_referrers(
    fake: FakeRegistry, registry: Registry
) -> None:
    digest = fake.push_image(REPOSITORY)
    fake.referrers_api = False
    signed(fake, payload(fake, digest), digest=digest)
    _, questions = asked(fake, registry, digest, None)
    assert questions == [
        "GET manifests/sha256-DIGEST",
        "GET manifests/sha256-DIGEST.att",
        "GET manifests/sha256-DIGEST.sig",
        "GET referrers/sha256:DIGEST",
    ]


def test_a_bundle_takes_its_manifest_and_its_layer_besides(fake: FakeRegistry, registry: Registry) -> None:
    digest = fake.push_image(REPOSITORY)
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}
    attached = fake.push_signed(REPOSITORY, [(BUNDLE, b'{"messageSignature": {}}', {})], subject=subject)
    found, questions = asked(fake, registry, digest, Kind.SIGNATURE)
    assert [one.kind for one in found.evidence] == [Kind.SIGNATURE]
    assert questions == sorted([
        f"GET blobs/{found.evidence[0].layer}", f"GET manifests/{attached}",
        "GET manifests/sha256-DIGEST.sig", "GET referrers/sha256:DIGEST",
    ])  # fmt: skip


def test_a_payload_that_many_signed_is_fetched_once(fake: FakeRegistry, registry: Registry) -> None:
    digest = fake.push_image(REPOSITORY)
    own = payload(fake, digest, {"run": "7"})
    signed(fake, own, own, own, digest=digest)
    found, questions = asked(fake, registry, digest, Kind.SIGNATURE)
    assert [(one.content, one.annotations["number"]) for one in found.evidence] == [(own, n) for n in "012"]
    assert [question for question in questions if "blobs" in question] == [f"GET blobs/{found.evidence[0].layer}"]


def test_a_payload_is_known_by_its_digest_alone(fake: FakeRegistry, registry: Registry) -> None:
    """Another image's usual payload, or one of the usual size, is fetched as it is."""
    digest = fake.push_image(REPOSITORY)
    copied = payload(fake, "sha256:" + "0" * 64)
    assert len(copied) == len(payload(fake, digest))
    signed(fake, copied, digest=digest)
    found, questions = asked(fake, registry, digest, Kind.SIGNATURE)
    assert [one.content for one in found.evidence] == [copied]
    assert len(questions) == 3


def test_where_nothing_lies_beside_an_image_it_is_asked_for_once_more(fake: FakeRegistry, registry: Registry) -> None:
    digest = fake.push_image(REPOSITORY)
    found, questions = asked(fake, registry, digest, Kind.SIGNATURE)
    assert found == Discovery(digest)
    assert questions == [
        "GET manifests/sha256-DIGEST.sig",
        "GET manifests/sha256:DIGEST",
        "GET referrers/sha256:DIGEST",
    ]


def test_a_proxy_that_has_lost_its_registry_proves_no_absence(fake: FakeRegistry, registry: Registry) -> None:
    """It answers 404 for everything (Traefik, while what is behind it starts)."""
    digest = fake.push_image(REPOSITORY)
    signed(fake, payload(fake, digest), digest=digest)
    fake.fault, fake.fault_at = Fault.NO_REPOSITORY, "/v2/"
    (problem,) = discover(registry, REPOSITORY, digest).problems
    assert problem.place == digest
    assert "once more" in problem.reason
