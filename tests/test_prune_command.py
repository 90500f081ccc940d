from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from cgexplorer.store.models import Image, Sbom
from cgexplorer.store.queries import prunable
from cgexplorer.store.queries.prunable import Rule, RuleError
from tests.ingesting import NAME, tables
from tests.test_prune import builds

pytestmark = pytest.mark.django_db


def test_without_a_yes_the_command_only_says_what_would_go() -> None:
    builds(("a@1", "b@1"), ("a@2",), ("a@3",))
    before = tables()
    said = io.StringIO()

    call_command("prune", "--untagged-older-than", "30d", stdout=said)

    assert tables() == before
    lines = said.getvalue().splitlines()
    assert lines[1].startswith(f"  {NAME}: 1 digest, 1 SBOM, 2 package occurrences, ")
    told = json.loads(lines[-1])
    assert (told["dry_run"], told["digests"], told["sboms"], told["occurrences"]) == (True, 1, 1, 2)
    assert told["bytes"] > 0


def test_with_a_yes_it_does_exactly_what_it_said() -> None:
    _, digests = builds(("a@1", "b@1"), ("a@2",), ("a@3",))
    said, done = io.StringIO(), io.StringIO()
    call_command("prune", "--untagged-older-than", "4w", "--dry-run", stdout=said)

    call_command("prune", "--untagged-older-than", "4w", "--yes", stdout=done)

    would, did = (json.loads(one.getvalue().splitlines()[-1]) for one in (said, done))
    assert [did[name] for name in ("images", "digests", "sboms", "occurrences", "bytes")] == [
        would[name] for name in ("images", "digests", "sboms", "occurrences", "bytes")
    ]
    assert (did["packages"], did["components"]) == (2, 1)
    assert Sbom.objects.get(pruned_at__isnull=False).manifest.digest == digests[0]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (["--untagged-older-than", "0d"], "no age"),
        (["--untagged-older-than", "12h"], "no age"),
        (["--untagged-older-than", "200y"], "no age"),
        (["--untagged-older-than", "30d", "--keep-newest", "-1"], "a number from 0"),
        (["--untagged-older-than", "30d", "--image", "nobody/*"], "No stored image has a name like nobody"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(asked: list[str], reason: str) -> None:
    builds(("a@1",))
    with pytest.raises(CommandError, match=reason):
        call_command("prune", *asked, "--yes")


def test_only_images_whose_name_is_meant_are_pruned() -> None:
    builds(("a@1",), ("a@2",))
    name = Image.objects.get().name
    assert prunable.images(Rule(30, images=("registry.example/*",)))[0].name == name
    assert prunable.images(Rule(30, images=("registry.example/other*",))) == []


@pytest.mark.parametrize(("text", "days"), [("180d", 180), ("26w", 182), ("1y", 365)])
def test_an_age_is_read_as_it_is_written(text: str, days: int) -> None:
    assert prunable.days(text) == days


@pytest.mark.parametrize("text", ["", "180", "d", "-1d", "1h", "1 year", "99999y"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        prunable.days(text)
