"""Read images from an OCI image layout: no network is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cgexplorer import ingest, jobs
from cgexplorer.cross_checks import Name
from cgexplorer.management import telling
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError
from cgexplorer.oci.layout import Layout, LayoutEntry
from cgexplorer.oci.reference import Reference
from cgexplorer.oci.renamed import Renamed
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import cross_checks, verification
from cgexplorer.verify.errors import printable
from cgexplorer.verify.verdict import Outcome


class Command(StoreCommand):
    help = "Import the images of an OCI image layout folder, with their signatures and attestations."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument(
            "--as", dest="name", metavar="REF", help="the image's name, such as cgr.dev/chainguard/go:1.25"
        )

    def handle(self, *args: Any, directory: Path, name: str | None, **options: Any) -> None:
        try:
            with Layout(directory) as layout:
                wanted = self.wanted(layout, name)
                failures = [why for entry, one in wanted if (why := self.take(Renamed(layout, entry.repository), one))]
        except OciError as error:
            raise CommandError(str(error)) from error
        if failures:
            raise CommandError("\n".join(failures))

    def take(self, source: Renamed, reference: Reference) -> str:
        """Why this image cannot be read, if it cannot. The others of the layout are still imported."""
        try:
            with telling.watched() as progress:
                report = ingest.ingest(reference, source, trigger="ingest", now=timezone.now(), progress=progress)
        except OciError as error:
            called = f":{reference.tag}" if reference.tag else f"@{reference.digest}"
            return f"{reference.name}{called} was not imported: {error}"
        for line in telling.lines(report):
            self.stdout.write(line)
        self.note_other_name(reference.name, report.digest)
        jobs.defer_conformance(reference.name)
        return ""

    def note_other_name(self, name: str, digest: str) -> None:
        """Who imports under a name of his own should see which one was signed."""
        found = verification.report(Manifest.objects.select_related("image").get(image__name=name, digest=digest))
        rows = cross_checks.of(found) if found else ()
        for row in rows:
            if row.name is Name.REFERENCE and row.outcome is Outcome.FAILED:
                self.stdout.write(printable(f"  note: it was {row.found}, and is imported as {name}"))

    def wanted(self, layout: Layout, name: str | None) -> list[tuple[LayoutEntry, Reference]]:
        """What to import under which name."""
        entries = layout.references()
        if not entries:
            raise CommandError("This layout names no image in its index.json.")
        if name is None:
            return [(entry, _own_name(entry)) for entry in entries]
        wanted = references.parse(name)
        if len(entries) == 1:
            only = entries[0]
            return [(only, Reference(wanted.registry, wanted.repository, wanted.tag, wanted.digest or only.digest))]
        # With a tag in the name only that one is meant, without one all are.
        meant = [entry for entry in entries if not _has_tag(name) or entry.tag == wanted.tag]
        if not meant:
            raise CommandError(f"This layout has no tag {wanted.tag}; it has {', '.join(_tags(entries))}.")
        several = len({entry.repository for entry in meant}) > 1
        return [(entry, _under(wanted, entry, several=several)) for entry in meant]


def _own_name(entry: LayoutEntry) -> Reference:
    """Only a name with its registry says which image it is: `d/app` is not docker.io's because it names none."""
    host = entry.repository.partition("/")[0]
    if "/" not in entry.repository or not ("." in host or ":" in host or host == "localhost"):
        raise CommandError(
            "Names in this layout do not say which registry's image they are: add --as cgr.dev/name:tag."
        )
    tag = entry.tag or ("" if entry.by_digest else "latest")
    named = references.parse(f"{entry.repository}:{tag or 'none'}")  # index.docker.io is docker.io
    return Reference(named.registry, named.repository, tag, entry.digest)


def _under(wanted: Reference, entry: LayoutEntry, *, several: bool) -> Reference:
    """Several repositories of one layout become repositories below the name that was given."""
    repository = f"{wanted.repository}/{entry.repository}" if several and entry.repository else wanted.repository
    return Reference(wanted.registry, repository, entry.tag or wanted.tag, entry.digest)


def _tags(entries: tuple[LayoutEntry, ...]) -> list[str]:
    return sorted({entry.tag for entry in entries if entry.tag})[:20]


def _has_tag(name: str) -> bool:
    return ":" in name.rpartition("/")[2]
