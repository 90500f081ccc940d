"""Check that the stored rows agree with each other, and the stored bytes with their digests."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.queries import consistency


class Command(StoreCommand):
    help = "Check that the stored rows agree with each other. Exit code 1 when some do not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bytes", action="store_true", help="also read all stored bytes and check their digests")

    def handle(self, *args: Any, **options: Any) -> None:
        found = [*consistency.violations(), *(consistency.damaged() if options["bytes"] else ())]
        for one in found:
            self.stderr.write(f"Not so: {one.rule}. {one.count} rows, for example {', '.join(one.examples)}.")
        if found:
            raise CommandError(f"{len(found)} rules are broken. Restore a backup, or report this with the lines above.")
        self.stdout.write("Everything agrees.")
