"""Make the rows of SBOMs again that were pruned, from their stored documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q, QuerySet
from django.utils import timezone

from cgexplorer import ingest
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.models import Image, IndexEntry, Sbom
from cgexplorer.store.queries import payloads, references
from cgexplorer.store.queries.references import UnknownReference
from cgexplorer.verify.errors import printable

COULD_NOT_CHECK = 3


class Command(StoreCommand):
    help = (
        "Make the package rows of a digest, a tag or an image again that manage.py prune dropped. Nothing is fetched."
        " The last line is a JSON object."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "reference", nargs="+", metavar="REF", help="digest, image@digest, image:tag, or the name of an image"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [_pruned(text) for text in options["reference"]]
        done = failed = 0
        for sbom in _each(wanted):
            name = f"{sbom.image.name}@{sbom.manifest.digest}"
            try:
                made = ingest.reindex(sbom, now=timezone.now())
                why = made.not_indexed_reason if not made.indexed else ""
            except payloads.Damaged as error:
                why = str(error)
            if why:
                failed += 1
                self.stderr.write(printable(f"{name}: {why}"))
            else:
                done += 1
                self.stdout.write(printable(f"{name}: {made.installed_count + made.module_count:,} packages"))
        if not done + failed:
            self.stdout.write("No rows of it are pruned.")
        self.stdout.write(json.dumps({"restored": done, "failed": failed}))
        if failed:
            raise CommandError("Not all rows could be made again.", returncode=COULD_NOT_CHECK)


def _pruned(text: str) -> QuerySet[Sbom]:
    found = Sbom.objects.filter(pruned_at__isnull=False)
    if (image := Image.objects.filter(name=text).first()) is not None:
        return found.filter(image=image)
    try:
        manifest = references.manifest(text)
    except UnknownReference as error:
        raise CommandError(str(error)) from error
    entries = IndexEntry.objects.filter(index=manifest).values("manifest")
    return found.filter(Q(manifest=manifest) | Q(manifest__in=entries))


def _each(wanted: list[QuerySet[Sbom]]) -> Iterator[Sbom]:
    """One document at a time: it may have 70 MB."""
    keys = dict.fromkeys(key for some in wanted for key in some.order_by("pk").values_list("pk", flat=True))
    for key in keys:
        yield Sbom.objects.select_related("image", "manifest").get(pk=key)
