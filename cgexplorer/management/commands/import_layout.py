"""Read images from an OCI image layout: no network is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cgexplorer import ingest, jobs
from cgexplorer.management import telling
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError
from cgexplorer.oci.layout import Layout, LayoutEntry
from cgexplorer.oci.reference import Reference


class Command(BaseCommand):
    help = "Import the images of an OCI image layout folder, with their signatures and attestations."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument(
            "--as", dest="name", metavar="REF", help="the image's name, such as cgr.dev/chainguard/go:1.25"
        )

    def handle(self, *args: Any, directory: Path, name: str | None, **options: Any) -> None:
        try:
            with Layout(directory) as layout:
                for reference in self.references(layout, name):
                    self.take(layout, reference)
        except OciError as error:
            raise CommandError(str(error)) from error

    def take(self, layout: Layout, reference: Reference) -> None:
        with telling.watched() as progress:
            report = ingest.ingest(reference, layout, trigger="ingest", now=timezone.now(), progress=progress)
        for line in telling.lines(report):
            self.stdout.write(line)
        jobs.defer_conformance(reference.name)

    def references(self, layout: Layout, name: str | None) -> list[Reference]:
        """What to import under which name. A layout with several images needs names of its own."""
        entries = layout.references()
        if not entries:
            raise CommandError("This layout names no image in its index.json.")
        if name is None:
            return [_own_name(entry) for entry in entries]
        wanted = references.parse(name)
        if len(entries) > 1:
            return [_under(wanted, name, entry) for entry in entries if _is_meant(wanted, name, entry)]
        return [Reference(wanted.registry, wanted.repository, wanted.tag, wanted.digest or entries[0].digest)]


def _own_name(entry: LayoutEntry) -> Reference:
    if not entry.repository or "/" not in entry.repository:
        raise CommandError("Names in this layout do not say which image they are of: add --as cgr.dev/name:tag.")
    return references.parse(f"{entry.repository}:{entry.tag or 'latest'}")


def _is_meant(wanted: Reference, name: str, entry: LayoutEntry) -> bool:
    """With a tag in the name only that one is meant, without one all are."""
    return not _has_tag(name) or entry.tag == wanted.tag


def _under(wanted: Reference, name: str, entry: LayoutEntry) -> Reference:
    return Reference(wanted.registry, wanted.repository, entry.tag or wanted.tag, entry.digest)


def _has_tag(name: str) -> bool:
    return ":" in name.rpartition("/")[2]
