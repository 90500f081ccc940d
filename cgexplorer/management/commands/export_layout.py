"""Carry images' evidence to where there is no network: an OCI image layout that import_layout takes there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cgexplorer.export import layout
from cgexplorer.export.layout_folder import Occupied, TooMany
from cgexplorer.management.store_command import COULD_NOT_CHECK, StoreCommand
from cgexplorer.oci.digest import short
from cgexplorer.store.queries import layouts, references
from cgexplorer.store.queries.layouts import Named
from cgexplorer.store.queries.payloads import Damaged


class Command(StoreCommand):
    help = (
        "Write the evidence of stored images as an OCI image layout: manifests, configurations, signatures and"
        " attestations, byte for byte. Layers of images are not stored, so they are not in it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("references", nargs="*", metavar="REF", help="a digest goes with all tags that point to it")
        parser.add_argument("--followed", action="store_true", help="every tag of the repositories that are followed")
        parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="a new or an empty folder")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["output"].absolute()
        if bool(options["references"]) == options["followed"]:
            raise CommandError("Name images, or say --followed.")
        try:
            wanted = layouts.followed() if options["followed"] else _whole(layouts.named(options["references"]))
            if not wanted:
                raise CommandError("No repository is followed that has a stored tag.", returncode=COULD_NOT_CHECK)
            written = layout.write(wanted, target)
        except references.UnknownReference as error:
            raise CommandError(str(error), returncode=COULD_NOT_CHECK) from error
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.") from error
        except (Occupied, TooMany, Damaged) as error:
            raise CommandError(str(error)) from error
        for one in written:
            for line in _lines(one):
                self.stdout.write(line)
        self.stdout.write(f"{target}: {_counted(len(written), 'image')}, without their layers")


def _whole(wanted: list[Named]) -> list[Named]:
    """Raises CommandError when the bytes of one of them are not stored."""
    for one in wanted:
        if one.manifest.payload is None:
            why = one.manifest.problem or "it is an SBOM file, or only its name is known"
            name = f"{one.manifest.image.name}@{one.manifest.digest}"
            raise CommandError(f"The bytes of {name} are not stored: {why}.", returncode=COULD_NOT_CHECK)
    return wanted


def _lines(one: layout.Exported) -> Iterator[str]:
    names = [f"{one.name}:{tag}" for tag in one.tags] or [f"{one.name}@{one.digest}"]
    held = f"{_counted(one.manifests, 'manifest')}, {_counted(one.evidence, 'signed layer')}"
    yield f"{', '.join(names)}  {short(one.digest)}  {held}"
    for digest in one.absent:
        yield f"  not stored, so not in the layout: {short(digest)}"
    for digest in one.unread:
        yield f"  not everything of {short(digest)} could be read at its source: the layout says so"
    if one.remade:
        yield f"  {_counted(one.remade, 'manifest')} around signatures written anew; what is signed is as it was"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
