"""Registries that misbehave: each fault ends in an error of our own that says what happened, and nothing leaks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgexplorer.oci import addresses
from cgexplorer.oci.errors import (
    DigestMismatch,
    Malformed,
    NotFound,
    OciError,
    OutOfTime,
    Refused,
    TooLarge,
    Unauthorized,
    Unreachable,
)
from cgexplorer.oci.evidence import discover
from cgexplorer.oci.origin import Trusted
from cgexplorer.oci.registry import Registry, connect
from cgexplorer.oci.signed_forms import SIMPLE_SIGNING
from cgexplorer.oci.transport import Patience, Transport
from cgexplorer.stopping import Interrupted
from tests.fakes.registry import FakeRegistry, Fault

REPOSITORY = "chainguard/go"


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def elsewhere() -> Iterator[FakeRegistry]:
    with FakeRegistry() as other:
        other.push_image(REPOSITORY, "latest")
        yield other


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def registry(fake: FakeRegistry, slept: list[float]) -> Iterator[Registry]:
    patience = Patience(first_byte_s=0.2, exchange_s=0.3, sleep=slept.append)
    with connect(fake.host, insecure=frozenset([fake.host]), patience=patience) as registry:
        yield registry


ALWAYS: dict[Fault, type[OciError]] = {
    Fault.ERROR_500: Unreachable,
    Fault.TOO_MANY: Unreachable,
    Fault.FORBIDDEN: Unauthorized,
    Fault.UNAUTHORIZED_FOREVER: Unauthorized,
    Fault.UNAUTHORIZED_MUTE: Unauthorized,
    Fault.NO_REPOSITORY: NotFound,
    Fault.RESET: Unreachable,
    Fault.TRUNCATED: Unreachable,
    Fault.WRONG_BYTES: DigestMismatch,
    Fault.WRONG_TYPE: Malformed,
    Fault.SLOW_BODY: Unreachable,
    Fault.SILENT: Unreachable,
    Fault.GIANT_BODY: TooLarge,
    Fault.GIANT_DECLARED: TooLarge,
    Fault.GZIPPED: Malformed,
    Fault.REDIRECT_ELSEWHERE: Refused,
    Fault.REDIRECT_LOOP: Refused,
    Fault.REDIRECT_FILE: Refused,
    Fault.HTML: DigestMismatch,
    Fault.EMPTY: DigestMismatch,
    Fault.NOT_HTTP: Unreachable,
}


@pytest.mark.parametrize("fault", ALWAYS)
def test_each_fault_of_a_manifest_is_an_error_that_shows_nothing_of_the_registrys_text(
    fake: FakeRegistry, elsewhere: FakeRegistry, registry: Registry, fault: Fault
) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault, fake.fault_at, fake.elsewhere = fault, "/manifests/", elsewhere.host
    with pytest.raises(OciError) as caught:
        registry.manifest(REPOSITORY, digest)
    assert type(caught.value) is ALWAYS[fault]
    assert "canary" not in str(caught.value)
    assert "<" not in str(caught.value)
    assert elsewhere.requests == []


@pytest.mark.parametrize("fault", [fault for fault in ALWAYS if fault not in (Fault.NO_REPOSITORY, Fault.WRONG_TYPE)])
def test_each_fault_of_a_blob_is_an_error_of_ours(fake: FakeRegistry, registry: Registry, fault: Fault) -> None:
    blob = fake.push_blob(REPOSITORY, b"x" * 100)
    fake.fault, fake.fault_at, fake.elsewhere = fault, "/blobs/", "localhost:1"
    with pytest.raises(OciError):
        registry.blob(REPOSITORY, blob["digest"], blob["size"])


@pytest.mark.parametrize("fault", [fault for fault in ALWAYS if fault is not Fault.NO_REPOSITORY])
def test_a_fault_while_looking_for_signatures_is_a_problem_never_an_unsigned_image(
    fake: FakeRegistry, registry: Registry, fault: Fault
) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    tag = digest.replace(":", "-") + ".sig"
    fake.push_signed(REPOSITORY, [(SIMPLE_SIGNING, b"{}", {})], tag)
    fake.fault, fake.fault_at, fake.elsewhere = fault, f"/manifests/{tag}", "localhost:1"
    found = discover(registry, REPOSITORY, digest)
    assert found.evidence == ()
    assert [problem.place for problem in found.problems] == [tag]


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_500, Fault.TOO_MANY, Fault.FORBIDDEN, Fault.RESET, Fault.TRUNCATED, Fault.GIANT_BODY]
)
def test_a_failed_listing_of_referrers_is_a_problem(fake: FakeRegistry, registry: Registry, fault: Fault) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault, fake.fault_at = fault, "/referrers/"
    assert [problem.place for problem in discover(registry, REPOSITORY, digest).problems] == ["referrers"]


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.EMPTY, Fault.NO_REPOSITORY])
def test_a_page_of_html_in_place_of_referrers_leads_to_the_fallback_tag(
    fake: FakeRegistry, registry: Registry, fault: Fault
) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault, fake.fault_at = fault, "/referrers/"
    assert registry.referrers(REPOSITORY, digest) == ()
    assert fake.requests[-1][1].endswith(digest.replace(":", "-"))


def test_a_registry_that_answers_missing_tags_with_the_image_has_an_unsigned_image(
    fake: FakeRegistry, registry: Registry
) -> None:
    fake.referrers_api = False
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault, fake.fault_at = Fault.IMAGE_FOR_ANY_TAG, "/manifests/"
    found = discover(registry, REPOSITORY, digest)
    assert (found.evidence, found.problems) == ((), ())


@pytest.mark.parametrize("fault", [Fault.ERROR_503_ONCE, Fault.TOO_MANY_ONCE, Fault.RESET_ONCE])
def test_a_passing_fault_is_overcome(fake: FakeRegistry, registry: Registry, slept: list[float], fault: Fault) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault = fault
    assert registry.resolve(REPOSITORY, "latest") == digest
    assert len(slept) == 1


def test_retry_after_is_obeyed(fake: FakeRegistry, registry: Registry, slept: list[float]) -> None:
    fake.push_image(REPOSITORY, "latest")
    fake.fault = Fault.TOO_MANY
    with pytest.raises(Unreachable, match="5 times") as caught:
        registry.resolve(REPOSITORY, "latest")
    assert slept == [7, 7, 7, 7]
    assert caught.value.retry_after_s == 7


def test_no_request_waits_longer_than_it_may(fake: FakeRegistry) -> None:
    fake.push_image(REPOSITORY, "latest")
    fake.fault = Fault.TOO_MANY
    slept: list[float] = []
    patience = Patience(longest_wait_s=10, sleep=slept.append)
    with (
        connect(fake.host, insecure=frozenset([fake.host]), patience=patience) as registry,
        pytest.raises(Unreachable, match="2 times"),
    ):
        registry.resolve(REPOSITORY, "latest")
    assert slept == [7]


@pytest.mark.parametrize("fault", [Fault.ENDLESS_LINK, Fault.GROWING_LINK])
@pytest.mark.parametrize("path", ["/tags/", "/referrers/"])
def test_pages_without_end_are_malformed(fake: FakeRegistry, registry: Registry, fault: Fault, path: str) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault, fake.fault_at = fault, path
    if path == "/tags/":
        with pytest.raises(Malformed, match="never ends"):
            list(registry.tags(REPOSITORY))
    else:
        assert [problem.place for problem in discover(registry, REPOSITORY, digest).problems] == ["referrers"]


def test_pages_on_another_host_are_refused(fake: FakeRegistry, elsewhere: FakeRegistry, registry: Registry) -> None:
    fake.push_image(REPOSITORY, "latest")
    fake.fault, fake.fault_at, fake.elsewhere = Fault.LINK_ELSEWHERE, "/tags/", elsewhere.host
    with pytest.raises(Refused, match="another host"):
        list(registry.tags(REPOSITORY))
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.REALM_ELSEWHERE, Refused),
        (Fault.REALM_HTTP_PRIVATE, Refused),
        (Fault.TOKEN_NOT_JSON, Malformed),
        (Fault.TOKEN_GIANT, TooLarge),
    ],
)
def test_a_bad_token_service_is_an_error_and_never_sees_a_request_where_it_may_not(
    fake: FakeRegistry, elsewhere: FakeRegistry, registry: Registry, fault: Fault, error: type[OciError]
) -> None:
    fake.push_image(REPOSITORY, "latest")
    fake.token_auth = True
    fake.fault, fake.fault_at, fake.elsewhere = fault, "nowhere", elsewhere.host
    with pytest.raises(error):
        registry.resolve(REPOSITORY, "latest")
    assert elsewhere.requests == []


def both_listed(fake: FakeRegistry, elsewhere: FakeRegistry, tmp_path: Path) -> Registry:
    """Both hosts may be asked, so that only the rules for credentials stand between them."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {fake.host: {"username": "robot", "password": "canary"}}}))
    patience = Patience(sleep=lambda _: None)
    return connect(fake.host, insecure=frozenset([fake.host, elsewhere.host]), docker_config=path, patience=patience)


def test_a_redirect_to_another_allowed_host_is_followed_without_the_credentials(
    fake: FakeRegistry, elsewhere: FakeRegistry, tmp_path: Path
) -> None:
    fake.basic_auth = ("robot", "canary")
    blob = elsewhere.push_blob(REPOSITORY, b"x" * 100)
    with both_listed(fake, elsewhere, tmp_path) as registry:
        fake.push_image(REPOSITORY, "latest")
        registry.resolve(REPOSITORY, "latest")
        fake.fault, fake.fault_at, fake.elsewhere = Fault.REDIRECT_ELSEWHERE, "/blobs/", elsewhere.host
        assert registry.blob(REPOSITORY, blob["digest"], 100) == b"x" * 100
    assert [authorization for _, path, authorization in fake.requests if "/blobs/" in path] != [""]
    assert [authorization for _, _, authorization in elsewhere.requests] == [""]


def test_a_token_service_on_another_host_does_not_get_the_credentials(
    fake: FakeRegistry, elsewhere: FakeRegistry, tmp_path: Path
) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.token_auth = True
    fake.fault, fake.fault_at, fake.elsewhere = Fault.REALM_ELSEWHERE, "nowhere", elsewhere.host
    with both_listed(fake, elsewhere, tmp_path) as registry:
        assert registry.resolve(REPOSITORY, "latest") == digest
    assert [(path.partition("?")[0], sent) for _, path, sent in elsewhere.requests] == [("/token", "")]


def test_a_registry_that_is_not_there_is_unreachable() -> None:
    patience = Patience(sleep=lambda _: None)
    with (
        connect("127.0.0.1:9", insecure=frozenset(["127.0.0.1:9"]), patience=patience) as registry,
        pytest.raises(Unreachable, match="No connection"),
    ):
        registry.resolve(REPOSITORY, "latest")


def test_a_name_that_leads_elsewhere_the_second_time_is_not_asked_again(elsewhere: FakeRegistry) -> None:
    """DNS rebinding: what was checked is what is connected to, also when that connection fails."""
    answers = [["192.0.0.9"], ["127.0.0.1"], ["127.0.0.1"]]  # a public address where nobody listens, then loopback
    port = elsewhere.host.partition(":")[2]
    patience = Patience(connect_s=0.1, sleep=lambda _: None, attempts=3)
    host = f"registry.example:{port}"
    with (
        Registry(host, Transport(patience=patience, resolver=lambda *_: answers.pop(0))) as registry,
        pytest.raises(Unreachable),
    ):
        registry.resolve(REPOSITORY, "latest")
    assert len(answers) == 2
    assert elsewhere.requests == []


def test_a_redirect_to_a_name_with_a_private_address_is_refused(fake: FakeRegistry, elsewhere: FakeRegistry) -> None:
    fake.push_image(REPOSITORY, "latest")
    fake.fault, fake.fault_at = Fault.REDIRECT_TLS, "/manifests/"
    fake.elsewhere = elsewhere.host.replace("127.0.0.1", "inside.example")
    transport = Transport(trusted=Trusted(frozenset([fake.host])), resolver=lambda *_: ["127.0.0.1"])
    with Registry(fake.host, transport) as registry, pytest.raises(Refused, match="not public"):
        registry.resolve(REPOSITORY, "latest")
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("fault", "expected_s"),
    [
        (Fault.TOO_MANY_SILENT, None),
        (Fault.TOO_MANY_DATE, 1000),
        (Fault.TOO_MANY_PAST, 1),
        (Fault.TOO_MANY_ABSURD, 3600),
        (Fault.TOO_MANY_NEGATIVE, None),
        (Fault.TOO_MANY_WORDS, None),
    ],
)
def test_every_kind_of_retry_after_is_understood_or_counts_as_none(
    fake: FakeRegistry, registry: Registry, fault: Fault, expected_s: float | None
) -> None:
    fake.fault = fault
    with pytest.raises(Unreachable) as caught:
        registry.resolve(REPOSITORY, "latest")
    assert caught.value.retry_after_s == (expected_s and pytest.approx(expected_s, abs=60))


def test_docker_hub_writes_the_moment_in_seconds_as_retry_after(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault, fake.retry_after = Fault.TOO_MANY, str(int(time.time()) + 900)
    with pytest.raises(Unreachable) as caught:
        registry.resolve(REPOSITORY, "latest")
    assert caught.value.retry_after_s == pytest.approx(900, abs=60)


def test_a_host_that_used_up_all_attempts_gets_one_at_a_time_until_it_answers(
    fake: FakeRegistry, registry: Registry, slept: list[float]
) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault = Fault.ERROR_500
    for _ in range(2):
        with pytest.raises(Unreachable):
            registry.manifest(REPOSITORY, digest)
    assert len(slept) == 4
    fake.fault = Fault.NONE
    registry.manifest(REPOSITORY, digest)
    fake.fault = Fault.ERROR_500
    with pytest.raises(Unreachable, match="5 times"):
        registry.manifest(REPOSITORY, digest)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.SLOW_HEAD, Fault.SLOW_BODY, Fault.TOO_MANY])
def test_a_process_that_is_to_stop_waits_for_no_registry(fake: FakeRegistry, fault: Fault) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault = fault
    patience = Patience(stop=lambda: fake.hits[fault] > 0)
    with (
        connect(fake.host, insecure=frozenset([fake.host]), patience=patience) as registry,
        pytest.raises(Interrupted),
    ):
        discover(registry, REPOSITORY, digest)


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(addresses, "TIMEOUT_S", 0.05)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: asked.wait(30) and [])
    try:
        with connect("registry.example") as registry, pytest.raises(Unreachable, match="not known"):
            registry.resolve(REPOSITORY, "latest")
    finally:
        asked.set()


def test_nothing_more_is_asked_when_the_time_for_all_requests_is_spent(fake: FakeRegistry) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    now = [0.0]

    def wait(wait_s: float) -> None:
        now[0] += wait_s

    patience = Patience(together_s=5, clock=lambda: now[0], sleep=wait, jitter=lambda _, most: most)
    with connect(fake.host, insecure=frozenset([fake.host]), patience=patience) as registry:
        registry.manifest(REPOSITORY, digest)
        now[0] += 1000  # spent on what was read, not on asking
        fake.fault = Fault.ERROR_500
        with pytest.raises(OutOfTime, match="took more than 5 s for all that it was asked"):
            registry.manifest(REPOSITORY, digest)
        sent = len(fake.requests)
        assert sent == 4  # waits of 1, 2 and 4 seconds
        fake.fault = Fault.NONE
        with pytest.raises(OutOfTime):
            registry.manifest(REPOSITORY, digest)
        assert len(fake.requests) == sent
        assert isinstance(registry.failure, OutOfTime)


def test_an_answer_is_broken_off_when_the_time_for_all_requests_is_spent(fake: FakeRegistry) -> None:
    digest = fake.push_image(REPOSITORY, "latest")
    fake.fault = Fault.SLOW_BODY
    with (
        connect(fake.host, insecure=frozenset([fake.host]), patience=Patience(together_s=0.3)) as registry,
        pytest.raises(OutOfTime),
    ):
        registry.manifest(REPOSITORY, digest)
