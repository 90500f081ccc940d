"""Saved searches and their last answers; forget one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.queries import saved_searches as queries
from cgexplorer.store.record import saved_searches as record
from cgexplorer.verify.errors import printable


class Command(StoreCommand):
    help = "List the saved searches and what each finds now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", metavar="NAME", help="forget it; its events stay")

    def handle(self, *args: Any, remove: str | None, **options: Any) -> None:
        if remove is not None and not record.remove(name=remove):
            raise CommandError(printable(f"No search is saved as “{remove}”."))
        for row in queries.searches():
            when = (
                f"changed {row.changed_at:%Y-%m-%d %H:%M} UTC" if row.changed_at else "not changed since it was saved"
            )
            self.stdout.write(
                printable(f"{row.search.name}: {queries.said(row.search)}: {queries.headline(row)}, {when}")
            )
            if row.problem:
                self.stdout.write(printable(f"    its answer may be an old one: {row.problem}"))
