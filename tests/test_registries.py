"""What an administrator says of a registry, the credentials kept for it, and what becomes of them."""

from __future__ import annotations

import datetime as dt
import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from cgexplorer import registries
from cgexplorer.oci.errors import Refused, Unauthorized, Unreachable
from cgexplorer.oci.origin import PARALLEL_PER_HOST
from cgexplorer.oci.patience import Patience
from cgexplorer.store.models import Registry, RegistryCredential
from cgexplorer.store.record import registries as record
from tests.fakes.registry import FakeRegistry, Fault

pytestmark = pytest.mark.django_db
AT_ONCE = Patience(sleep=lambda _: None)
REPOSITORY = "team/app"


@pytest.fixture(autouse=True)
def no_docker_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        running.push_image(REPOSITORY, "latest")
        yield running


def add(monkeypatch: pytest.MonkeyPatch, *arguments: str, secret: str = "") -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(secret))
    call_command("add_registry", *arguments, stdout=out)
    return out.getvalue()


def add_with_password(monkeypatch: pytest.MonkeyPatch, host: str, *more: str, secret: str = "canary-pw\n") -> str:
    arguments = (host, "--access", "insecure", "--username", "robot", "--password-stdin", *more)
    return add(monkeypatch, *arguments, secret=secret)


def resolve(host: str) -> str:
    with registries.connect(host, patience=AT_ONCE) as source:
        return source.resolve(REPOSITORY, "latest")


def test_plain_http_and_a_private_address_need_a_listing(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused):
        resolve(fake.host)
    assert fake.requests == []
    assert "plain http" in add(monkeypatch, fake.host, "--access", "insecure")
    assert resolve(fake.host) == fake.repository(REPOSITORY).tags["latest"]
    add(monkeypatch, fake.host, "--access", "public")
    with pytest.raises(Refused):
        resolve(fake.host)


@pytest.mark.parametrize(
    ("host", "said", "is_led"),
    [
        ("public.example", {}, False),
        ("public.example", {"token_service": "127.0.0.1:5443"}, True),
        ("private.example", {"access": "private"}, True),
        ("private.example:443", {"access": "private"}, True),
    ],
)
def test_a_registry_that_nobody_listed_may_not_lead_to_one_that_is(
    host: str, said: dict[str, str], is_led: bool
) -> None:
    """By a redirect, or as its token service."""
    record.registry("127.0.0.1:5443", access="private")
    record.registry(host, **said)
    with registries.connect(host) as source, nullcontext() if is_led else pytest.raises(Refused, match="not public"):
        source._transport.origins.of("https://127.0.0.1:5443/v2/secret/manifests/latest")


def test_two_jobs_together_ask_a_host_for_three_things_at_a_time(fake: FakeRegistry) -> None:
    record.registry(fake.host, access="insecure")
    fake.latency_s = 0.02
    with (
        registries.connect(fake.host) as one,
        registries.connect(fake.host) as other,
        ThreadPoolExecutor(2 * PARALLEL_PER_HOST) as pool,
    ):
        answers = list(pool.map(lambda source: source.resolve(REPOSITORY, "latest"), [one, other] * 12))
    assert len(answers) == len(fake.requests) == 24
    assert fake.peak == PARALLEL_PER_HOST


def test_a_private_registry_is_asked_by_https_only(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, fake.host, "--access", "private")
    with pytest.raises(Unreachable, match="No connection"):  # it speaks no TLS
        resolve(fake.host)
    assert fake.requests == []


def test_stored_credentials_are_used_and_neither_stored_nor_logged_nor_shown_in_clear(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, client: Client
) -> None:
    fake.basic_auth, fake.token_auth = ("robot", "canary-pw"), True
    with caplog.at_level(logging.DEBUG):
        said = add_with_password(monkeypatch, fake.host)
        assert resolve(fake.host) == fake.repository(REPOSITORY).tags["latest"]
    pages = [client.get(path).getvalue().decode() for path in ("/registries/", "/registries.csv", "/registries.json")]
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(c)::text, encode(sealed, 'escape') FROM store_registrycredential c")
        stored = str(cursor.fetchall())
    for text in (said, caplog.text, *pages, stored, repr(RegistryCredential.objects.get())):
        assert "canary-pw" not in text
        assert "Y2FuYXJ5LXB3" not in text  # the same in base64
    assert "robot, set on " in pages[0]


@pytest.mark.parametrize("secret", ["", "\n", "a\0b", "x" * (65 << 10)])
def test_a_password_that_cannot_be_one_is_refused(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    with pytest.raises(CommandError):
        add_with_password(monkeypatch, "registry.example", secret=secret)
    assert not RegistryCredential.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("registry.example", "--password-stdin"),
        ("registry.example", "--username", "a", "--identity-token", "--password-stdin"),
        ("registry.example", "--username", "a:b", "--password-stdin"),
        ("registry.example", "--username", "a", "--forget-credentials"),
        ("not a host",),
        ("registry.example", "--token-service", "http://x/"),
    ],
)
def test_arguments_that_contradict_are_refused(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        add(monkeypatch, *arguments, secret="pw")


def test_an_identity_token_is_exchanged_for_a_token(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    fake.token_auth = True
    add(monkeypatch, fake.host, "--access", "insecure", "--identity-token", "--password-stdin", secret="refresh-canary")
    resolve(fake.host)
    assert [form for form in fake.forms if "refresh_token=refresh-canary" in form]
    page = client.get("/registries/").content.decode()
    assert "an identity token, set on" in page
    assert "refresh-canary" not in page


def test_forgotten_credentials_are_gone(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.basic_auth = ("robot", "canary-pw")
    add_with_password(monkeypatch, fake.host)
    assert "forgotten" in add(monkeypatch, fake.host, "--forget-credentials")
    with pytest.raises(Unauthorized):
        resolve(fake.host)


def test_another_secret_key_is_said_and_the_old_one_beside_it_opens(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    fake.basic_auth = ("robot", "canary-pw")
    add_with_password(monkeypatch, fake.host)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key"
    with pytest.raises(Unauthorized, match=r"another SECRET_KEY .* SECRET_KEY_FALLBACKS"):
        resolve(fake.host)
    assert fake.requests == []
    settings.SECRET_KEY_FALLBACKS = [old]
    resolve(fake.host)


def test_after_resealing_the_old_key_is_not_needed(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    fake.basic_auth = ("robot", "canary-pw")
    add_with_password(monkeypatch, fake.host)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", [settings.SECRET_KEY]
    out = io.StringIO()
    call_command("reseal_credentials", stdout=out)
    call_command("reseal_credentials", stdout=out)
    assert out.getvalue().splitlines() == [f"{n} encrypted with the present SECRET_KEY." for n in (1, 0)]
    settings.SECRET_KEY_FALLBACKS = []
    resolve(fake.host)


def test_what_no_key_opens_is_named_when_resealing(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    add_with_password(monkeypatch, "registry.example")
    settings.SECRET_KEY = "lost the old one"
    with pytest.raises(CommandError, match=r"registry\.example: .*another SECRET_KEY"):
        call_command("reseal_credentials", stdout=io.StringIO())


def test_credentials_moved_to_another_registrys_row_are_not_sent(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write to the database still cannot have a password delivered to a registry of their own."""
    add_with_password(monkeypatch, "registry.example")
    evil = record.registry(fake.host, access="insecure")
    RegistryCredential.objects.update(registry=evil)
    fake.basic_auth = ("robot", "canary-pw")
    with pytest.raises(Unauthorized, match="another place"):
        resolve(fake.host)
    assert fake.requests == []


def test_a_listed_token_service_may_see_the_credentials_and_no_other(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeRegistry() as service:
        service.basic_auth = ("robot", "canary-pw")
        fake.token_auth, fake.elsewhere = True, service.host
        fake.fault, fake.fault_at = Fault.REALM_ELSEWHERE, "nowhere"
        add(monkeypatch, service.host, "--access", "insecure")
        add_with_password(monkeypatch, fake.host)
        with pytest.raises(Unauthorized):  # asked without a password it gives no token
            resolve(fake.host)
        assert [sent for _, _, sent in service.requests] == [""]
        add(monkeypatch, fake.host, "--token-service", service.host)
        assert resolve(fake.host) == fake.repository(REPOSITORY).tags["latest"]


def test_a_registry_that_asked_for_silence_is_left_alone_until_then(fake: FakeRegistry, client: Client) -> None:
    record.registry(fake.host, access="insecure")
    fake.fault, fake.retry_after = Fault.TOO_MANY, "1800"
    with pytest.raises(Unreachable, match="429"):
        resolve(fake.host)
    fake.fault = Fault.NONE
    asked = len(fake.requests)
    with pytest.raises(Unreachable, match="does not want to be asked before") as refused:
        resolve(fake.host)
    assert refused.value.retry_after_s is not None
    assert 1700 < refused.value.retry_after_s <= 1800
    assert len(fake.requests) == asked
    assert "wants no question before" in client.get("/registries/").content.decode()
    Registry.objects.update(ask_again_at=timezone.now() - dt.timedelta(seconds=1))
    resolve(fake.host)


def test_that_a_registry_refuses_head_is_remembered_for_a_day(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.registry(fake.host, access="insecure")
    fake.fault, fake.fault_at = Fault.HEAD_REFUSED, "/manifests/"
    for _ in range(3):
        resolve(fake.host)
    assert [method for method, _, _ in fake.requests] == ["HEAD", "GET", "GET", "GET"]
    fake.requests.clear()
    monkeypatch.setattr(registries, "_REMEMBERED_S", 0)
    fake.fault = Fault.NONE
    for _ in range(2):
        resolve(fake.host)
    assert [method for method, _, _ in fake.requests] == ["HEAD", "HEAD"]
