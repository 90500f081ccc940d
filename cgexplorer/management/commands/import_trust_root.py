"""Trust another Sigstore instance: keep its trusted_root.json under a name that policies can give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cgexplorer.management import root_files
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.record import policies, trust_roots


class Command(StoreCommand):
    help = (
        "Import the trusted_root.json of a private Sigstore. The same name again replaces it: policies that name it "
        "get a new version, old verdicts keep the root that they used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="trusted_root.json")
        parser.add_argument("--name", required=True, help="that policies give: add_policy --trust-root NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        raw, name = root_files.read(options["file"]), root_files.name(options["name"])
        root = trust_roots.trust_root(raw, name, now=timezone.now())
        if root.name != name:
            raise CommandError(f"This root is already stored, as {root.name!r}: give that name to policies.")
        self.stdout.write(f"{root.name} is sha256:{root.sha256}")
        for policy in policies.follow(root):
            self.stdout.write(f"{policy.name} v{policy.version} now uses it")
