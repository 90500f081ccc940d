"""A synthetic fleet for `make bench`: images whose builds share most of their packages, written by COPY.

Popularity of packages is Zipf's; from one build to the next 4 % of the packages are a version further, as measured on
real images. The rows are those that ingestion leaves, so the queries of pages and commands run on them unchanged. Only
the newest build of an image has its details (SbomDetail): the page of one SBOM needs no others beside it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from django.db import connection, transaction
from django.db.models import Model
from psycopg import Binary
from psycopg.types.json import Jsonb

from cgexplorer.spdx import document as spdx
from cgexplorer.spdx.versions import version_key
from cgexplorer.store import blobs
from cgexplorer.store.models import (
    Component,
    Evidence,
    Image,
    License,
    Manifest,
    Package,
    PackageImage,
    Payload,
    Registry,
    Sbom,
    SbomDetail,
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
    versions_of_none: int = 0  # of each component: known, but in no build

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
        return self.builds // CHANGED + 2 + self.versions_of_none


def of_size(occurrences: int, images: int = 2000) -> Fleet:
    """A fleet of about so many occurrences; fewer images when it is small."""
    images = min(images, max(20, occurrences // PACKAGES_OF_A_BUILD // 4))
    return Fleet(images, max(1, occurrences // PACKAGES_OF_A_BUILD // images))


type Row = tuple[object, ...]  # of the columns that differ from row to row


@transaction.atomic
def write(fleet: Fleet) -> None:
    """Into an empty, migrated database; as a superuser, since keys and triggers would take longest: they do not act."""
    chosen = _chosen_of_all(fleet)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL statement_timeout = 0")  # a COPY of millions of rows is one statement
    _save(License(pk=number, expression=one, sha256=_sha(one)) for number, one in enumerate(LICENSES, 1))
    _save([Payload(sha256=_sha("document"), size=2, data=b"{}"), Registry(pk=1, host="fleet.example")])
    _copy(Component, ("id", "name", "identity"), _components(fleet), ecosystem="apk", namespace="wolfi")
    _copy(Package, _PACKAGE, _packages(fleet), arch="x86_64", role="installed", supplier=SUPPLIER)
    _copy(Image, ("id", "repository", "name"), _images(fleet), registry_id=1, observed_at=NOW)
    _copy(Manifest, _MANIFEST, _manifests(fleet), platform=PLATFORM, observed_at=NOW, state="verified")
    _copy(Tag, ("id", "image_id", "manifest_id"), _tags(fleet), name="latest", moved_at=NOW, observed_at=NOW)
    _copy(Evidence, ("id", "manifest_id", "image_id", "fingerprint"), _evidence(fleet), **_EVIDENCE)
    _copy(Sbom, ("id", "manifest_id", "evidence_id", "image_id"), _sboms(fleet), **_SBOM)
    _copy(SbomPackages, ("sbom_id", "image_id", "searchable", "package_ids"), _contents(fleet, chosen))
    _copy(SbomDetail, ("sbom_id", "image_id", "packages", "files", "document"), _details(fleet, chosen))
    _copy(PackageImage, ("package_id", "image_id", "first_sbom_id"), _packages_of_images(fleet, chosen))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("SELECT store_universe_refresh(ARRAY(SELECT id FROM store_manifest))")
        for table in ("store_license", "store_registry"):  # saved with their numbers, so that nothing was counted
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")


PLATFORM, SUPPLIER = "linux/amd64", "Organization: Wolfi"
_PACKAGE = ("id", "identity", "component_id", "version", "version_key", "purl", "license_id", "built_from")
_MANIFEST = ("id", "image_id", "digest", "created_at", "first_seen_at")
_EVIDENCE: Mapping[str, object] = {
    "content_id": hashlib.sha256(b"document").digest(),
    "form": "bundle",
    "kind": "attestation",
    "first_seen_at": NOW,
    "observed_at": NOW,
    "state": "verified",
    "predicate_type": "https://spdx.dev/Document",
    "identity": "builder",
    "issuer": "issuer",
}
_SBOM: Mapping[str, object] = {
    "document_id": hashlib.sha256(b"document").digest(),
    "platform": PLATFORM,
    "format": "spdx",
    "generator": "apko",
    "indexed": True,
    "installed_count": PACKAGES_OF_A_BUILD,
    "package_count": PACKAGES_OF_A_BUILD,
    "ingested_at": NOW,
}


def _save(rows: Iterable[Model]) -> None:
    for row in rows:
        row.save(force_insert=True)


def _copy(model: type[Model], differing: tuple[str, ...], rows: Iterable[Row], **same: object) -> None:
    """COPY of what `save` would have written: `same`, or the default, in each column that does not differ."""
    first = model(**same)
    fields = [field for field in model._meta.concrete_fields if field.column and field.column not in differing]
    constant = [_text(field.get_db_prep_save(field.pre_save(first, add=True), connection)) for field in fields]
    line = "\t".join(["%s"] * len(differing) + [text.replace("%", "%%") for text in constant]) + "\n"
    table, columns = model._meta.db_table, ", ".join([*differing, *(field.column for field in fields)])
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write(line % tuple(map(_text, row)))
        if model._meta.pk.get_internal_type().endswith("AutoField"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")


def _text(value: object) -> str:
    """As COPY's text format spells it; no text of the fleet has anything in it that would need an escape."""
    if type(value) is int or type(value) is str:
        return str(value)
    if value is None:
        return "\\N"
    if isinstance(value, Jsonb):
        return json.dumps(value.obj)
    if isinstance(value, Binary):
        value = value.obj
    if isinstance(value, bytes | memoryview):
        return "\\\\x" + value.hex()
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


def _sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@cache
def name_of(component: int) -> str:
    """Names as different from each other as real ones: syllables by the number's hash, and the number."""
    spelt = hashlib.blake2b(str(component).encode(), digest_size=4).digest()
    return "".join(SYLLABLES[byte % len(SYLLABLES)] for byte in spelt) + f"-{component}"


def version_of(version: int) -> str:
    return f"1.{version}.0-r0"


def package_id(fleet: Fleet, component: int, version: int) -> int:
    return component * fleet.versions + version + 1


def version_in(build: int, component: int) -> int:
    """That a build of this number has of a component."""
    return (build + component % CHANGED) // CHANGED


def _components(fleet: Fleet) -> Iterator[Row]:
    for number in range(fleet.components):
        yield number + 1, name_of(number), uuid.UUID(int=number)


def _packages(fleet: Fleet) -> Iterator[Row]:
    versions = [(version_of(number), version_key("apk", version_of(number))) for number in range(fleet.versions)]
    for component in range(fleet.components):
        name, licence = name_of(component), component % len(LICENSES) + 1
        for number, (version, order) in enumerate(versions):
            key = package_id(fleet, component, number)
            purl = purl_of(name, version)
            yield key, uuid.UUID(int=key), component + 1, version, order, purl, licence, f"source-{component // 3}"


def purl_of(name: str, version: str) -> str:
    return f"pkg:apk/wolfi/{name}@{version}?arch=x86_64"


def _images(fleet: Fleet) -> Iterator[Row]:
    for number in range(1, fleet.images + 1):
        path = f"team/app-{number}"
        yield number, path, f"fleet.example/{path}"


def _builds(fleet: Fleet) -> Iterator[tuple[int, int, int]]:
    """(number of the build over all, image, build)."""
    number = 0
    for image in range(1, fleet.images + 1):
        for build in range(fleet.builds):
            number += 1
            yield number, image, build


def _manifests(fleet: Fleet) -> Iterator[Row]:
    for number, image, build in _builds(fleet):
        made = NOW - dt.timedelta(days=fleet.builds - build)
        yield number, image, digest_of(image, build), made, made


def digest_of(image: int, build: int) -> str:
    return f"sha256:{_sha(f'{image} {build}').hex()}"


def reference(image: int, build: int) -> str:
    return f"fleet.example/team/app-{image}@{digest_of(image, build)}"


def _tags(fleet: Fleet) -> Iterator[Row]:
    for number, image, build in _builds(fleet):
        if build == fleet.builds - 1:
            yield image, image, number


def _evidence(fleet: Fleet) -> Iterator[Row]:
    for number, image, _ in _builds(fleet):
        yield number, number, image, _sha(f"evidence {number}")


def _sboms(fleet: Fleet) -> Iterator[Row]:
    for number, image, _ in _builds(fleet):
        yield number, number, number, image


def _contents(fleet: Fleet, chosen: list[list[int]]) -> Iterator[Row]:
    for number, image, build in _builds(fleet):
        # One number a component leaves room for its versions, so the order of components is that of packages.
        ids = [package_id(fleet, one, version_in(build, one)) for one in chosen[image - 1]]
        yield number, image, build == fleet.builds - 1, ids


def _details(fleet: Fleet, chosen: list[list[int]]) -> Iterator[Row]:
    for number, image, build in _builds(fleet):
        if build == fleet.builds - 1:
            elements = tuple(_element(one, version_of(version_in(build, one))) for one in chosen[image - 1])
            encoded = blobs.encode(_document(elements))
            yield number, image, encoded.packages, encoded.files, encoded.document


def _document(elements: tuple[spdx.Package, ...]) -> spdx.Document:
    return spdx.Document(
        format="spdx", spec_version="SPDX-2.3", name="sbom", namespace="https://fleet.example", created="",
        creators=(), generator="apko", packages=elements, files=(), graph=spdx.Graph((), (), ()), described=(),
    )  # fmt: skip


def _element(component: int, version: str) -> spdx.Package:
    name = name_of(component)
    return spdx.Package(
        spdx_id=f"SPDXRef-Package-{name}-{version}", name=name, version=version, role=spdx.Role.INSTALLED,
        ecosystem="apk", namespace="wolfi", purl_name=name, arch="x86_64", purl=purl_of(name, version),
        license=LICENSES[component % len(LICENSES)], supplier=SUPPLIER, built_from=f"source-{component // 3}",
    )  # fmt: skip


def _packages_of_images(fleet: Fleet, chosen: list[list[int]]) -> Iterator[Row]:
    """Each with the first build that has it: versions only rise."""
    for image, components in enumerate(chosen, 1):
        for component in components:
            last = -1
            for build in range(fleet.builds):
                if (version := version_in(build, component)) != last:
                    last = version
                    yield package_id(fleet, component, version), image, (image - 1) * fleet.builds + build + 1


def _chosen_of_all(fleet: Fleet) -> list[list[int]]:
    """Components of each image, in order."""
    chance = random.Random(1)
    popularity = list(accumulate(1 / rank for rank in range(1, MIDDLE_NAMES + 1)))
    return [sorted(_chosen(chance, popularity, image)) for image in range(1, fleet.images + 1)]


def _chosen(chance: random.Random, popularity: list[float], image: int) -> set[int]:
    common = chance.sample(range(COMMON_NAMES), COMMON)
    chosen = set(common)
    while len(chosen) < COMMON + MIDDLE:
        rank = chance.choices(range(MIDDLE_NAMES), cum_weights=popularity, k=MIDDLE)
        chosen |= {COMMON_NAMES + one for one in rank[: COMMON + MIDDLE - len(chosen)]}
    first = COMMON_NAMES + MIDDLE_NAMES + (image - 1) * OWN
    return chosen | set(range(first, first + OWN))
