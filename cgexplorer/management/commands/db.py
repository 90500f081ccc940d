"""Look after the embedded PostgreSQL."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cgexplorer import embedded_pg


class Command(BaseCommand):
    help = "Start, stop or look at the embedded PostgreSQL, or open psql on it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status", "shell"])

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if "DATABASE_URL" in os.environ:
            raise CommandError("DATABASE_URL is set: cgexplorer uses that server and does not look after it.")
        home = settings.CGEXPLORER_HOME / "postgres"
        try:
            getattr(self, action)(home)
        except embedded_pg.PostgresError as error:
            raise CommandError(str(error)) from error

    def start(self, home: Path) -> None:
        where = embedded_pg.ensure_running(home)
        embedded_pg.ensure_database(home, settings.DATABASES["default"]["NAME"])
        self.stdout.write(f"PostgreSQL is running: host={where['host']} port={where['port']} user={where['user']}")

    def stop(self, home: Path) -> None:
        self.stdout.write("PostgreSQL stopped." if embedded_pg.stop(home) else "PostgreSQL was not running.")

    def status(self, home: Path) -> None:
        if not embedded_pg.is_running(home):
            raise CommandError("PostgreSQL is not running.", returncode=3)
        self.stdout.write(f"PostgreSQL is running in {home}.")

    def shell(self, home: Path) -> None:
        embedded_pg.ensure_running(home)
        command = embedded_pg.psql(home, settings.DATABASES["default"]["NAME"])
        os.execv(command[0], command)  # noqa: S606  (our own psql takes over this process)
