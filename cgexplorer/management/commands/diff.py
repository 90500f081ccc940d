"""What changed between two images? The same answer as the page /compare/."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.queries.compare import compare
from cgexplorer.store.queries.references import UnknownReference
from cgexplorer.web import compare_report


class Command(StoreCommand):
    help = "Compare two stored images: manage.py diff cgr.dev/chainguard/go:1.25 cgr.dev/chainguard/go:1.26"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("before", metavar="A", help="reference or digest; name:tag~1 is what the tag meant before")
        parser.add_argument("after", metavar="B", help="reference or digest")
        parser.add_argument("--platform", default="", help="such as linux/arm64")
        parser.add_argument("--to-platform", default="", help="of B, when it is another than that of A")
        parser.add_argument("--format", choices=["text", "json", "markdown"], default="text")
        parser.add_argument(
            "--exit-code", action="store_true", help="exit with 2 when they differ, 3 when a side has no SBOM"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            difference = compare(
                options["before"], options["after"], options["platform"], options["to_platform"]
            ).difference
        except UnknownReference as error:
            raise CommandError(str(error)) from error
        if options["format"] == "json":
            self.stdout.write(difference.as_json().decode())
        elif options["format"] == "markdown":
            self.stdout.write(compare_report.as_markdown(difference), ending="")
        else:
            self.stdout.write(compare_report.as_text(difference))
        if options["exit_code"] and difference.differs:
            sys.exit(2)
        if options["exit_code"] and "packages" in difference.unknown:
            sys.exit(3)
