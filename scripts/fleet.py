"""A synthetic fleet for `make bench`: images whose builds share most of their packages, written by COPY.

Popularity of packages is Zipf's; from one build to the next 4 % of the packages are a version further, as measured on
real images. The rows are those that ingestion leaves, so the queries of pages and commands run on them unchanged.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from django.db import connection
from django.db.models import Model

from cgexplorer.spdx.versions import version_key
from cgexplorer.store.models import (
    Component,
    Evidence,
    Image,
    License,
    Manifest,
    Package,
    Payload,
    Registry,
    Sbom,
    SbomPackages,
    Tag,
)

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
PACKAGES_OF_A_BUILD = 250
COMMON, MIDDLE, OWN = 60, 150, 40  # of them: in most images, in some, in this one only
COMMON_NAMES, MIDDLE_NAMES = 200, 60_000
CHANGED = 25  # one package in so many is a version further with each build
SYLLABLES = (
    "ba", "cor", "dex", "fi", "gra", "hu", "ip", "jam", "kel", "lo", "mir", "net", "os", "py", "qt", "ru", "ssl", "tar",
    "ux", "vim", "wer", "xm", "yam", "zip",
)  # fmt: skip
LICENSES = ("MIT", "Apache-2.0", "GPL-2.0-only", "GPL-3.0-or-later", "BSD-3-Clause", "LGPL-2.1-or-later", "ISC")


@dataclass(frozen=True)
class Fleet:
    images: int
    builds: int  # of each image; the newest has the tag

    @property
    def sboms(self) -> int:
        return self.images * self.builds

    @property
    def occurrences(self) -> int:
        return self.sboms * PACKAGES_OF_A_BUILD

    @property
    def components(self) -> int:
        return COMMON_NAMES + MIDDLE_NAMES + self.images * OWN

    @property
    def versions(self) -> int:
        """Of each component that there is room for."""
        return self.builds // CHANGED + 2


def of_size(occurrences: int, images: int = 2000) -> Fleet:
    """A fleet of about so many occurrences; fewer images when it is small."""
    images = min(images, max(20, occurrences // PACKAGES_OF_A_BUILD // 4))
    return Fleet(images, max(1, occurrences // PACKAGES_OF_A_BUILD // images))


def write(fleet: Fleet) -> None:
    """Into an empty, migrated database."""
    for model, rows in (
        (License, _licenses()),
        (Component, _components(fleet)),
        (Package, _packages(fleet)),
        (Payload, [Payload(sha256=_sha("document"), size=2, data=b"{}")]),
        (Registry, [Registry(pk=1, host="fleet.example")]),
        (Image, _images(fleet)),
        (Manifest, _manifests(fleet)),
        (Tag, _tags(fleet)),
        (Evidence, _evidence(fleet)),
        (Sbom, _sboms(fleet)),
        (SbomPackages, _contents(fleet)),
    ):
        _copy(model, rows)
    with connection.cursor() as cursor:
        for statement in _ROLLUPS:
            cursor.execute(statement)


_ROLLUPS = (
    "INSERT INTO store_packageimage (package_id, image_id, first_sbom_id) SELECT u, image_id, min(sbom_id)"
    " FROM store_sbompackages, unnest(package_ids) u GROUP BY 1, 2",
    "INSERT INTO store_componentimage (component_id, image_id) SELECT DISTINCT p.component_id, i.image_id"
    " FROM store_packageimage i JOIN store_package p ON p.id = i.package_id",
)


def _copy(model: type[Model], rows: Iterable[Model]) -> None:
    """COPY of what `save` would have written."""
    fields = [field for field in model._meta.concrete_fields if field.column]
    columns = ", ".join(field.column for field in fields)
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {model._meta.db_table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields])
        if fields[0].get_internal_type().endswith("AutoField"):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{model._meta.db_table}', 'id'), max(id)) "
                f"FROM {model._meta.db_table}"
            )


def _sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _licenses() -> Iterator[License]:
    for number, expression in enumerate(LICENSES, 1):
        yield License(pk=number, expression=expression, sha256=_sha(expression))


def name_of(component: int) -> str:
    """Names as different from each other as real ones: syllables by the number's hash, and the number."""
    spelt = hashlib.blake2b(str(component).encode(), digest_size=4).digest()
    return "".join(SYLLABLES[byte % len(SYLLABLES)] for byte in spelt) + f"-{component}"


def _components(fleet: Fleet) -> Iterator[Component]:
    for number in range(fleet.components):
        identity = uuid.UUID(int=number)
        yield Component(pk=number + 1, ecosystem="apk", namespace="wolfi", name=name_of(number), identity=identity)


def version_of(version: int) -> str:
    return f"1.{version}.0-r0"


def package_id(fleet: Fleet, component: int, version: int) -> int:
    return component * fleet.versions + version + 1


def _packages(fleet: Fleet) -> Iterator[Package]:
    for component in range(fleet.components):
        for number in range(fleet.versions):
            version, name = version_of(number), name_of(component)
            key = package_id(fleet, component, number)
            yield Package(
                pk=key,
                identity=uuid.UUID(int=key),
                component_id=component + 1,
                version=version,
                version_key=version_key("apk", version),
                arch="x86_64",
                role="installed",
                purl=f"pkg:apk/wolfi/{name}@{version}?arch=x86_64",
                license_id=component % len(LICENSES) + 1,
                supplier="Organization: Wolfi",
                built_from=f"source-{component // 3}",
            )


def _images(fleet: Fleet) -> Iterator[Image]:
    for number in range(1, fleet.images + 1):
        path = f"team/app-{number}"
        yield Image(pk=number, registry_id=1, repository=path, name=f"fleet.example/{path}", observed_at=NOW)


def _builds(fleet: Fleet) -> Iterator[tuple[int, int, int]]:
    """(number of the build over all, image, build)."""
    number = 0
    for image in range(1, fleet.images + 1):
        for build in range(fleet.builds):
            number += 1
            yield number, image, build


def _manifests(fleet: Fleet) -> Iterator[Manifest]:
    for number, image, build in _builds(fleet):
        made = NOW - dt.timedelta(days=fleet.builds - build)
        yield Manifest(
            pk=number,
            image_id=image,
            digest=f"sha256:{_sha(f'{image} {build}').hex()}",
            platform="linux/amd64",
            created_at=made,
            first_seen_at=made,
            observed_at=NOW,
            state="verified",
        )


def _tags(fleet: Fleet) -> Iterator[Tag]:
    for number, image, build in _builds(fleet):
        if build == fleet.builds - 1:
            yield Tag(pk=image, image_id=image, manifest_id=number, name="latest", moved_at=NOW, observed_at=NOW)


def _evidence(fleet: Fleet) -> Iterator[Evidence]:
    for number, image, _ in _builds(fleet):
        yield Evidence(
            pk=number,
            image_id=image,
            manifest_id=number,
            content_id=_sha("document"),
            form="bundle",
            kind="attestation",
            fingerprint=_sha(f"evidence {number}"),
            first_seen_at=NOW,
            observed_at=NOW,
            state="verified",
            predicate_type="https://spdx.dev/Document",
            identity="builder",
            issuer="issuer",
        )


def _sboms(fleet: Fleet) -> Iterator[Sbom]:
    for number, image, _ in _builds(fleet):
        yield Sbom(
            pk=number,
            image_id=image,
            manifest_id=number,
            evidence_id=number,
            document_id=_sha("document"),
            platform="linux/amd64",
            format="spdx",
            generator="apko",
            indexed=True,
            installed_count=PACKAGES_OF_A_BUILD,
            package_count=PACKAGES_OF_A_BUILD,
            ingested_at=NOW,
        )


def _contents(fleet: Fleet) -> Iterator[SbomPackages]:
    chance = random.Random(1)
    popularity = list(accumulate(1 / rank for rank in range(1, MIDDLE_NAMES + 1)))
    number = 0
    for image in range(1, fleet.images + 1):
        components = _chosen(chance, popularity, image)
        for build in range(fleet.builds):
            number += 1
            ids = sorted(package_id(fleet, one, (build + one % CHANGED) // CHANGED) for one in components)
            yield SbomPackages(sbom_id=number, image_id=image, searchable=build == fleet.builds - 1, package_ids=ids)


def _chosen(chance: random.Random, popularity: list[float], image: int) -> set[int]:
    common = chance.sample(range(COMMON_NAMES), COMMON)
    chosen = set(common)
    while len(chosen) < COMMON + MIDDLE:
        rank = chance.choices(range(MIDDLE_NAMES), cum_weights=popularity, k=MIDDLE)
        chosen |= {COMMON_NAMES + one for one in rank[: COMMON + MIDDLE - len(chosen)]}
    first = COMMON_NAMES + MIDDLE_NAMES + (image - 1) * OWN
    return chosen | set(range(first, first + OWN))
