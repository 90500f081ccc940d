"""A crowd of signed images with SBOMs in a registry, and what the store must hold once all of them are taken in."""

from __future__ import annotations

import random

from cgexplorer import jobs
from cgexplorer.oci import reference as references
from cgexplorer.spdx import parse
from cgexplorer.store import blobs
from cgexplorer.store.models import (
    Activity,
    Evidence,
    Image,
    Manifest,
    Sbom,
    SbomPackages,
    Tag,
    TagMove,
    VerificationRun,
)
from cgexplorer.store.queries import consistency, payloads
from cgexplorer.store.record import registries as record
from tests.fakes.registry import FakeRegistry
from tests.fakes.source import MemorySource
from tests.ingesting import allow, attest, sign, spdx

PACKAGES = 250


class Crowd:
    """Images `<prefix>-0/app` … in waves: each wave moves every `latest` to another index with another SBOM.

    Their packages overlap, so that writers of different images meet in the same rows.
    """

    def __init__(self, registry: FakeRegistry, prefix: str, size: int, chance: random.Random) -> None:
        self.registry, self.prefix, self.size, self.chance = registry, prefix, size, chance
        self.waves = 0
        self.expected: dict[tuple[str, str], str] = {}  # image name, index → its platform
        self.latest: dict[str, str] = {}
        record.registry(registry.host, access="insecure")
        allow(pattern="127.0.0.1:*")

    def push(self) -> None:
        for number in range(self.size):
            source, repository = MemorySource(), f"{self.prefix}-{number}/app"
            child = source.push_image(created=f"2026-01-01T00:00:{self.waves % 60:02}Z", wave=self.waves, number=number)
            first = self.chance.randrange(2000)
            names = [f"lib{(first + each) % 2200}@1.{self.waves}.{each % 3}-r0" for each in range(PACKAGES)]
            self.chance.shuffle(names)
            attest(source, child, spdx(*names))
            sign(source, child)
            index = source.push_index("latest", amd64=child)
            sign(source, index)
            self.registry.load(source, repository)
            name = f"{self.registry.host}/{repository}"
            self.expected[name, index], self.latest[name] = child, index
        self.waves += 1

    def fetch(self) -> None:
        names = list(self.latest)
        self.chance.shuffle(names)
        for name in names:
            jobs.defer_fetch(references.parse(f"{name}:latest"))

    def missing(self) -> list[str]:
        """Images whose newest index, SBOM or tag is not there."""
        return [
            f"{name}: {self._told(name, index)}"
            for name, index in self.latest.items()
            if not self._is_there(name, index)
        ]

    def _told(self, name: str, index: str) -> str:
        newest = Activity.objects.filter(subject__startswith=name).order_by("-pk").first()
        work = f"{newest} after {newest.attempts} attempts {newest.error}" if newest else "never asked for"
        of_it = Manifest.objects.filter(image__name=name, digest__in=[index, self.expected[name, index]])
        return f"{work}; {list(of_it.values_list('state', 'problem', 'run__problems'))}"

    def _is_there(self, name: str, index: str) -> bool:
        child = self.expected[name, index]
        signed = {"manifest__image__name": name, "state": "verified", "kind": "signature"}
        return (
            Tag.objects.filter(image__name=name, name="latest", manifest__digest=index).exists()
            and Evidence.objects.filter(manifest__digest=index, **signed).count() == 1
            and Evidence.objects.filter(manifest__digest=child, **signed).count() == 1
            and SbomPackages.objects.filter(
                sbom__manifest__digest=child, searchable=True, package_ids__len=PACKAGES, image__name=name
            ).exists()
        )

    def half_ingested(self) -> list[str]:
        """Rules that the rows break, and SBOMs whose rows are not those of their bytes."""
        found = [f"{one.rule}: {one.examples}" for one in (*consistency.violations(), *consistency.damaged())]
        sboms = Sbom.objects.filter(image__name__in=self.latest).select_related("document", "detail", "graph")
        return found + [f"SBOM {one.pk} is not as parsed" for one in sboms.iterator(50) if not _is_as_parsed(one)]

    def duplicated(self) -> list[str]:
        """More rows than there are things.

        A platform may be there without its index: each is stored whole, and where a kill fell between the two the tag
        had moved on before the next attempt.
        """
        images = Image.objects.filter(name__in=self.latest)
        stored = {(m.image.name, m.digest) for m in Manifest.objects.filter(image__in=images).select_related("image")}
        indexes = len(stored & self.expected.keys())
        platforms = len(stored & {(name, child) for (name, _), child in self.expected.items()})
        counts = {
            "manifests": (Manifest.objects.filter(image__in=images).count(), indexes + platforms),
            "pieces of evidence": (Evidence.objects.filter(image__in=images).count(), indexes + 2 * platforms),
            "SBOMs": (Sbom.objects.filter(image__in=images).count(), platforms),
            "runs": (VerificationRun.objects.filter(image__in=images, trigger="ingest").count(), indexes + platforms),
            "moves of tags": (TagMove.objects.filter(image__in=images).count(), indexes),
        }
        return [f"{have} {what}, {want} expected" for what, (have, want) in counts.items() if have != want]


def _is_as_parsed(sbom: Sbom) -> bool:
    encoded = blobs.encode(parse.parse(payloads.content(sbom.document)))
    detail, graph = sbom.detail, bytes(sbom.graph.data)
    return (encoded.packages, encoded.files, encoded.document, encoded.graph) == (
        bytes(detail.packages), bytes(detail.files), bytes(detail.document), graph
    )  # fmt: skip
