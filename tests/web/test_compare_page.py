"""/compare/: what changed, in one sentence and in tables."""

from __future__ import annotations

import csv
import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer.oci.evidence import Kind
from tests.store import factories as make

pytestmark = pytest.mark.django_db
NAME = "cgr.dev/chainguard/go"
NAUGHTY = '<img src=x onerror=alert(1)>"'


def tagged(tag: str, *packages, **sbom):
    manifest = make.manifest(make.image(NAME), tag)
    make.tag(manifest, tag)
    make.sbom(manifest, *packages, **sbom)
    make.evidence(manifest, kind=Kind.SIGNATURE)
    return manifest


def asked(before: str, after: str, **more: str) -> dict[str, str]:
    return {"from": f"{NAME}:{before}", "to": f"{NAME}:{after}", **more}


def test_the_headline_says_what_changed_and_who_signed(client: Client) -> None:
    tagged("1.25", make.package("3.3.1-r0"))
    tagged("1.26", make.package("3.3.2-r0"))
    text = client.get(reverse("compare"), asked("1.25", "1.26")).content.decode()
    assert "<h1>go 1.25 → 1.26: 1 package upgraded; same signer</h1>" in text
    assert "Nothing was downgraded." in text
    assert 'href="?from=cgr.dev%2Fchainguard%2Fgo%3A1.26&amp;to=cgr.dev%2Fchainguard%2Fgo%3A1.25"' in text


def test_without_references_the_page_asks_for_two(client: Client) -> None:
    text = client.get(reverse("compare")).content.decode()
    assert 'name="from"' in text
    assert 'name="to"' in text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"from": "cgr.dev/x/y:1", "to": "cgr.dev/x/y:2"}, "is not stored here"),
        ({"from": "cgr.dev/x/y:1"}, "Two references are needed"),
        ({"from": "a b", "to": "a b"}, "cannot be part"),
        ({"from": "a" * 801, "to": "b"}, "at most 800"),
        ({"from": "a\x00", "to": "b"}, ""),
    ],
)
def test_an_unknown_reference_is_a_sentence_beside_the_boxes(client: Client, query: dict[str, str], says: str) -> None:
    response = client.get(reverse("compare"), query)
    assert response.status_code == 200
    assert 'role="alert"' in response.content.decode()
    assert says in response.content.decode()


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (asked("1", "nothing"), ["to"]),
        (asked("nothing", "1"), ["from"]),
        (asked("1", "1", platform="plan9/mips"), ["platform", "to-platform"]),
    ],
)
def test_only_the_box_that_is_wrong_is_marked(client: Client, query: dict[str, str], fields: list[str]) -> None:
    tagged("1", make.package("1"))
    text = client.get(reverse("compare"), query).content.decode()
    boxes = re.findall(r'<input name="([a-z-]+)"[^>]*aria-invalid="true" aria-describedby="compare-error"', text)
    assert boxes == fields


def test_two_marked_tags_are_compared_from_the_older_which_is_listed_below(client: Client) -> None:
    tagged("1", make.package("1"))
    tagged("2", make.package("2"))
    response = client.get(reverse("compare"), {"mark": [f"{NAME}:2", f"{NAME}:1"]})
    assert len(response.context["difference"].packages.upgraded) == 1


def test_an_unverified_side_is_shown_with_a_warning(client: Client) -> None:
    tagged("1", make.package("1"))
    tagged("2", make.package("2"), state="signer-not-allowed")
    text = client.get(reverse("compare"), asked("1", "2")).content.decode()
    assert "is not verified (signer not allowed)" in text


def test_a_side_without_an_sbom_is_unknown_on_the_page(client: Client) -> None:
    tagged("1", make.package("1"))
    make.tag(make.manifest(make.image(NAME), "2"), "2")
    text = client.get(reverse("compare"), asked("1", "2")).content.decode()
    assert "<h1>go 1 → 2: packages unknown, for want of an SBOM; the second has no known signer</h1>" in text
    assert "Unknown: the configuration of a side is not stored." in text
    assert "Nothing was downgraded" not in text
    assert "1 removed" not in text


def test_only_the_part_of_a_signer_that_differs_is_marked(client: Client) -> None:
    tagged("1")
    make.evidence(tagged("2"), kind=Kind.SIGNATURE, identity=make.IDENTITY.replace("main", "fork"))
    text = client.get(reverse("compare"), asked("1", "2")).content.decode()
    assert "refs/heads/<del>main</del>" in text
    assert "refs/heads/<ins>fork</ins>" in text


def test_two_generators_are_warned_about(client: Client) -> None:
    tagged("1", make.package("1"))
    tagged("2", make.package("2"), generator="syft 1.57.0")
    assert "apko 0.30.1 and syft 1.57.0" in client.get(reverse("compare"), asked("1", "2")).content.decode()


def test_downloads_hold_the_same_differences(client: Client) -> None:
    tagged("1", make.package("3.3.1-r0"))
    tagged("2", make.package("3.3.2-r0"))
    answer = json.loads(client.get(reverse("compare-json"), asked("1", "2")).content)
    assert answer["packages"]["upgraded"][0]["to"] == ["3.3.2-r0"]
    lines = client.get(reverse("compare-csv"), asked("1", "2")).content.decode().splitlines()
    row, *others = csv.DictReader(lines)
    assert (row["change"], row["name"], row["to"]) == ("upgraded", "openssl", "3.3.2-r0")
    assert [(one["kind"], one["change"]) for one in others] == [("configuration", "unknown"), ("provenance", "unknown")]
    assert "| upgraded | `apk openssl` |" in client.get(reverse("compare-markdown"), asked("1", "2")).content.decode()


@pytest.mark.parametrize("name", ["compare-json", "compare-csv", "compare-markdown"])
def test_a_download_of_something_unknown_is_not_found(client: Client, name: str) -> None:
    response = client.get(reverse(name), asked("1", "2"))
    assert response.status_code == 404
    assert b"not stored here" in response.content


def test_what_an_sbom_says_is_only_text(client: Client) -> None:
    tagged("1")
    tagged("2", make.package(NAUGHTY, make.component(NAUGHTY, "generic", ""), license=NAUGHTY), generator=NAUGHTY)
    for before, after in (("1", "2"), ("2", "1")):
        text = client.get(reverse("compare"), asked(before, after)).content.decode()
        assert "<img" not in text
        assert "&lt;img" in text


def test_many_packages_take_no_more_queries_than_few(client: Client, django_assert_max_num_queries) -> None:
    tagged("1", *(make.package("1", make.component(f"lib{number}")) for number in range(30)))
    tagged("2", *(make.package("2", make.component(f"lib{number}")) for number in range(30)))
    with django_assert_max_num_queries(25):
        client.get(reverse("compare"), asked("1", "2"))
