"""What a search says it is out of: counted as it changes, and always what counting everything would say."""

from __future__ import annotations

import random
import threading
from itertools import product

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cgexplorer.spdx.query import Scope, parse
from cgexplorer.store.models import Evidence, Image, Manifest, Sbom, SbomPackages, Tag, TagMove, UniverseChange
from cgexplorer.store.queries import consistency, universe_rules
from cgexplorer.store.queries.search import search
from cgexplorer.store.queries.universe import looked, universe
from cgexplorer.store.record import images, sboms, tags
from tests.at_once import together
from tests.store import factories as make

pytestmark = pytest.mark.django_db
PLATFORMS = ("linux/amd64", "linux/arm64", "unknown/unknown", "")
STATES = ("verified", "signer-not-allowed", "invalid", "")
SCOPES: tuple[Scope, ...] = ("current", "all")


def counted(scope: Scope, *, include_unverified: bool) -> tuple[object, ...]:
    """The slow truth, row by row."""
    digests: dict[tuple[str, str], bool] = {}
    for one in Manifest.objects.filter(is_index=False).exclude(platform="unknown/unknown").select_related("image"):
        tagged = Tag.objects.filter(manifest=one) | Tag.objects.filter(manifest__entries__manifest=one)
        if scope == "all" or tagged.exists():
            held = SbomPackages.objects.filter(sbom__manifest=one, sbom__indexed=True)
            if not include_unverified:
                held = held.filter(searchable=True) if scope == "current" else held.filter(
                    sbom__evidence__state="verified"
                )  # fmt: skip
            digests[one.image.name, one.digest] = held.exists()
    blind = {key for key, searched in digests.items() if not searched}
    return (
        len({name for name, _ in digests}),
        len(digests),
        len({name for name, _ in digests.keys() - blind}),
        len(digests) - len(blind),
        tuple(sorted({name for name, _ in blind})),
        blind,
    )


def told(scope: Scope, *, include_unverified: bool) -> tuple[object, ...]:
    found = universe(scope, include_unverified=include_unverified)
    blind = {(one.image, one.digest) for one in found.blind}
    return (
        found.images, found.digests, found.searched_images, found.searched_digests, found.blind_images, blind,
    )  # fmt: skip


def assert_true() -> None:
    for scope, unverified in product(SCOPES, (False, True)):
        assert told(scope, include_unverified=unverified) == counted(scope, include_unverified=unverified)


class Changes:
    """Something happens to a few images, by the writer's ways and by deletions that go past it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.images = [make.image(f"cgr.dev/chainguard/i{number}") for number in range(4)]
        self.number = 0

    def happen(self) -> None:
        ways = [
            self.build, self.build, self.index, self.tag, self.tag, self.untag, self.sbom, self.sbom, self.judge,
            self.platform, self.lose_contents, self.lose,
        ]  # fmt: skip
        self.chance.choice(ways)()

    def build(self) -> None:
        self.number += 1
        platform = self.chance.choice(PLATFORMS)
        make.manifest(self.chance.choice(self.images), str(self.number), platform=platform)

    def some(self, *, of: Image | None = None) -> list[Manifest]:
        found = Manifest.objects.filter(image=of or self.chance.choice(self.images)).order_by("pk")
        return self.chance.sample(list(found), min(len(found), 2))

    def index(self) -> None:
        """With what it names, or tagged before that is known."""
        image = self.chance.choice(self.images)
        bare = Manifest.objects.filter(image=image, is_index=True, entries=None).first()
        children = [one for one in self.some(of=image) if not one.is_index]
        self.number += bare is None
        made = bare or make.manifest(image, str(self.number), is_index=True)
        if bare or self.chance.random() < 0.5:
            images.entries(made, [(one.platform, one) for one in children])

    def tag(self) -> None:
        image = self.chance.choice(self.images)
        tags.observe(image, {self.chance.choice("ab"): one for one in self.some(of=image)}, make.NOW)

    def untag(self) -> None:
        tags.gone(self.chance.choice(self.images), ["a"], make.NOW)

    def sbom(self) -> None:
        for one in self.some():
            document = make.payload(self.chance.choice((b"one", b"other")))
            if not one.is_index and not Sbom.objects.filter(manifest=one, document=document).exists():
                state, indexed = self.chance.choice(STATES), self.chance.random() < 0.8
                held = make.sbom(one, state=state, searchable=False, indexed=indexed, document=document)
                Evidence.objects.filter(pk=held.evidence_id).update(sbom=held)
                images.refresh_searchable(one.image, [one.pk])

    def judge(self) -> None:
        for one in self.some():
            Evidence.objects.filter(manifest=one).update(state=self.chance.choice(STATES[:3]))
            sboms.choose_evidence(one)
            images.refresh_searchable(one.image, [one.pk])

    def platform(self) -> None:
        for one in self.some():
            Manifest.objects.filter(pk=one.pk).update(platform="" if one.is_index else self.chance.choice(PLATFORMS))

    def lose_contents(self) -> None:
        for one in self.some():
            SbomPackages.objects.filter(sbom__manifest=one).delete()

    def lose(self) -> None:
        """Of what no history names: an SBOM, evidence, a tag, a digest."""
        for one in self.some():
            kind = self.chance.choice((Sbom, Evidence, Tag, Manifest))
            if kind is Manifest and not TagMove.objects.filter(manifest=one).exists():
                one.delete()
            elif kind is not Manifest:
                kind.objects.filter(manifest=one).delete()


@pytest.mark.parametrize("seed", range(6))
def test_the_counts_are_what_counting_everything_says_whatever_happened(seed: int) -> None:
    changes = Changes(seed)
    for _ in range(60):
        changes.happen()
        assert [one.rule for one in consistency.violations() if one.rule in universe_rules.RULES] == []
    assert_true()


def test_an_image_that_is_gone_is_out_of_nothing() -> None:
    for name in ("cgr.dev/chainguard/go", "cgr.dev/chainguard/node"):
        image = make.image(name)
        make.sbom(make.manifest(image, "searched"))
        make.manifest(image, "blind")
    image.delete()
    assert told("all", include_unverified=False)[:4] == (1, 2, 1, 1)
    assert_true()


def test_many_changes_become_one_and_say_the_same() -> None:
    made = [make.manifest(make.image(f"cgr.dev/chainguard/i{number}")) for number in range(150)]
    assert UniverseChange.objects.count() < 128
    assert told("all", include_unverified=True)[:4] == (len(made), len(made), 0, 0)


def test_a_search_does_not_count_the_images() -> None:
    for number in range(5):
        held = make.manifest(make.image(f"cgr.dev/chainguard/i{number}"))
        make.tag(held)
        make.sbom(held, make.package("1"))
    with CaptureQueriesContext(connection) as asked:
        found = universe("current", include_unverified=False)
    assert (found.images, found.searched_images) == (5, 5)
    (statement,) = [query["sql"] for query in asked.captured_queries]
    assert "not_indexed_reason <> ''" in statement  # what the index sbom_not_whole holds, which is next to nothing
    assert "store_universechange" in statement


@pytest.mark.django_db(transaction=True)
def test_writers_of_two_images_do_not_wait_for_each_other_to_count() -> None:
    one, other = make.image("cgr.dev/chainguard/go"), make.image("cgr.dev/chainguard/node")
    first, second = threading.Event(), threading.Event()

    def meet(image: Image, mine: threading.Event, theirs: threading.Event) -> None:
        with transaction.atomic():
            make.manifest(image)
            mine.set()
            assert theirs.wait(10)  # within the transaction: both have counted, neither has committed

    assert together(lambda: meet(one, first, second), lambda: meet(other, second, first)) == []
    assert told("all", include_unverified=False)[:2] == (2, 2)


LEFT_OUT = "This document is larger than what is indexed: 10 of 50,010 packages are left out."


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("include_unverified", [False, True])
def test_what_an_sbom_lists_beyond_its_index_is_not_searched_and_that_is_said(
    scope: Scope, include_unverified: bool
) -> None:
    whole, cut, files = (make.manifest(make.image(f"cgr.dev/a/{name}")) for name in ("whole", "cut", "files"))
    for one in (whole, cut, files):
        make.tag(one)
    make.sbom(whole, make.package("1"))
    make.sbom(cut, make.package("1"), not_indexed_reason=LEFT_OUT)
    make.sbom(files, make.package("1"), not_indexed_reason=LEFT_OUT.replace("packages", "files"))
    found = universe(scope, include_unverified=include_unverified)
    assert (found.searched_digests, found.partly_digests) == (3, 1)
    assert [(one.image, one.state, one.reason) for one in found.partly] == [("cgr.dev/a/cut", "verified", LEFT_OUT)]
    reasons = {one.image: one.reason for one in looked(scope, include_unverified=include_unverified)}
    assert reasons == {"cgr.dev/a/whole": "", "cgr.dev/a/files": "", "cgr.dev/a/cut": LEFT_OUT}


def test_an_sbom_that_cannot_be_read_beside_one_that_can_is_said() -> None:
    manifest = make.manifest(make.image())
    make.tag(manifest)
    make.sbom(manifest, make.package("1"))
    unread = {"indexed": False, "not_indexed_reason": "It is no JSON.", "document": make.payload(b"other")}
    make.sbom(manifest, state="signer-not-allowed", **unread)
    assert universe("current", include_unverified=False).partly_digests == 0
    assert universe("current", include_unverified=True).partly[0].reason == "another SBOM: It is no JSON."
    Evidence.objects.update(state="verified")
    assert universe("current", include_unverified=False).partly_digests == 1


def test_a_digest_that_was_not_searched_at_all_is_not_one_searched_in_part() -> None:
    manifest = make.manifest(make.image())
    make.tag(manifest)
    make.sbom(manifest, indexed=False, not_indexed_reason="It is no JSON.")
    found = universe("current", include_unverified=False)
    assert (found.blind_digests, found.partly_digests) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_an_answer_and_its_universe_are_of_one_moment() -> None:
    """A tag that appears while a search runs is in both, or in neither."""
    held = make.manifest(make.image())
    make.tag(held)
    make.sbom(held, make.package("1"))

    def appear() -> None:
        late = make.manifest(make.image("cgr.dev/chainguard/late"))
        make.tag(late)
        make.sbom(late, make.package("1"))

    seen = iter([True])

    def while_asked(execute, sql, params, many, context):
        if "store_sbompackages" in sql and next(seen, False):
            assert together(appear) == []
        return execute(sql, params, many, context)

    with connection.execute_wrapper(while_asked):
        answer = search(parse("openssl"))
    assert next(seen, None) is None
    assert (answer.images, answer.universe.images) == (1, 1)
    assert search(parse("openssl")).universe.images == 2
