"""Say who may sign which images. The same name again appends a version."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cgexplorer.management import root_files
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.store.models import Image, TrustRoot
from cgexplorer.store.queries.trust import policies_for
from cgexplorer.store.record import policies, trust_roots
from cgexplorer.store.record.policies import PolicyFields
from cgexplorer.verify import required
from cgexplorer.verify.errors import Fault
from cgexplorer.verify.trust_root import PUBLIC_GOOD

MAX_AGE_DAYS = 20_000  # more seconds than that do not fit its column
DIGESTS = ("sha256", "sha384", "sha512")
WORKFLOW_CLAIMS = {
    "trigger": "the event, such as push",
    "sha": "the commit",
    "name": "name of the workflow",
    "repository": "owner/name",
    "ref": "such as refs/heads/main",
}


class Command(StoreCommand):
    help = "Add a policy, or a new version of one: who may sign the images whose name matches."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--match", required=True, metavar="PATTERN", help="'ghcr.io/acme/*'; the most specific decides"
        )
        parser.add_argument("--issuer", default="", help="OpenID Connect issuer, exactly")
        parser.add_argument("--issuer-regexp", default="", help="RE2, matched against the whole issuer")
        parser.add_argument("--identity", default="", help="certificate identity, exactly")
        parser.add_argument("--identity-regexp", default="", help="RE2, matched against the whole identity")
        parser.add_argument(
            "--key", type=Path, action="append", default=[], metavar="PEM",
            help="a public key instead of issuer and identity; of several any may sign",
        )  # fmt: skip
        parser.add_argument(
            "--key-digest", default="", choices=DIGESTS, help="hash of signatures with --key, if not the usual one"
        )
        parser.add_argument("--not-before", default="", metavar="TIME", help="--key may sign from here on, in ISO 8601")
        parser.add_argument("--not-after", default="", metavar="TIME", help="--key may sign until here, in ISO 8601")
        for claim, what in WORKFLOW_CLAIMS.items():
            parser.add_argument(f"--workflow-{claim}", default="", help=f"{what}, exactly, as GitHub certified it")
        parser.add_argument(
            "--annotation", action="append", default=[], metavar="KEY=VALUE", help="that an image signature must hold"
        )
        root = parser.add_mutually_exclusive_group()
        root.add_argument("--trusted-root", type=Path, metavar="FILE", help="trusted_root.json of a private Sigstore")
        root.add_argument("--trust-root", metavar="NAME", help="one that is stored: manage.py trust_roots lists them")
        parser.add_argument("--no-log", action="store_true", help="do not require a transparency log entry")
        parser.add_argument("--no-sct", action="store_true", help="do not require that the certificate was logged")
        parser.add_argument(
            "--no-signed-timestamps",
            action="store_true",
            help="do not believe a timestamp authority when it was signed",
        )
        parser.add_argument(
            "--require-timestamp",
            action="store_true",
            help="require an RFC 3161 timestamp of the trust root's authorities",
        )
        parser.add_argument(
            "--threshold", type=int, default=1, metavar="N", help="distinct signers who must each be verified"
        )
        parser.add_argument(
            "--require-type", action="append", default=[], metavar="TYPE",
            help=f"predicate type that a complete image has: a URI, or {', '.join(required.FAMILIES)}",
        )  # fmt: skip
        parser.add_argument("--max-age-days", type=int, default=0, help="older signatures are `verified, stale`")

    def handle(self, *args: Any, **options: Any) -> None:
        fields = PolicyFields(
            pattern=options["match"],
            issuer=options["issuer"],
            issuer_regexp=options["issuer_regexp"],
            identity=options["identity"],
            identity_regexp=options["identity_regexp"],
            key_pem="".join(map(_text, options["key"])),
            key_digest=options["key_digest"],
            not_before=_moment("--not-before", options["not_before"]),
            not_after=_moment("--not-after", options["not_after"]),
            workflow_trigger=options["workflow_trigger"],
            workflow_sha=options["workflow_sha"],
            workflow_name=options["workflow_name"],
            workflow_repository=options["workflow_repository"],
            workflow_ref=options["workflow_ref"],
            annotations=dict(map(_pair, options["annotation"])),
            require_log=not options["no_log"],
            require_sct=not options["no_sct"],
            use_signed_timestamps=not options["no_signed_timestamps"],
            required_types=_types(options["require_type"]),
            threshold=options["threshold"],
            require_timestamp=options["require_timestamp"],
            max_age_s=_age_s(options["max_age_days"]),
        )
        try:
            policies.check(options["name"], fields)
        except policies.UnusablePolicy as error:
            raise CommandError(str(error)) from error
        row = policies.policy(options["name"], fields, _root(options))
        self.stdout.write(f"{row.name} v{row.version} decides for {row.pattern}")
        concerned = [image.name for image in Image.objects.order_by("name") if row in policies_for(image.name)]
        if concerned:
            self.stdout.write(
                f"{len(concerned)} stored image{'s match' if len(concerned) > 1 else ' matches'}; "
                "verdicts change when they are verified again: manage.py verify --all"
            )


def _age_s(days: int) -> int:
    if not 0 <= days <= MAX_AGE_DAYS:
        raise CommandError(f"--max-age-days {days} is not between 0, which means any age, and {MAX_AGE_DAYS}.")
    return days * 86400


def _moment(flag: str, text: str) -> dt.datetime | None:
    """`2026-07-01` is its first moment in UTC; a time without zone is in UTC."""
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise CommandError(f"{flag} {text!r} is not a date or time such as 2026-07-01T12:00:00Z.") from None


def _types(names: list[str]) -> list[str]:
    try:
        return list(dict.fromkeys(map(required.predicate_type, names)))
    except Fault as fault:
        raise CommandError(f"--require-type: expected {fault.expected}, found {fault.found}.") from None


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise CommandError(f"--annotation {text!r} is not KEY=VALUE.")
    return key, value


def _text(file: Path) -> str:
    try:
        return file.read_text().strip() + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read as a PEM key: {_why(error)}.") from error


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not text"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error).rstrip(".")


def _root(options: dict[str, Any]) -> TrustRoot | None:
    """None for the public-good root, whichever it is on the day of a verdict. A file gets the name of the policy."""
    if (name := options["trust_root"]) is not None:
        return None if name == PUBLIC_GOOD else root_files.named(name)
    if (file := options["trusted_root"]) is None:
        return None
    return trust_roots.trust_root(root_files.read(file), root_files.name(options["name"][: root_files.MAX_NAME]))
