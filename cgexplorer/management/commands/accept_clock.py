"""Say that this machine's clock is right, although something that is stored has a later date."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.queries.clock import passed
from cgexplorer.store.record.clock import accept
from cgexplorer.verify import clock


class Command(StoreCommand):
    help = "After a time with a clock that ran ahead: believe it again. Without need nothing is changed."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if clock.doubt(passed(), now) is None:
            self.stdout.write(f"Nothing contradicts this machine's clock ({now:%Y-%m-%d %H:%M:%S} UTC).")
            return
        accept(now)
        if wrong := clock.doubt(passed(), now):
            raise CommandError(f"{wrong} Set the clock: nobody can accept it.")
        self.stdout.write(
            f"Accepted: it is {now:%Y-%m-%d %H:%M:%S} UTC. What was stored with a later date no longer counts."
        )
