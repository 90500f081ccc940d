"""Registries that lie, and tags that never stand still; rounds that many ask for at once."""

from __future__ import annotations

import random
import threading
import traceback
from collections import Counter
from itertools import pairwise
from pathlib import Path

from django.db import connection
from django.utils import timezone

from cgexplorer import registries, sync, sync_jobs
from cgexplorer.store.models import Activity, IndexEntry, Manifest, PackageImage, Sync, SyncItem, Tag
from cgexplorer.store.queries import consistency
from cgexplorer.store.record import follows, syncs
from cgexplorer.store.record import registries as record
from scripts.torture import ground
from scripts.torture.crowd import Crowd
from scripts.torture.figures import Figures
from scripts.torture.ground import Crew
from tests import hostile
from tests.fakes.registry import FakeRegistry
from tests.fakes.registry.faults import Fault
from tests.fakes.source import MemorySource
from tests.ingesting import allow, attest, sign, spdx


def faulty(home: Path, rounds: int, chance: random.Random) -> Figures:
    """Every fault at random places: no bad row, the reason told, others unharmed, a canary that nobody asks."""
    figures, harm = Figures("registry faults"), []
    ends: Counter[str] = Counter()
    for _ in range(rounds):
        for fault in Fault:
            try:
                ends += hostile.torture(1, chance.randrange(1 << 32), faults=[fault])
            except AssertionError as error:
                harm.append(str(error) or f"{fault}: {''.join(traceback.format_tb(error.__traceback__)[-2:])}")
    figures.none("harm done", harm)
    figures.tell("modes", len(Fault))
    for end, count in sorted(ends.items()):
        figures.tell(f"ended {end}", count)
    return figures


def flipping(home: Path, flips: int, chance: random.Random) -> Figures:
    """The tag moves to the other of two new images at every request while a round, or a fetch of the tag, goes on."""
    figures, images = Figures("a tag that flips"), dict[str, tuple[str, str]]()
    with FakeRegistry() as fake:
        allow(pattern="127.0.0.1:*")
        record.registry(fake.host, access="insecure")
        name, done = f"{fake.host}/{hostile.REPOSITORY}", 0
        follows.follow(follows.read(name, ["latest"]), timezone.now())
        while fake.flips < flips:
            pair = [_push(fake, f"of-{done}-{number}") for number in range(2)]
            images |= dict(pair)
            fake.flipping = (pair[0][0], pair[1][0])
            fake.flips += chance.randrange(2)  # which of the two is first
            for _ in range(2):
                done += 1
                if done % 4 == 0:
                    hostile.fetched(fake.host, hostile.CALM)
                else:
                    _round(name, fake)
        figures.tell("flips", fake.flips)
        figures.tell("rounds and fetches", done)
        figures.tell("images taken in", len(Tag.objects.get(image__name=name).manifest.image.manifests.all()))
        figures.none("rounds and fetches that failed", _failed(name))
        figures.none("rows that disagree", [one.rule for one in consistency.violations()])
        figures.none("images with rows of another", _mixed(images))
    return figures


def _push(fake: FakeRegistry, package: str) -> tuple[str, tuple[str, str]]:
    """An index whose platform holds this package: its digest, and what it must name."""
    source = MemorySource()
    child = source.push_image(created="2026-01-01T00:00:00Z", name=package)
    sign(source, child)
    attest(source, child, spdx(f"{package}@1-r0"))
    index = source.push_index("latest", amd64=child)
    sign(source, index)
    fake.load(source, hostile.REPOSITORY)
    return index, (child, package)


def _round(name: str, fake: FakeRegistry) -> None:
    found, _ = syncs.queue(name)
    with registries.connect(fake.host) as registry:
        while sync.work(found, registry):
            pass


def _failed(name: str) -> list[str]:
    bad = SyncItem.objects.filter(sync__name=name).exclude(state="done").values_list("reason", flat=True)
    return [*bad, *Activity.objects.filter(subject=name).exclude(state="done").values_list("error", flat=True)]


def _mixed(images: dict[str, tuple[str, str]]) -> list[str]:
    bad, stored = [], set(Manifest.objects.values_list("digest", flat=True))
    for digest, (child, name) in images.items():
        if digest not in stored:
            continue  # the tag never stood there when it was asked for
        entries = list(IndexEntry.objects.filter(index__digest=digest).values_list("manifest__digest", flat=True))
        held = PackageImage.objects.filter(first_sbom__manifest__digest=child)
        if entries != [child] or [each.package.component.name for each in held] != [name]:
            bad.append(digest)
    return bad


def many_rounds(home: Path, askers: int, chance: random.Random) -> Figures:
    """Many ask for rounds of the same repositories at the same time, two workers work: one round a repository."""
    figures, twice = Figures("one round a repository"), []
    with FakeRegistry() as registry, Crew(2, home) as crew:
        crowd = Crowd(registry, "rounds", 3, chance)
        crowd.push()
        for name in crowd.latest:
            follows.follow(follows.read(name), timezone.now())

        def ask() -> None:
            for name in list(crowd.latest) * 3:
                sync_jobs.defer_sync(name)
            connection.close()

        def look() -> None:
            open_rounds = Counter(Sync.objects.filter(finished_at=None).values_list("name", flat=True))
            twice.extend(name for name, count in open_rounds.items() if count > 1)

        for _ in range(askers // 10):
            threads = [threading.Thread(target=ask) for _ in range(10)]
            for thread in threads:
                thread.start()
            look()
            for thread in threads:
                thread.join()
            crowd.push()
            ground.until(lambda: ground.under_way() == 0, meanwhile=lambda: (look(), crew.revive()), for_s=120)
        for name in crowd.latest:
            sync_jobs.defer_sync(name)
        ground.until(lambda: ground.under_way() == 0, meanwhile=crew.revive, for_s=120)
        done = list(Sync.objects.filter(name__in=crowd.latest).order_by("name", "started_at"))
        pairs = pairwise(done)
        overlap = [str(b) for a, b in pairs if a.name == b.name and a.finished_at and b.started_at < a.finished_at]
        figures.tell("asked for", askers * 9)
        figures.tell("rounds", len(done))
        figures.none("two at a time", twice + overlap)
        figures.none("rounds that did not end well", [str(one) for one in done if one.activity.state != "done"])
        figures.none("lost", crowd.missing())
        figures.none("half-ingested", crowd.half_ingested())
    return figures
