"""A command that needs the database: it is started when it sleeps, and its absence is a sentence."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from cgexplorer import embedded_pg

COULD_NOT_CHECK = 3


class StoreCommand(BaseCommand):
    requires_system_checks = ()

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            if "DATABASE_URL" not in os.environ:
                home = settings.CGEXPLORER_HOME / "postgres"
                embedded_pg.ensure_running(home)
                embedded_pg.ensure_database(home, settings.DATABASES["default"]["NAME"])
            return super().execute(*args, **options)
        except embedded_pg.PostgresError as error:
            raise CommandError(str(error), returncode=COULD_NOT_CHECK) from error
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error}", returncode=COULD_NOT_CHECK) from error
        except ProgrammingError as error:
            if "does not exist" not in str(error):
                raise
            why = "The database has no tables, or older ones: run `make run` once, or manage.py migrate."
            raise CommandError(why, returncode=COULD_NOT_CHECK) from error
