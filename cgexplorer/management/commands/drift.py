"""What is not as it was, since when. The same rows as the page /drift/."""

from __future__ import annotations

import datetime as dt
import re
import sys
from itertools import islice
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from cgexplorer.drift import Kind
from cgexplorer.export import drift_event
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.queries import drift as queries
from cgexplorer.verify.errors import printable
from cgexplorer.web import drift_report

CONDITION_MET = 2
_AGO = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(StoreCommand):
    help = "What drifted since: exit code 2 when there is something that nobody acknowledged, 0 otherwise."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", default="", metavar="WHEN", help="7d, 24h, 30m, 2026-11-24, or a time with zone")
        parser.add_argument("--kind", default="", choices=["", *Kind])
        parser.add_argument("--image", default="", help="only of this image, such as cgr.dev/chainguard/go")
        parser.add_argument("--search", default="", metavar="NAME", help="only changes of this saved search's answer")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = queries.Filters(
            options["kind"], options["image"], since=_since(options["since"], timezone.now()), search=options["search"]
        )
        found = queries.events(asked).iterator(chunk_size=1000)
        rows = list(islice(found, queries.MAX_EXPORT_ROWS))
        open_events = sum(not event.acknowledgements.all() for event in rows)
        if options["format"] == "json":
            body = {"schema": drift_event.SCHEMA, "events": [drift_event.row(event) for event in rows]}
            self.stdout.write(DjangoJSONEncoder().encode(body))
        else:
            for event in rows:
                known = "known" if event.acknowledgements.all() else "open "
                self.stdout.write(
                    printable(f"{event.at:%Y-%m-%d %H:%M} {known} {drift_report.title(queries.Told(event))}")
                )
                self.stdout.write(printable(f"{'':22} {drift_report.values(event)}"))
            self.stdout.write(f"{len(rows):,} events, {open_events:,} not acknowledged.")
        if open_events:
            sys.exit(CONDITION_MET)


def _since(text: str, now: dt.datetime) -> dt.datetime | None:
    """A time ago, a day (UTC) or a moment."""
    if not text:
        return None
    try:
        if found := _AGO.fullmatch(text):
            return now - dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
        moment = parse_datetime(text)
        day = None if moment else parse_date(text)
        when = moment or (dt.datetime(day.year, day.month, day.day) if day else None)  # noqa: DTZ001
    except (ValueError, OverflowError):
        when = None
    if when is None:
        raise CommandError(f"{text[:40]!a} is not a time: write 7d, 24h, 30m, 2026-11-24 or 2026-11-24T08:00:00Z.")
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)
