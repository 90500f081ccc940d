"""Verify again, from stored evidence without a network or live from the registry, and report every check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cgexplorer import ingest, jobs
from cgexplorer.export import report as reports
from cgexplorer.management import telling
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci.digest import short
from cgexplorer.oci.errors import OciError, ReferenceError
from cgexplorer.oci.reference import parse
from cgexplorer.store.models import Manifest, Tag
from cgexplorer.store.queries import references
from cgexplorer.verify import report as shapes
from cgexplorer.verify import text as full_text
from cgexplorer.verify.errors import printable
from cgexplorer.verify.verdict import State

CONDITION_MET, COULD_NOT_CHECK = 2, 3
DEFAULT_STATES = "invalid,signer-not-allowed,unsigned"
INCOMPLETE = "incomplete"  # no state: something is not attested that the policy asks for


class Command(StoreCommand):
    unanswered = False  # a registry did not tell what it holds now
    help = "Verify stored images again. Exit: 0 none of --fail-on, 2 one of them, 3 something could not be checked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", nargs="?", metavar="REF")
        parser.add_argument("--all", action="store_true", help="whatever a tag (of the image REF) points to")
        parser.add_argument("--live", action="store_true", help="ask the registry what it holds for the digest now")
        parser.add_argument("--format", choices=["text", "report", "json"], default="text")
        parser.add_argument(
            "--fail-on",
            default=DEFAULT_STATES,
            metavar="STATES",
            help=f"states, or {INCOMPLETE}: without all that a policy asks to be attested; default: {DEFAULT_STATES}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        failing = _states(options["fail_on"])
        verified = self.asked_again if options["live"] else self.verified
        found = [verified(name, manifest) for name, manifest in self.wanted(options["reference"], options["all"])]
        if options["format"] == "json":
            self.stdout.write(_json(found, one=not options["all"]))
        elif options["format"] == "report":
            self.stdout.write("\n".join(map(full_text.render, found)))
        else:
            self.text(found)
        states: set[str] = {state for report in found for state in reports.states(report)}
        if any(missing(subject) for report in found for subject in report.subjects):
            states.add(INCOMPLETE)
        if states & failing:
            named = ", ".join(sorted(map(telling.words, states & failing)))
            raise CommandError(f"Found: {named}.", returncode=CONDITION_MET)
        if self.unanswered or State.COULD_NOT_CHECK in states:
            raise CommandError("Something could not be checked.", returncode=COULD_NOT_CHECK)

    def wanted(self, reference: str | None, every: bool) -> list[tuple[str, Manifest]]:
        if not (every or reference):
            raise CommandError("Name one reference, or --all.")
        if reference and not every:
            try:
                return [(reference, references.manifest(reference))]
            except references.UnknownReference as error:
                raise CommandError(str(error), returncode=COULD_NOT_CHECK) from error
        tags = Tag.objects.select_related("manifest__image", "image").order_by("image__name", "name")
        if reference:
            tags = tags.filter(image__name=_image_name(reference))
            if not tags:
                raise CommandError(f"No tag of {reference} is stored.", returncode=COULD_NOT_CHECK)
        return list({tag.manifest_id: (f"{tag.image.name}:{tag.name}", tag.manifest) for tag in tags}.values())

    def verified(self, name: str, manifest: Manifest) -> shapes.Report:
        with telling.watched() as progress:
            entries = manifest.entries.select_related("manifest__image").order_by("position")
            several = [manifest, *(entry.manifest for entry in entries)]
            for number, one in enumerate(several):
                progress(f"Verifying {name}", number, len(several))
                ingest.reverify(one, now=timezone.now(), trigger="command")
        return _report(name, manifest)

    def asked_again(self, name: str, manifest: Manifest) -> shapes.Report:
        """What a registry does not answer is told; the last verdicts stay, and the others are still asked about."""
        try:
            with telling.watched() as progress:
                progress(f"Asking the registry about {name}", 0, 1)
                jobs.ask_again(manifest, trigger="command")
        except OciError as error:
            self.unanswered = True
            self.stderr.write(f"{name}: {error} The verdict is that of an earlier look.")
        return _report(name, manifest)

    def text(self, found: list[shapes.Report]) -> None:
        for report in found:
            for line in _lines(report):
                self.stdout.write(printable(line))


def _image_name(reference: str) -> str:
    try:
        return parse(reference).name
    except ReferenceError as error:
        raise CommandError(str(error)) from error


def _lines(report: shapes.Report) -> Iterator[str]:
    yield f"{report.reference}: {telling.words(report.state)}"
    for subject in report.subjects:
        head = f"  {subject.platform or 'index':14} {short(subject.digest)}"
        yield f"{head}  {telling.words(subject.state)}: {subject.reason}"
        if missing(subject):
            yield f"    not complete: no verified attestation of {', '.join(missing(subject))}"
        for one in subject.evidence:
            checks = [check for check in one.checks if check.outcome != "not-run"]
            passed = sum(check.outcome == "passed" for check in checks)
            what = one.predicate_type or one.kind
            yield f"    {telling.words(one.state):20} {what}, {passed} of {len(checks)} checks passed"
            for check in checks:
                if check.outcome == "failed":
                    yield f"      {check.name}: expected {check.expected}, found {check.found}"


def missing(subject: shapes.SubjectRow) -> list[str]:
    """Predicate types that the policy asks for and nobody whom it allows has attested."""
    asked = subject.completeness.requirements if subject.completeness else ()
    return [one.predicate_type for one in asked if not one.found]


def _report(name: str, manifest: Manifest) -> shapes.Report:
    return reports.report(references.manifest(f"{manifest.image.name}@{manifest.digest}"), name)


def _json(found: list[shapes.Report], *, one: bool) -> str:
    if one:
        return shapes.to_json(found[0])
    whole = {"schema": "cgexplorer.verifications/1", "reports": found}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()


def _states(text: str) -> set[str]:
    named = {name.strip() for name in text.split(",") if name.strip()}
    unknown = named - {*State, INCOMPLETE}
    if unknown:
        raise CommandError(f"{min(unknown)!r} is no state; there are: {', '.join(State)}; and {INCOMPLETE}.")
    return named
