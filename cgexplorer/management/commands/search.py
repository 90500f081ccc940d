"""Where is this package? The same answer as the page /packages/."""

import io
import shlex
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cgexplorer import export
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.management.whole_file import whole_file
from cgexplorer.oci.digest import short
from cgexplorer.spdx.purl import full_name
from cgexplorer.spdx.query import QueryError, parse
from cgexplorer.store.queries.payloads import Damaged
from cgexplorer.store.queries.rows import one_snapshot
from cgexplorer.store.queries.search import MAX_EXPORT_ROWS, Answer, Hit, search
from cgexplorer.store.queries.universe import Blind
from cgexplorer.web import positions, search_evidence, search_report


def add_search_arguments(parser: CommandParser) -> None:
    parser.add_argument("--type", default="", help="package type, such as apk, deb or golang")
    parser.add_argument("--scope", choices=["current", "all"], default="current")
    parser.add_argument("--include-unverified", action="store_true")
    parser.add_argument("--contains", action="store_true", help="also names that only contain the query")


class Command(StoreCommand):
    help = "Search packages across images: manage.py search 'openssl<3.3.2'"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "query",
            help="name, name<version, vers: range, purl, CPE; license: supplier: checksum: role: type: name: narrow it",
        )
        add_search_arguments(parser)
        parser.add_argument("--limit", type=int, default=MAX_EXPORT_ROWS, metavar="N", help="rows, at most 100,000")
        parser.add_argument("--after", default="", metavar="NEXT", help="begin behind these rows: `next` of an answer")
        parser.add_argument("--evidence", type=Path, metavar="FILE.zip", help="also write the proofs of all hits there")
        parser.add_argument("--format", choices=["table", "csv", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        after = positions.parse(options["after"])
        if not 1 <= options["limit"] <= MAX_EXPORT_ROWS or (options["after"] and after is None):
            raise CommandError(f"--limit is from 1 to {MAX_EXPORT_ROWS:,}, and --after is `next` of an answer.")
        if options["evidence"] and (after or options["limit"] < MAX_EXPORT_ROWS):
            raise CommandError("--evidence is of the whole answer: leave out --limit and --after.")
        try:
            with one_snapshot():
                answer = search(
                    parse(options["query"], ecosystem=options["type"]),
                    scope=options["scope"],
                    include_unverified=options["include_unverified"],
                    by_part=options["contains"],
                    after=after,
                    limit=options["limit"],
                )
                if target := options["evidence"]:
                    with whole_file(target) as file:
                        search_evidence.write(answer, file, search_evidence.MAX_DIGESTS)
        except (QueryError, search_evidence.TooMany, export.TooLarge, Damaged) as error:
            raise CommandError(str(error)) from error
        getattr(self, options["format"])(answer)
        if answer.after is not None:
            behind = shlex.quote(positions.text(answer.after))
            self.stderr.write(f"Only {len(answer.hits):,} rows are shown; go on with --after {behind}")

    def json(self, answer: Answer) -> None:
        self.stdout.write(search_report.as_json(answer).decode())

    def csv(self, answer: Answer) -> None:
        for line in search_report.as_csv(answer):
            self.stdout.write(line, ending="")
        self.stderr.write(search_report.headline(answer))

    def table(self, answer: Answer) -> None:
        self.stdout.write(search_report.headline(answer))
        if answer.hits:
            self._rows(answer.hits)
        if answer.names.like_it:
            self.stdout.write(f"Did you mean {', '.join(_printable(name) for name in answer.names.like_it)}?")
        if hint := search_report.hint(answer):
            self.stderr.write(hint)
        if answer.unordered:
            self.stdout.write("\nVersions without a known order; whether they match is for you to judge:")
            self._rows(answer.unordered)
        if answer.unordered_cut_off:
            self.stdout.write(f"There are more of them than these {len(answer.unordered):,}.")
        universe = answer.universe
        self._blind("Not searched:", universe.blind, universe.blind_digests)
        self._blind("Searched in part:", universe.partly, universe.partly_digests)

    def _blind(self, heading: str, digests: tuple[Blind, ...], number: int) -> None:
        if digests:
            self.stdout.write(f"\n{heading}")
        for blind in digests:
            where = ":".join(filter(None, (blind.image, ", ".join(blind.tags))))
            what = " ".join(filter(None, (where, blind.platform, short(blind.digest))))
            self.stdout.write(f"  {what}: {blind.state}, {_printable(blind.reason)}")
        if hidden := number - len(digests):
            self.stdout.write(f"  and {hidden:,} more digests")

    def _rows(self, hits: tuple[Hit, ...]) -> None:
        table = Table(box=None, pad_edge=False)
        for column in ("version", "package", "image", "tags", "platform", "digest", "state", "matched by"):
            table.add_column(column, no_wrap=column != "tags", overflow="fold")
        for hit in hits:
            name = f"{hit.ecosystem} {full_name(hit.ecosystem, hit.namespace, hit.name)}"
            cells = (hit.version, name, hit.image, ", ".join(hit.tags), hit.platform, short(hit.digest), hit.state)
            # Text, not str: names from an SBOM are no markup. Control characters would drive the terminal.
            table.add_row(*(Text(_printable(cell)) for cell in (*cells, hit.matched_by)))
        # A pipe has no width: never cut what a script reads.
        drawn = io.StringIO()
        Console(file=drawn, width=None if self.stdout.isatty() else 400, highlight=False).print(table)
        self.stdout.write("\n".join(line.rstrip() for line in drawn.getvalue().splitlines()))


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)
