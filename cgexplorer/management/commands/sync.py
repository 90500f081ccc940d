"""Ask followed repositories where their tags point, now and here, and fetch what changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection

from cgexplorer import jobs, sync_jobs
from cgexplorer.management import telling
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError
from cgexplorer.store.models import Image, Sync, SyncItem
from cgexplorer.store.queries import follows
from cgexplorer.store.queries.follows import SyncProgress
from cgexplorer.store.record import syncs
from cgexplorer.verify.errors import printable

COULD_NOT_CHECK = 3
WATCH_S = 0.5


class Command(StoreCommand):
    help = "Ask followed repositories where their tags point, and fetch what changed. The last line is a JSON object."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", nargs="?", metavar="REF", help="a repository, or one tag of it")
        parser.add_argument("--all", action="store_true", help="everything that is followed; also without REF")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [_wanted(options["reference"])] if options["reference"] and not options["all"] else _everything()
        rounds = [self.round(name, tag) for name, tag in wanted]
        self.stdout.write(json.dumps(_sum(rounds)))
        failed = [one for one in rounds if one.error or one.failed]
        if failed:
            raise CommandError(
                f"Not everything could be asked or fetched: {', '.join(one.name for one in failed)}.",
                returncode=COULD_NOT_CHECK,
            )

    def round(self, name: str, tag: str) -> SyncProgress:
        """Work on the round of this repository until it is done, beside the worker if that is at it too."""
        found, _ = syncs.queue(name, tag)
        with _shown(found):
            while True:
                try:
                    sync_jobs.run(found)
                except jobs.TryAgain as error:
                    syncs.end(found, str(error))
                found.refresh_from_db()
                if found.finished_at is not None:
                    break
                time.sleep(WATCH_S)  # the rest is in the worker's hands
        jobs.defer_conformance(name)
        found = Sync.objects.get(pk=found.pk)
        end = follows.progress([found])[0]
        for line in _lines(found, end):
            self.stdout.write(printable(line))
        return end


def _wanted(text: str) -> tuple[str, str]:
    """Repository and tag; without a tag, all that is followed or, if it is not followed, all that is stored."""
    try:
        try:
            name, tag = references.parse_repository(text).name, ""
        except OciError:
            reference = references.parse(text)
            if reference.digest:
                raise CommandError("A digest never moves: name a repository, or one tag of it.") from None
            name, tag = reference.name, reference.tag
    except OciError as error:
        raise CommandError(str(error)) from error
    if not tag and follows.follow(name) is None and not Image.objects.filter(name=name).exists():
        raise CommandError(f"{name} is neither followed nor stored: manage.py follow {name}")
    return name, tag


def _everything() -> list[tuple[str, str]]:
    wanted = [(row.follow.name, "") for row in follows.follows()]
    if not wanted:
        raise CommandError("Nothing is followed yet: manage.py follow cgr.dev/chainguard/go --tags latest")
    return wanted


@contextmanager
def _shown(found: Sync) -> Iterator[None]:
    """How far it is, on stderr when somebody watches."""
    ended = Event()
    with telling.watched_line() as show:
        watcher = Thread(target=_watch, args=(found.pk, ended, show), daemon=True)
        if show is not None:
            watcher.start()
        try:
            yield
        finally:
            ended.set()
            if show is not None:
                watcher.join()


def _watch(pk: int, ended: Event, show: Any) -> None:
    try:
        while not ended.wait(WATCH_S):
            show(_line(follows.progress(Sync.objects.filter(pk=pk))[0]))
    finally:
        connection.close()


def _line(now: SyncProgress) -> str:
    left = f", {now.left_s:.0f} s left" if now.left_s is not None else ""
    if now.is_looking:
        return f"{now.name}: asked {now.asked} of {now.found} tags, {now.per_s:.0f} a second{left}"
    return (
        f"{now.name}: {now.found} tags, {now.unchanged} unchanged; fetched {now.fetched} of {now.changed} digests, "
        f"{now.verified} verified, {now.failed} failed, {now.per_s:.1f} a second{left}"
    )


def _lines(found: Sync, end: SyncProgress) -> Iterator[str]:
    yield f"{end.name}{':' if end.tag else ''}{end.tag}"
    yield (
        f"  {end.found} tag{'' if end.found == 1 else 's'} asked for, {end.unchanged} unchanged, {end.gone} gone; "
        f"{end.fetched} of {end.changed} digests fetched, {end.verified} verified, {end.failed} failed"
    )
    for item in follows.items(found):
        if item.state == "failed":
            yield f"  failed: {_named(item)}: {item.reason}"
        else:
            yield f"  {item.verdict.replace('-', ' ')}: {_named(item)}"
    if end.error:
        yield f"  {end.error}"


def _named(item: SyncItem) -> str:
    """Tags and digest; of a tag that could not be asked, nobody knows the digest."""
    tags = ", ".join(item.tags)
    return f"{tags} {item.digest}" if item.digest else tags


def _sum(rounds: list[SyncProgress]) -> dict[str, float]:
    return {
        "checked": sum(one.asked for one in rounds),
        "unchanged": sum(one.unchanged for one in rounds),
        "fetched": sum(one.fetched for one in rounds),
        "verified": sum(one.verified for one in rounds),
        "failed": sum(one.failed + (1 if one.error else 0) for one in rounds),
        "requests": sum(one.requests for one in rounds),
        "seconds": round(sum(one.seconds for one in rounds), 3),
    }
