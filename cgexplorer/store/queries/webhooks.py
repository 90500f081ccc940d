"""Webhooks: all of them with what waits, those that are due, and what one is to be told next."""

from __future__ import annotations

import datetime as dt

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from cgexplorer.store.models import Webhook, WebhookDelivery

MAX_EVENTS = 100  # of one request


def webhooks() -> QuerySet[Webhook]:
    """By name, each with `pending`: how many events it was not told yet."""
    return Webhook.objects.annotate(pending=Count("deliveries", Q(deliveries__delivered_at=None))).order_by("name")


def due(now: dt.datetime) -> QuerySet[Webhook]:
    waiting = WebhookDelivery.objects.filter(webhook=OuterRef("pk"), delivered_at=None)
    in_time = Q(next_try_at=None) | Q(next_try_at__lte=now)
    return Webhook.objects.filter(in_time, Exists(waiting), gave_up_at=None).order_by("pk")


def next_deliveries(webhook: Webhook) -> list[WebhookDelivery]:
    pending = WebhookDelivery.objects.filter(webhook=webhook, delivered_at=None).order_by("pk")
    return list(pending.select_related("event__image", "event__manifest_before", "event__manifest")[:MAX_EVENTS])
