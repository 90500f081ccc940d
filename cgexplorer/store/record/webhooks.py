"""Webhooks and what they are still to be told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
from django.db import connection, transaction

from cgexplorer.sealing import Box
from cgexplorer.store.models import DriftEvent, Webhook, WebhookDelivery
from cgexplorer.store.record.text import storable

MAX_FAILURES = 12  # in a row: the pauses come to about a day and a half
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30, 6 * 3600


# Django knows no FOR KEY SHARE, which lets a webhook be told meanwhile, and not be removed.
_QUEUE = """
INSERT INTO store_webhookdelivery (webhook_id, event_id)
SELECT webhook.id, event FROM (SELECT id FROM store_webhook ORDER BY id FOR KEY SHARE) AS webhook, unnest(%s) AS event
"""


class Target(msgspec.Struct, frozen=True):
    url: str
    secret: str


def place(name: str) -> str:
    """What a target is sealed for."""
    return f"webhook {name}"


def add(name: str, host: str, target: Target, box: Box) -> Webhook:
    """A new webhook, or a new address of a known one, which then begins anew."""
    sealed = box.seal(msgspec.json.encode(target).decode(), place=place(name))
    fields = {"host": storable(host, 255), "sealed": sealed, "failures": 0, "last_error": ""}
    fields |= {"next_try_at": None, "gave_up_at": None}
    return Webhook.objects.update_or_create(name=name, defaults=fields)[0]


def reseal(webhook: Webhook, box: Box) -> None:
    """Raises CannotOpen."""
    opened = box.open(bytes(webhook.sealed), place=place(webhook.name))
    Webhook.objects.filter(pk=webhook.pk).update(sealed=box.seal(opened, place=place(webhook.name)))


def queue(events: Sequence[DriftEvent]) -> None:
    """To every webhook these events. Call in the transaction that records them.

    Whoever removes one of them meanwhile waits for its end; else that would take the recorded look back.
    """
    if not events:
        return
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, [[event.pk for event in events]])


@transaction.atomic
def remove(webhook: Webhook) -> None:
    """Tell it nothing more. Waits for what is recorded at this moment, whose deliveries it then removes, too."""
    Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    webhook.delete()


def delivered(webhook: Webhook, deliveries: Sequence[WebhookDelivery], now: dt.datetime) -> None:
    WebhookDelivery.objects.filter(pk__in=[one.pk for one in deliveries]).update(delivered_at=now)
    Webhook.objects.filter(pk=webhook.pk).update(failures=0, last_error="", next_try_at=None, delivered_at=now)


def failed(webhook: Webhook, why: str, now: dt.datetime) -> None:
    """Wait twice as long as the last time; after many failures in a row give up until somebody tries again."""
    failures = webhook.failures + 1
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (failures - 1))
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=failures,
        last_error=storable(why, 500),
        next_try_at=now + dt.timedelta(seconds=pause_s),
        gave_up_at=now if failures >= MAX_FAILURES else None,
    )


def again(webhook: Webhook) -> None:
    Webhook.objects.filter(pk=webhook.pk).update(failures=0, next_try_at=None, gave_up_at=None)
