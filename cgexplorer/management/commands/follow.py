"""Follow a repository: its tags are asked at an interval, and what changed is fetched."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cgexplorer import sync_jobs
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci.errors import OciError
from cgexplorer.store.record import follows


class Command(StoreCommand):
    help = "Follow a repository, or follow it otherwise than before. Its first sync is queued for the worker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("repository", metavar="REPOSITORY")
        parser.add_argument(
            "--tags", nargs="+", action="extend", default=[], metavar="GLOB", help="names or globs; without any, all"
        )
        parser.add_argument(
            "--newest", type=int, metavar="N", help="of what the globs find, only the N highest versions"
        )
        parser.add_argument(
            "--platform", nargs="+", action="extend", default=[], metavar="P", help="linux/amd64; without any, all"
        )
        parser.add_argument("--every", default=follows.DEFAULT_INTERVAL, metavar="1h", help="15m, 1h, 1d; from 1m")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wish = follows.read(
                options["repository"], options["tags"], options["newest"], options["platform"], options["every"]
            )
        except OciError as error:
            raise CommandError(str(error)) from error
        follows.follow(wish, timezone.now())
        sync_jobs.defer_sync(wish.name)
        self.stdout.write(f"{wish.name} is followed, every {follows.interval(wish.every_s)}. {_which(wish)}")
        self.stdout.write(f"Its first sync is queued for the worker; now, and here: manage.py sync {wish.name}")


def _which(wish: follows.Wish) -> str:
    tags = ", ".join(wish.tags) or "all"
    newest = f", the newest {wish.newest} of what globs find" if wish.newest else ""
    return f"Tags: {tags}{newest}. Platforms: {', '.join(wish.platforms) or 'all'}."
