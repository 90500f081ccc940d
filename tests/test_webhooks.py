"""Webhooks, told by real HTTP."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from cgexplorer import registries, webhooks
from cgexplorer.store.models import DriftEvent, Manifest, Webhook, WebhookDelivery
from cgexplorer.store.queries import webhooks as queries
from cgexplorer.store.record import registries as registry_record
from cgexplorer.store.record import tags
from cgexplorer.store.record import webhooks as record
from cgexplorer.store.record.webhooks import Target
from tests.at_once import together
from tests.store import factories as make
from tests.working import until

pytestmark = pytest.mark.django_db


class Receiver(ThreadingHTTPServer):
    """Keeps what it was sent; answers with the next of `answers`, then 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.answers: list[tuple[int, str]] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, {name.lower(): text for name, text in self.headers.items()}, body))
        status, location = self.server.answers.pop(0) if self.server.answers else (204, "")
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def hook(receiver: Receiver, *, listed: bool = True) -> Webhook:
    if listed:
        registry_record.registry(receiver.host, access="insecure")
    target = Target(f"http://{receiver.host}/drift?team=a", "s3cret")
    return record.add("team-a", "127.0.0.1", target, registries.box())


def drifted(seed: str = "1") -> DriftEvent:
    """A tag that moved, as ingestion notices it."""
    image = make.image()
    known = set(DriftEvent.objects.values_list("pk", flat=True))
    for number, name in enumerate((f"old {seed}", f"new {seed}")):
        manifest: Manifest = make.manifest(image, name)
        tags.observe(image, {f"t{seed}": manifest}, make.NOW + dt.timedelta(hours=number))
    return DriftEvent.objects.exclude(pk__in=known).get()


def at(now: dt.datetime) -> Callable[[], dt.datetime]:
    return lambda: now


def test_an_event_is_told_once_and_signed(receiver: Receiver) -> None:
    hook(receiver)
    event, now = drifted(), timezone.now()
    assert webhooks.deliver_due(at(now)) == 1
    assert webhooks.deliver_due(at(now)) == 0
    ((path, headers, body),) = receiver.got
    assert path == "/drift?team=a"
    said = json.loads(body)
    assert (said["schema"], said["webhook"]) == ("cgexplorer.drift/1", "team-a")
    assert [one["key"] for one in said["events"]] == [str(event.key)]
    stamp = headers["x-cgexplorer-timestamp"]
    wanted = hmac.new(b"s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["x-cgexplorer-signature"] == f"v1={wanted}"
    assert headers["content-type"] == "application/json"


def test_each_request_has_the_time_of_its_own(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_EVENTS", 1)
    hook(receiver)
    drifted("1")
    drifted("2")
    minutes = itertools.count()
    assert webhooks.deliver_due(lambda: make.NOW + dt.timedelta(minutes=next(minutes))) == 2
    first, second = (int(headers["x-cgexplorer-timestamp"]) for _, headers, _ in receiver.got)
    assert second - first == 120  # a minute to sign, a minute until it was taken


@pytest.mark.django_db(transaction=True)
def test_removing_a_webhook_while_a_look_is_recorded_takes_nothing_of_it_back(receiver: Receiver) -> None:
    gone = hook(receiver)
    is_recorded, is_waiting = threading.Event(), threading.Event()

    def look() -> None:
        with transaction.atomic():
            drifted()
            is_recorded.set()
            is_waiting.wait(30)

    def remove() -> None:
        is_recorded.wait(30)
        record.remove(gone)

    def watch() -> None:
        is_recorded.wait(30)
        until(_somebody_waits, "the removal to wait")
        is_waiting.set()

    assert together(look, remove, watch) == []
    assert DriftEvent.objects.count() == 1
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def test_what_happened_before_the_webhook_is_not_told(receiver: Receiver) -> None:
    drifted("1")
    hook(receiver)
    drifted("2")
    assert webhooks.deliver_due() == 1


def test_a_failure_is_tried_again_later_and_nothing_is_lost(receiver: Receiver) -> None:
    hook(receiver)
    drifted()
    receiver.answers = [(500, "")]
    now = timezone.now()
    assert webhooks.deliver_due(at(now)) == 0
    assert "answered 500" in Webhook.objects.get().last_error
    assert webhooks.deliver_due(at(now)) == 0
    assert len(receiver.got) == 1
    assert webhooks.deliver_due(at(now + dt.timedelta(minutes=1))) == 1
    assert (Webhook.objects.get().failures, Webhook.objects.get().last_error) == (0, "")


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    hook(receiver)
    drifted()
    receiver.answers = [(307, f"http://{receiver.host}/elsewhere")]
    assert webhooks.deliver_due() == 0
    assert [path for path, _, _ in receiver.got] == ["/drift?team=a"]
    assert "answered 307" in Webhook.objects.get().last_error


def test_a_private_address_is_not_told_unless_it_is_listed(receiver: Receiver) -> None:
    hook(receiver, listed=False)
    drifted()
    assert webhooks.deliver_due() == 0
    assert receiver.got == []
    assert Webhook.objects.get().last_error


def test_after_many_failures_it_is_given_up_until_somebody_says_so(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    hook(receiver)
    drifted()
    receiver.answers = [(503, "")] * record.MAX_FAILURES
    now = timezone.now()
    for _ in range(record.MAX_FAILURES):
        now += dt.timedelta(days=1)
        assert webhooks.deliver_due(at(now)) == 0
    assert webhooks.deliver_due(at(now + dt.timedelta(days=9))) == 0
    assert len(receiver.got) == record.MAX_FAILURES
    call_command("webhooks", "--retry", "team-a")
    assert "1 waiting" in capsys.readouterr().out
    assert webhooks.deliver_due(at(now)) == 1


def test_an_event_that_is_rolled_back_is_not_told(receiver: Receiver) -> None:
    hook(receiver)
    with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012
        drifted()
        raise RuntimeError
    assert WebhookDelivery.objects.count() == 0


def test_the_secret_is_shown_once_and_never_stored_in_the_clear(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("add_webhook", "team-b", "https://hooks.example/T0/secret-path")
    secret = capsys.readouterr().out.rsplit(": ", 1)[1].strip()
    stored = Webhook.objects.get()
    assert secret.encode() not in bytes(stored.sealed)
    assert b"secret-path" not in bytes(stored.sealed)
    call_command("webhooks")
    shown = capsys.readouterr().out
    assert "team-b at hooks.example: active, 0 waiting" in shown
    assert secret not in shown
    call_command("webhooks", "--remove", "team-b")
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "https://", "https://user:word@host/", "https://[", "no url", "https://ü/"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CommandError, match="must look like"):
        call_command("add_webhook", "x", url)


def test_secrets_are_sealed_anew_with_a_new_key(receiver: Receiver, settings) -> None:
    hook(receiver)
    drifted()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key " * 5
    call_command("reseal_credentials")
    settings.SECRET_KEY_FALLBACKS = []
    assert webhooks.deliver_due() == 1
