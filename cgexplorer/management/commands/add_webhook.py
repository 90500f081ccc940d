"""Tell an address of drift."""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError, CommandParser

from cgexplorer import registries
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.record import webhooks
from cgexplorer.store.record.webhooks import Target

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Command(StoreCommand):
    help = "POST every drift event from now on to URL, signed with a secret that is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what to call it")
        parser.add_argument("url", help="https address; http only of hosts listed by add_registry --access insecure")
        parser.add_argument("--secret", default="", help="shared with the receiver; made at random when not given")

    def handle(self, *args: Any, name: str, url: str, secret: str, **options: Any) -> None:
        if not _NAME.fullmatch(name):
            raise CommandError("A webhook's name has at most 64 letters, digits, '.', '_' and '-'.")
        shared = secret or secrets.token_urlsafe(32)
        host = _host(url)
        webhooks.add(name, host, Target(url, shared), registries.box())
        self.stdout.write(f"{name} is told of drift from now on, at {host}.")
        if not secret:
            self.stdout.write(f"Secret, shown only now: {shared}")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("https", "http") or "@" in parts.netloc or not url.isascii():
        raise CommandError("The address must look like https://host/path, without a user name in it.")
    return host
