"""Fetch, verify and keep images now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cgexplorer import ingest, jobs, registries
from cgexplorer.management import telling
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError, Unreachable
from cgexplorer.oci.reference import Reference

COULD_NOT_CHECK = 3


class Command(StoreCommand):
    help = "Fetch images from their registries with signatures and attestations, verify and keep them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("references", nargs="+", metavar="REF")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wanted = [references.parse(text) for text in options["references"]]
        except OciError as error:
            raise CommandError(str(error)) from error
        failures = [failure for reference in wanted if (failure := self.add(reference))]
        if failures:
            unanswered = all(isinstance(failure, Unreachable) for failure in failures)
            said = "\n".join(map(str, failures))
            raise CommandError(said, returncode=COULD_NOT_CHECK if unanswered else 1)

    def add(self, reference: Reference) -> OciError | None:
        """What went wrong, if something did. The other references are still fetched."""
        try:
            with (
                telling.watched() as progress,
                registries.connect(reference) as source,
            ):
                report = ingest.ingest(reference, source, trigger="ingest", now=timezone.now(), progress=progress)
        except OciError as error:
            return error
        for line in telling.lines(report):
            self.stdout.write(line)
        jobs.defer_conformance(reference.name)
        return None
