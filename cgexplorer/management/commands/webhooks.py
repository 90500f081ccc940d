"""Webhooks: how each stands; remove one, or try one again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.models import Webhook
from cgexplorer.store.queries import webhooks as queries
from cgexplorer.store.record import webhooks as record


class Command(StoreCommand):
    help = "List the webhooks and what each was not told yet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", metavar="NAME", help="forget it, and what it was not told")
        parser.add_argument("--retry", metavar="NAME", help="tell it at once, also after it was given up")

    def handle(self, *args: Any, remove: str | None, retry: str | None, **options: Any) -> None:
        if remove:
            record.remove(_named(remove))
        if retry:
            record.again(_named(retry))
        columns = ("name", "host", "gave_up_at", "last_error", "pending")
        for name, host, gave_up_at, last_error, pending in queries.webhooks().values_list(*columns):
            state = f"given up on {gave_up_at:%Y-%m-%d %H:%M} UTC" if gave_up_at else "active"
            error = f": {last_error}" if last_error else ""
            self.stdout.write(f"{name} at {host}: {state}, {pending} waiting{error}")


def _named(name: str) -> Webhook:
    found = Webhook.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"No webhook is called {name}.")
    return found
