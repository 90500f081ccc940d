"""Who is told of drift, and what each was not told yet."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Webhook(models.Model):
    name = models.CharField(max_length=64, unique=True)
    host = models.CharField(max_length=255)  # of the address, for people; the address itself may be a secret
    sealed = models.BinaryField()  # JSON of address and secret, sealed
    created_at = models.DateTimeField(auto_now_add=True)
    failures = models.IntegerField(default=0)  # in a row
    last_error = models.CharField(max_length=500, blank=True)
    next_try_at = models.DateTimeField(null=True)  # null = at once
    gave_up_at = models.DateTimeField(null=True)  # until somebody says so, nothing more is sent
    delivered_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """An event that a webhook is to be told of; written with the event itself, so that none is missed."""

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    event = models.ForeignKey("store.DriftEvent", models.CASCADE, related_name="+")
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["webhook", "event"], name="webhook_told_once")]
        indexes = [models.Index(fields=["webhook", "id"], name="webhook_pending", condition=Q(delivered_at=None))]

    def __str__(self) -> str:
        return f"delivery {self.pk}"
