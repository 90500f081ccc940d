"""Drop rows that a retention rule says may go. Says only what would go, unless it is told to do it."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.queries import prunable
from cgexplorer.store.queries.prunable import Rule, RuleError
from cgexplorer.store.record import prune
from cgexplorer.verify.errors import printable

COULD_NOT_CHECK = 3
PAUSE_S = 0.2
WAIT_S = 60.0  # for fetches to leave the shared rows alone for a moment


class _Total(msgspec.Struct):
    images: int = 0
    digests: int = 0
    sboms: int = 0
    occurrences: int = 0
    bytes: int = 0
    packages: int = 0
    components: int = 0
    licenses: int = 0


class Command(StoreCommand):
    help = (
        "Drop the package rows, graphs and details of digests that no tag led to for some time. Evidence, verdicts, tag"
        " history and the signed documents stay: manage.py reindex makes the rows again. Without --yes nothing is"
        " dropped. The last line is a JSON object."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--untagged-older-than", required=True, metavar="180d", help="180d, 26w or 1y; from 1d")
        parser.add_argument(
            "--keep-newest",
            type=int,
            default=1,
            metavar="N",
            help="keep also the N digests of each image and platform that were current last (1)",
        )
        parser.add_argument(
            "--image", nargs="+", action="extend", default=[], metavar="GLOB", help="'cgr.dev/*'; without any, all"
        )
        does = parser.add_mutually_exclusive_group()
        does.add_argument("--yes", action="store_true", help="do it")
        does.add_argument("--dry-run", action="store_true", help="say what would go, which is also the default")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keep_newest"] < 0:
            raise CommandError("--keep-newest is a number from 0.")
        try:
            days = prunable.days(options["untagged_older_than"])
        except RuleError as error:
            raise CommandError(f"--untagged-older-than {error}") from error
        rule = Rule(days, options["keep_newest"], tuple(options["image"]))
        chosen = prunable.images(rule)
        if rule.images and not chosen:
            raise CommandError(f"No stored image has a name like {', '.join(rule.images)}.")
        began, does, total = time.monotonic(), options["yes"], _Total()
        self.stdout.write(f"{'Dropping' if does else 'Would drop'} the rows of what is {rule}.")
        for image in chosen:
            self._image(image, rule, total, does=does)
        busy = does and self._unused(total)
        self.stdout.write(self._summary(total, does=does))
        seconds = round(time.monotonic() - began, 3)
        self.stdout.write(
            json.dumps({"rule": str(rule), "dry_run": not does, **msgspec.to_builtins(total), "seconds": seconds})
        )
        if busy:
            why = "Fetches used the shared package rows all the time: some that nothing uses are left to the next run."
            raise CommandError(why, returncode=COULD_NOT_CHECK)

    def _image(self, image: Any, rule: Rule, total: _Total, *, does: bool) -> None:
        digests = sboms = occurrences = size = 0
        while True:
            now = timezone.now()
            gone = prune.some(image, rule, now) if does else prunable.going(image, rule, now)
            digests, sboms = digests + gone.digests, sboms + len(gone.sboms)
            occurrences, size = occurrences + gone.occurrences, size + gone.size
            if not (does and gone.sboms):
                break
        if sboms:
            total.images, total.digests, total.sboms = total.images + 1, total.digests + digests, total.sboms + sboms
            total.occurrences, total.bytes = total.occurrences + occurrences, total.bytes + size
            self.stdout.write(printable(f"  {image.name}: {_said(digests, sboms, occurrences, size)}"))

    def _unused(self, total: _Total) -> bool:
        """Whether some had to be left, because fetches never paused."""
        until = time.monotonic() + WAIT_S

        def wait() -> bool:
            time.sleep(PAUSE_S)
            return time.monotonic() < until

        try:
            for kind in prune.KINDS:
                for number in prune.unused(kind, wait):
                    setattr(total, f"{kind}s", getattr(total, f"{kind}s") + number)
        except prune.Busy:
            return True
        return False

    def _summary(self, total: _Total, *, does: bool) -> str:
        if does:
            shared = f"{total.packages:,} packages, {total.components:,} names and {total.licenses:,} licences"
            said = f"Dropped: {_said(total.digests, total.sboms, total.occurrences, total.bytes)}"
            return f"{said}; then {shared} that nothing uses. manage.py reindex REF makes the rows of a digest again."
        if not total.sboms:
            return "Nothing may go."
        said = f"Would drop: {_said(total.digests, total.sboms, total.occurrences, total.bytes)}"
        return f"{said}; then the packages that nothing else uses. Nothing was changed: --yes does it."


def _said(digests: int, sboms: int, occurrences: int, size: int) -> str:
    return (
        f"{digests:,} digest{'' if digests == 1 else 's'}, {sboms:,} SBOM{'' if sboms == 1 else 's'},"
        f" {occurrences:,} package occurrences, {filesizeformat(size)}".replace("\xa0", " ")
    )
