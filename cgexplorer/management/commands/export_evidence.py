"""Everything about one digest in a file that others can check with stock cosign, without cgexplorer and a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cgexplorer import export
from cgexplorer.management.store_command import COULD_NOT_CHECK, StoreCommand
from cgexplorer.management.whole_file import whole_file
from cgexplorer.store.queries import references
from cgexplorer.store.queries.payloads import Damaged


class Command(StoreCommand):
    help = "Write the evidence bundle of a stored image: manage.py export_evidence REF --output evidence.zip"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", metavar="REF")
        parser.add_argument("--run", type=int, metavar="N", help="as this run judged, not the newest")
        parser.add_argument("--output", required=True, type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["output"]
        try:
            manifest = references.manifest(options["reference"])
        except references.UnknownReference as error:
            raise CommandError(str(error), returncode=COULD_NOT_CHECK) from error
        number = options["run"]
        run = manifest.runs.filter(pk=number).first() if number is not None else None
        if number is not None and run is None:
            raise CommandError(f"Run {number} did not verify this digest.")
        try:
            with whole_file(target) as file:
                export.write(manifest, file, run)
        except (export.TooLarge, Damaged) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{target}: evidence of {manifest.image.name}@{manifest.digest}")
