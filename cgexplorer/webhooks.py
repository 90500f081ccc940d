"""Tell webhooks of drift: signed, in order, again until they take it, never anywhere else than asked.

    POST <address>
    X-Cgexplorer-Timestamp: 1764000000
    X-Cgexplorer-Signature: v1=<hex of HMAC-SHA256(secret, "<timestamp>." + body)>

    {"schema": "cgexplorer.drift/1", "webhook": "<name>", "events": [...]}

An answer of 2xx takes all events of the request. What was taken and not answered comes again: `key` tells.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import logging
from collections.abc import Callable

import msgspec
from django.utils import timezone

from cgexplorer import registries
from cgexplorer.export import drift_event
from cgexplorer.oci.errors import OciError
from cgexplorer.oci.patience import Patience
from cgexplorer.oci.transport import Transport
from cgexplorer.sealing import CannotOpen
from cgexplorer.store.models import Webhook, WebhookDelivery
from cgexplorer.store.queries import webhooks as stored
from cgexplorer.store.record import webhooks as record
from cgexplorer.store.record.webhooks import Target

logger = logging.getLogger(__name__)
MAX_ANSWER_BYTES = 64 * 1024
ATTEMPTS, WHOLE_REQUEST_S = 1, 30.0


def deliver_due(clock: Callable[[], dt.datetime] = timezone.now) -> int:
    """Tell every webhook that waits for something and is due. How many events were taken."""
    return sum(deliver(webhook, clock) for webhook in stored.due(clock()))


def deliver(webhook: Webhook, clock: Callable[[], dt.datetime]) -> int:
    """How many events it took: all that wait, up to a request that fails, which is noted with its reason. Each request
    has the time of its own: a receiver refuses what was signed long ago."""
    taken = 0
    while deliveries := stored.next_deliveries(webhook):
        now = clock()
        try:
            _post(webhook, deliveries, now)
        except (OciError, CannotOpen, _Refused) as error:
            logger.warning("Webhook %s was not told: %s", webhook.name, error)
            record.failed(webhook, str(error), clock())
            break
        record.delivered(webhook, deliveries, clock())
        taken += len(deliveries)
    return taken


class _Refused(Exception):
    """It answered, and not with 2xx."""


def _post(webhook: Webhook, deliveries: list[WebhookDelivery], now: dt.datetime) -> None:
    opened = registries.box().open(bytes(webhook.sealed), place=record.place(webhook.name))
    target = msgspec.json.decode(opened, type=Target)
    events = [drift_event.row(one.event) for one in deliveries]
    body = msgspec.json.encode({"schema": drift_event.SCHEMA, "webhook": webhook.name, "events": events})
    patience = Patience(attempts=ATTEMPTS, exchange_s=WHOLE_REQUEST_S)
    with Transport(trusted=registries.trusted(), patience=patience) as transport:
        answer = transport.send(
            "POST", target.url, json=body, more=signed(target.secret, body, now), max_bytes=MAX_ANSWER_BYTES
        )
    if not 200 <= answer.status < 300:
        raise _Refused(f"{webhook.host} answered {answer.status}.")


def signed(secret: str, body: bytes, now: dt.datetime) -> dict[str, str]:
    timestamp = str(int(now.timestamp()))
    signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Cgexplorer-Timestamp": timestamp, "X-Cgexplorer-Signature": f"v1={signature}"}
