"""Keep a search: from now on an event says when its answer changes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cgexplorer.management.commands.search import add_search_arguments
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.spdx.query import QueryError
from cgexplorer.store.queries import saved_searches as queries
from cgexplorer.store.record import saved_searches as record
from cgexplorer.store.record.saved_searches import CannotSave, Wish
from cgexplorer.verify.errors import printable


class Command(StoreCommand):
    help = "Keep a search: manage.py save_search 'old openssl' 'openssl<3.3.2'"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("query", metavar="QUERY", help="as that of manage.py search")
        add_search_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        wish = Wish(
            options["query"],
            type=options["type"],
            scope=options["scope"],
            include_unverified=options["include_unverified"],
            by_part=options["contains"],
        )
        try:
            search = record.save(options["name"], wish, timezone.now())
        except (QueryError, CannotSave) as error:
            raise CommandError(printable(str(error))) from error
        row = queries.row(search)
        self.stdout.write(printable(f"Saved as “{search.name}”: {queries.said(search)}: {queries.headline(row)}."))
