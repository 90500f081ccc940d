"""Ask Sigstore's TUF repository for the newest public-good trust root. Without an answer the one in use stays."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from cgexplorer import jobs
from cgexplorer.management.store_command import COULD_NOT_CHECK, StoreCommand
from cgexplorer.store.queries import trust_roots as queries
from cgexplorer.store.record import trust_roots
from cgexplorer.verify.errors import printable


class Command(StoreCommand):
    help = "Refresh the public-good trust root by TUF. Exit: 0 refreshed, 3 not, and the one in use stays."

    def handle(self, *args: Any, **options: Any) -> None:
        before = trust_roots.public_good(timezone.now())
        step = jobs.ask_tuf()
        root = step.trust_root or before
        (status,) = queries.statuses([root.sha256])
        standing = f"{root.name} sha256:{root.sha256}: {status.standing(timezone.now())}"
        if step.error:
            raise CommandError(printable(f"Not refreshed: {step.error} Kept: {standing}."), returncode=COULD_NOT_CHECK)
        self.stdout.write(f"{standing} ({settings.TUF_MIRROR}, TUF root version {step.root_version})")
        if root != before:
            self.stdout.write(
                f"It replaces sha256:{before.sha256}. Verdicts change when images are verified again: "
                "manage.py verify --all"
            )
