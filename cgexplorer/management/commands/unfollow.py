"""Follow a repository no more. What is stored of it stays."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError
from cgexplorer.store.record import syncs


class Command(StoreCommand):
    help = "Follow a repository no more. What is stored of it stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("repository", metavar="REPOSITORY")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            name = references.parse_repository(options["repository"]).name
        except OciError as error:
            raise CommandError(str(error)) from error
        if not syncs.unfollow(name):
            raise CommandError(f"{name} is not followed.")
        self.stdout.write(f"{name} is no longer followed. What is stored of it stays.")
