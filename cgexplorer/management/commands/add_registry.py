"""Say how a registry may be asked, and with which credentials."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cgexplorer import registries
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci.docker_config import IDENTITY_TOKEN
from cgexplorer.oci.errors import OciError
from cgexplorer.oci.reference import check_host
from cgexplorer.store.queries.registries import ACCESS
from cgexplorer.store.record import registries as record
from cgexplorer.store.record.text import storable

MAX_SECRET_CHARACTERS = 64 << 10  # Google's JSON keys and ECR's tokens have a few thousand


class Command(StoreCommand):
    help = (
        "List a registry: whether it may have private addresses or speak plain http, and credentials for it. "
        "Public registries need no listing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("host", metavar="HOST[:PORT]")
        parser.add_argument(
            "--access",
            choices=ACCESS,
            help="public: https at public addresses (default); private: https at any address; insecure: plain http",
        )
        parser.add_argument("--token-service", metavar="HOST", help="another host that may see its credentials")
        parser.add_argument("--username", help="of the credentials; the password is asked for, never an argument")
        parser.add_argument("--identity-token", action="store_true", help="the secret is an OAuth2 refresh token")
        parser.add_argument("--password-stdin", action="store_true", help="read password or token from standard input")
        parser.add_argument("--forget-credentials", action="store_true", help="delete the stored credentials")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            host = check_host(options["host"])
            token_service = options["token_service"] and check_host(options["token_service"])
        except OciError as error:
            raise CommandError(str(error)) from error
        username = IDENTITY_TOKEN if options["identity_token"] else options["username"]
        if options["identity_token"] and options["username"]:
            raise CommandError("An identity token has no user name: give --username or --identity-token.")
        if options["forget_credentials"] and username:
            raise CommandError("Either set credentials or forget them.")
        if options["password_stdin"] and not username:
            raise CommandError("--password-stdin needs --username or --identity-token.")
        secret = _secret(host, username, from_stdin=options["password_stdin"]) if username else ""
        row = record.registry(host, access=options["access"], token_service=token_service)
        self.stdout.write(f"{host}: {_MEANING[row.access]}")
        if username:
            record.credential(row, username, secret, registries.box(), timezone.now())
            self.stdout.write(f"{_what(username)} kept, encrypted, and sent to {_seen_by(row)} only.")
        if options["forget_credentials"]:
            known = record.forget_credential(row)
            self.stdout.write("Its credentials are forgotten." if known else "It had no credentials.")


_MEANING = {
    "public": "asked by https, at public addresses",
    "private": "asked by https, private addresses allowed",
    "insecure": "asked by plain http, private addresses allowed",
}


def _what(username: str) -> str:
    return "The identity token is" if username == IDENTITY_TOKEN else f"Credentials of {username} are"


def _seen_by(row: Any) -> str:
    return f"{row.host} and {row.token_service}" if row.token_service else str(row.host)


def _secret(host: str, username: str, *, from_stdin: bool) -> str:
    if from_stdin:
        secret = sys.stdin.read(MAX_SECRET_CHARACTERS + 1).rstrip("\r\n")
    else:
        secret = getpass.getpass(f"Password of {username} at {host}: ")
    if not secret or len(secret) > MAX_SECRET_CHARACTERS or ":" in username or len(username) > 255:
        raise CommandError("A user name has at most 255 characters and no colon, and the password is not empty.")
    if any(storable(text, len(text)) != text for text in (username, secret)):
        raise CommandError("User name and password are text in UTF-8, without NUL.")
    return secret
