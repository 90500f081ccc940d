"""Encrypt stored credentials with the present SECRET_KEY, so that older keys can be dropped."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from cgexplorer import registries
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.sealing import CannotOpen
from cgexplorer.store.models import Webhook
from cgexplorer.store.queries.registries import credentials
from cgexplorer.store.record.registries import reseal
from cgexplorer.store.record.webhooks import reseal as reseal_webhook


class Command(StoreCommand):
    help = "After a new SECRET_KEY: encrypt stored credentials and webhooks with it; older ones can be dropped then."

    def handle(self, *args: Any, **options: Any) -> None:
        box = registries.box()
        resealed, failures = 0, []
        for row in credentials():
            if box.is_newest(bytes(row.sealed)):
                continue
            try:
                reseal(row, box)
                resealed += 1
            except CannotOpen as error:
                failures.append(f"{row.registry.host}: {error}")
        for webhook in Webhook.objects.all():
            if box.is_newest(bytes(webhook.sealed)):
                continue
            try:
                reseal_webhook(webhook, box)
                resealed += 1
            except CannotOpen as error:
                failures.append(f"webhook {webhook.name}: {error}")
        self.stdout.write(f"{resealed} encrypted with the present SECRET_KEY.")
        if failures:
            raise CommandError("\n".join(failures))
