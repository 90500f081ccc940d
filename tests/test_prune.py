from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from cgexplorer import ingest
from cgexplorer.spdx.query import parse
from cgexplorer.store.models import (
    Component,
    DriftEvent,
    Image,
    License,
    Manifest,
    Package,
    PackageImage,
    SavedSearch,
    Sbom,
    SbomDetail,
    SbomGraph,
    SbomPackages,
    Tag,
)  # fmt: skip
from cgexplorer.store.queries import build_history, consistency, follows, prunable
from cgexplorer.store.queries.compare import compare
from cgexplorer.store.queries.prunable import Rule
from cgexplorer.store.queries.search import search
from cgexplorer.store.record import prune, saved_searches, tags
from cgexplorer.store.record.saved_searches import Wish
from tests.fakes.source import MemorySource
from tests.ingesting import NAME, NOW, allow, attest, fetch, package, sign, signed_image, spdx, tables

pytestmark = pytest.mark.django_db
AT = [NOW + dt.timedelta(minutes=number) for number in range(5)]
SOON = NOW + dt.timedelta(days=40)
RULE = Rule(30, keep_newest=0)


def builds(*lists: tuple[str, ...]) -> tuple[MemorySource, list[str]]:
    """One tag that moved from build to build, a minute each; answers their digests too."""
    allow()
    source, digests = MemorySource(), []
    for number, names in enumerate(lists):
        signed_image(*names, into=source, created=f"2026-07-0{number + 1}T00:00:00Z")
        fetch(source, now=AT[number])
        digests.append(source.tagged["latest"])
    return source, digests


def everything_unused() -> dict[str, int]:
    return {kind: sum(prune.unused(kind, lambda: False)) for kind in prune.KINDS}


def pruned(rule: Rule = RULE, now: dt.datetime = SOON) -> list[str]:
    """Digests whose rows went."""
    gone = prune.some(Image.objects.get(), rule, now)
    everything_unused()
    return list(Sbom.objects.filter(pk__in=gone.sboms).order_by("pk").values_list("manifest__digest", flat=True))


def contents() -> dict[str, Any]:
    """All derived rows, without the ids that they happen to have."""
    identity = dict(Package.objects.values_list("pk", "identity"))
    bookkeeping = ("restored_at",)
    sboms = [
        {name: value for name, value in row.items() if name not in bookkeeping}
        for row in Sbom.objects.order_by("pk").values()
    ]
    return {
        "sboms": [{**row, "document_id": bytes(row["document_id"])} for row in sboms],
        "arrays": {
            row.pk: (row.image_id, row.searchable, sorted(identity[key] for key in row.package_ids))
            for row in SbomPackages.objects.all()
        },
        "graphs": {row.pk: bytes(row.data) for row in SbomGraph.objects.all()},
        "details": {
            row.pk: (bytes(row.packages), bytes(row.files), bytes(row.document)) for row in SbomDetail.objects.all()
        },
        "packages": sorted(
            (row.pop("identity"), bytes(row.pop("version_key") or b""), repr(row))
            for row in Package.objects.values(
                "identity", "version", "version_key", "arch", "role", "purl", "supplier", "built_from",
                "component__identity", "license__expression",
            )
        ),
        "in images": sorted(
            PackageImage.objects.values_list("package__identity", "image_id", "first_sbom_id"),
        ),
    }  # fmt: skip


def test_only_what_was_untagged_for_long_enough_goes() -> None:
    _, digests = builds(("a@1", "b@1"), ("a@2", "b@1"), ("a@3", "b@1"))

    assert pruned(now=AT[1] + dt.timedelta(days=30)) == []
    assert pruned(now=AT[1] + dt.timedelta(days=30, seconds=1)) == [digests[0]]
    assert pruned() == [digests[1]]
    assert pruned(now=NOW + dt.timedelta(days=9999)) == []  # the tag is at the last
    assert consistency.violations() == []


def test_the_newest_of_each_platform_are_kept_beside_what_is_tagged() -> None:
    _, digests = builds(("a@1",), ("a@2",), ("a@3",), ("a@4",))

    assert pruned(Rule(30, keep_newest=2)) == [digests[0]]
    assert pruned(Rule(30, keep_newest=2)) == []


def test_a_platform_of_a_tagged_index_is_never_pruned() -> None:
    allow()
    source = MemorySource()
    child = signed_image("a@1", into=source, tag="").push_image("", variant="x")
    attest(source, child, spdx("a@1"))
    sign(source, source.push_index("latest", amd64=child))
    fetch(source)

    assert pruned(now=NOW + dt.timedelta(days=9999)) == []

    tags.gone(Image.objects.get(), ["latest"], NOW + dt.timedelta(days=9))
    assert pruned(now=NOW + dt.timedelta(days=39)) == []  # untagged since the ninth day
    assert pruned(now=NOW + dt.timedelta(days=40)) == [child]


def test_what_is_signed_judged_or_seen_stays_as_it_was() -> None:
    builds(("a@1", "b@1"), ("a@2", "b@1"))
    derived = {
        "Sbom", "SbomPackages", "SbomGraph", "SbomDetail", "Package", "Component", "ComponentCpe",
        "PackageImage", "License", "UniverseChange", "UniverseDigest", "UniverseImage",
    }  # fmt: skip
    before = {name: rows for name, rows in tables().items() if name not in derived}

    assert pruned()

    assert {name: rows for name, rows in tables().items() if name not in derived} == before


def test_what_a_saved_search_over_all_history_found_stays() -> None:
    _, digests = builds(("openssl@1",), ("a@2",), ("a@3",))
    saved_searches.save("old openssl", Wish("openssl", scope="all"), NOW)
    saved_searches.save("openssl now", Wish("a<3"), NOW)
    before = DriftEvent.objects.count()

    assert pruned() == [digests[1]]
    for one in SavedSearch.objects.all():
        saved_searches.look_everywhere(one, SOON)

    assert DriftEvent.objects.count() == before


def test_rows_that_are_made_again_change_the_answer_of_a_search_that_was_saved_since() -> None:
    builds(("openssl@1",), ("a@2",))
    pruned()
    saved_searches.save("old openssl", Wish("openssl", scope="all"), SOON)

    ingest.reindex(Sbom.objects.get(pruned_at__isnull=False), now=SOON)

    assert DriftEvent.objects.latest("pk").search == "old openssl"


def test_shared_rows_go_when_nothing_holds_them_any_more() -> None:
    extra = package("odd@1", 7, licenseDeclared="LicenseRef-odd")
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    sign(source, digest)
    attest(source, digest, spdx(packages=[package("a@1"), extra]))
    fetch(source)
    signed_image("a@1", into=source, created="2026-07-02T00:00:00Z")
    fetch(source, now=AT[1])
    assert (Package.objects.count(), Component.objects.count(), License.objects.count()) == (2, 2, 2)

    prune.some(Image.objects.get(), RULE, SOON)

    assert everything_unused() == {"package": 1, "component": 1, "license": 1}
    assert Package.objects.get().purl == "pkg:apk/wolfi/a@1?arch=x86_64"
    assert PackageImage.objects.get().first_sbom.manifest.digest == source.tagged["latest"]
    assert consistency.violations() == []


def test_rows_that_are_made_again_are_those_of_before() -> None:
    _, digests = builds(("a@1", "b@1", "only-here@1"), ("a@2", "b@1"), ("a@3", "b@1"))
    before, counted = contents(), Component.objects.count()
    assert pruned() == digests[:2]
    assert Component.objects.count() == counted - 1
    said = io.StringIO()

    call_command("reindex", digests[1], f"{NAME}@{digests[0]}", stdout=said)

    assert contents() == before
    assert consistency.violations() == []
    assert json.loads(said.getvalue().splitlines()[-1]) == {"restored": 2, "failed": 0}


def test_rows_that_were_just_made_again_are_not_pruned_before_they_are_old_again() -> None:
    builds(("a@1",), ("a@2",))
    pruned()
    ingest.reindex(Sbom.objects.get(pruned_at__isnull=False), now=SOON)

    assert pruned(now=SOON + dt.timedelta(days=29)) == []
    assert len(pruned(now=SOON + dt.timedelta(days=31))) == 1


def test_judging_the_stored_evidence_again_makes_no_rows_but_a_verdict() -> None:
    _, digests = builds(("a@1", "gone@1"), ("a@2",))
    pruned()

    run = ingest.reverify(Manifest.objects.get(digest=digests[0]), now=SOON)

    assert run.state == "verified"
    assert not Package.objects.filter(component__name="gone").exists()
    assert consistency.violations() == []


def test_fetching_a_digest_again_makes_its_rows_again() -> None:
    source, digests = builds(("a@1",), ("a@2",))
    pruned()

    fetch(source, f"{NAME}@{digests[0]}", now=SOON)

    assert Sbom.objects.get(manifest__digest=digests[0]).indexed
    assert consistency.violations() == []


def test_a_tag_that_moves_back_to_a_pruned_digest_finds_rows_when_it_is_judged() -> None:
    _, digests = builds(("a@1",), ("a@2",))
    pruned()
    first = Manifest.objects.get(digest=digests[0])
    tags.observe(first.image, {"latest": first}, SOON)

    ingest.reverify(first, now=SOON)

    assert Sbom.objects.get(manifest=first).packages.searchable
    assert consistency.violations() == []


def test_a_sync_fetches_a_pruned_digest_that_a_tag_leads_to_again() -> None:
    _, digests = builds(("a@1",), ("a@2",))
    image = Image.objects.get()
    assert set(follows.settled(image, digests, (), AT[2])) == set(digests)

    pruned()

    assert set(follows.settled(image, digests, (), AT[2])) == {digests[1]}


def test_a_no_over_all_history_counts_what_was_pruned() -> None:
    builds(("a@1", "openssl@1"), ("a@2",))
    pruned()

    answer = search(parse("openssl"), scope="all")

    assert answer.hits == ()
    assert (answer.universe.digests, answer.universe.searched_digests, answer.universe.pruned_digests) == (2, 1, 1)
    assert [one.reason for one in answer.universe.blind] == [f"its SBOM's rows were pruned on {SOON:%Y-%m-%d}"]
    said = io.StringIO()
    call_command("search", "openssl", "--scope", "all", stdout=said)
    assert "the SBOM of 1 digest was pruned" in said.getvalue().splitlines()[0]
    assert search(parse("openssl")).universe.pruned_digests == 0  # nothing of what is current was


def test_a_package_page_says_how_many_sboms_it_does_not_count(client: Client) -> None:
    builds(("a@1", "openssl@1"), ("a@2",))
    assert "pruned" not in client.get("/packages/apk/wolfi/a").content.decode()
    pruned()

    assert "without the 1 whose rows were pruned" in client.get("/packages/apk/wolfi/a").content.decode()
    gone = client.get("/packages/apk/wolfi/openssl")
    assert gone.status_code == 404
    assert "The rows of 1 SBOM were pruned" in gone.content.decode()


def test_comparisons_say_the_same_as_before() -> None:
    _, digests = builds(("a@1", "b@1", "gone@1"), ("a@2", "b@1"), ("a@3", "b@1"))
    asked = f"{NAME}@{digests[0]}", f"{NAME}@{digests[1]}"
    before, history = compare(*asked).difference, build_history.build_history(f"{NAME}:latest")
    assert pruned() == digests[:2]

    assert compare(*asked).difference == before
    assert [one.changes for one in build_history.build_history(f"{NAME}:latest").builds] == [
        one.changes for one in history.builds
    ]


def test_a_tag_that_comes_back_is_compared_with_what_was_pruned() -> None:
    source, _ = builds(("a@2",))
    image = Image.objects.get()
    tags.gone(image, ["latest"], AT[1])
    assert pruned()
    signed_image("a@1", into=source, created="2026-07-09T00:00:00Z")

    fetch(source, now=SOON)

    assert image.drift.filter(kind="package-downgraded").exists()


def test_the_page_of_a_pruned_digest_says_so_and_its_downloads_are_whole(client: Client) -> None:
    _, digests = builds(("a@1", "b@1"), ("a@2",))
    page = f"/images/{NAME}@{digests[0]}"
    for tail in ("/-/packages.csv", "/-/packages.json", "/-/licenses.csv"):
        assert client.get(page + tail).status_code == 200, tail
    before = [b"".join(client.get(page + tail)) for tail in ("/-/packages.csv", "/-/packages.json", "/-/licenses.csv")]
    pruned()

    shown = client.get(page).content.decode()

    assert f"Its rows were pruned on {SOON:%Y-%m-%d}" in shown
    assert "untagged for more than 30 days" in shown
    assert "2 <small>packages</small>" in shown
    assert f"manage.py reindex {digests[0]}" in shown
    for tail in ("packages", "tree", "files", "licenses"):
        assert "Its rows were pruned" in client.get(f"{page}/-/{tail}").content.decode(), tail
    after = [b"".join(client.get(page + tail)) for tail in ("/-/packages.csv", "/-/packages.json", "/-/licenses.csv")]
    assert after == before


def test_a_run_that_was_killed_is_taken_up_where_it_was() -> None:
    _, digests = builds(("a@1",), ("a@2",), ("a@3",), ("a@4",))
    image = Image.objects.get()

    gone = prune.some(image, RULE, SOON, limit=1)  # and here the process ends: packages that nothing uses are left

    assert len(gone.sboms) == 1
    assert consistency.violations() == []
    assert Package.objects.count() == 4
    assert pruned() == digests[1:3]
    assert Package.objects.count() == 1


def test_what_was_fetched_within_a_day_stays_though_no_tag_leads_to_it() -> None:
    """A fetch stores its digests before it moves its tag."""
    source, _ = builds(("a@1",))
    fetch(source, f"{NAME}@{source.tagged['latest']}")
    Tag.objects.all().delete()

    assert pruned(Rule(prunable.SHORTEST_DAYS, 0), NOW + dt.timedelta(hours=23)) == []
