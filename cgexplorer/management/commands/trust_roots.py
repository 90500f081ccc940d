"""Which trust roots are stored, how fresh they are, and everything that happened to them. Asks nobody."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.queries import trust_roots
from cgexplorer.store.record.trust_roots import public_good
from cgexplorer.verify.errors import printable


class Command(StoreCommand):
    help = "List the trust roots: name, sha256, where it came from, whether it counts, age and end of its metadata."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--history", action="store_true", help="every step, the newest first")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        public_good(now)
        for one in trust_roots.statuses():
            self.stdout.write(printable(f"{one.name}: {one.standing(now)}"))
            self.stdout.write(f"  sha256:{one.sha256}, {one.source} {one.imported_at:%Y-%m-%d %H:%M} UTC")
            for policy in one.policies:
                self.stdout.write(printable(f"  policy {policy}"))
            if one.problem_at is not None:
                self.stdout.write(printable(f"  not refreshed {trust_roots.ago(one.problem_at, now)}: {one.problem}"))
        for step in trust_roots.steps() if options["history"] else ():
            what = f"sha256:{step.trust_root.sha256}" if step.trust_root else f"failed: {step.error}"
            self.stdout.write(printable(f"{step.at:%Y-%m-%d %H:%M} UTC  {step.name}  {step.source}  {what}"))
