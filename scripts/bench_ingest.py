"""How fast documents become rows: real ones, and builds of one synthetic image after another that share their packages.

What is compared to is the usual way, spdx-tools' parser and one wide row for each package by the ORM, and the least
that can be done, COPY of the finished arrays into a table without any index. All of it on the same documents.

    python -m scripts.bench_ingest        these figures alone
"""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import transaction

from scripts.bench import SHARED, Result, use_database

BUILDS, PACKAGES, CHANGED = 60, 250, 25  # one package in CHANGED is a version further with each build
WRITTEN = 200  # documents by each of two writers
BATCH = 20  # documents that the usual way is given: it takes its time
NOW = dt.datetime.now(dt.UTC)


def figures() -> list[Result]:
    """On the database that is set up already."""
    return [*_rates(), *_real()]


def _rates() -> list[Result]:
    """Occurrences a second, of wall time: the database's part is most of it."""
    from cgexplorer.spdx.parse import parse

    major, other = _major(), _major()
    raw = [document(build, major) for build in range(BUILDS)]
    parsed = [(one, parse(one)) for one in raw]
    recorder = _Recorder("rate")
    prepared = [recorder.prepared(*one) for one in parsed]
    recorder.save(*prepared.pop(0))  # warm, and the packages of the first build are known
    ours = _occurrences_a_second(lambda: [recorder.save(*one) for one in prepared], len(prepared))
    together = _two_writers()
    bare = _occurrences_a_second(lambda: _copy_arrays(recorder.arrays), len(recorder.arrays))
    whole, others = _Recorder("whole"), [document(build, other) for build in range(BUILDS + 1)]
    whole.take(others.pop(0))
    from_bytes = _occurrences_a_second(lambda: [whole.take(one) for one in others], len(others))
    usual = _occurrences_a_second(lambda: _wide_rows(raw[:BATCH]), BATCH)
    what = f"{BUILDS} SBOMs of {PACKAGES} packages, 96 % shared"
    return [
        Result(
            f"record {what}, by two writers at once",
            round(together),
            "/s",
            "one writer",
            round(ours[0]),
            round(together / ours[0], 3),
            "≥ 60,000",
        ),
        *_rate(f"record {what}", ours, "COPY of the bare arrays", bare, ""),
        *_rate(f"parse and record {what}", from_bytes, "spdx-tools and wide rows by the ORM", usual, ""),
    ]


def _two_writers() -> float:
    """Occurrences a second that two processes record together, each into an image of its own, as the workers do."""
    # Packages of their own: writers of the same new ones at the same moment would wait for each other.
    commands = [[sys.executable, "-m", "scripts.bench_ingest", "--writer", str(_major())] for _ in range(2)]
    writers = [subprocess.Popen(one, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for one in commands]
    for one in writers:
        assert one.stdout is not None
        one.stdout.readline()  # it is prepared
    ended = [one.communicate(b"go\n")[0] for one in writers]
    times = [json.loads(one) for one in ended]
    took = max(end for _, end in times) - min(begun for begun, _ in times)
    return 2 * WRITTEN * PACKAGES / took


def _writer(major: int) -> None:
    from cgexplorer.spdx.parse import parse

    use_database("cgexplorer_bench")
    recorder = _Recorder("writer")
    raw = [document(build, major) for build in range(WRITTEN + 1)]
    prepared = [recorder.prepared(one, parse(one)) for one in raw]
    recorder.save(*prepared.pop(0))
    print("prepared", flush=True)
    sys.stdin.readline()
    begun = time.monotonic()
    for one in prepared:
        recorder.save(*one)
    print(json.dumps([begun, time.monotonic()]))


def _occurrences_a_second(work: Callable[[], object], documents: int) -> tuple[float, float]:
    """Of wall time and of CPU."""
    wall, cpu = _timed(work)
    return documents * PACKAGES / wall * 1000, documents * PACKAGES / cpu * 1000


def _rate(
    name: str, values: tuple[float, float], against: str, against_values: tuple[float, float], target: str
) -> list[Result]:
    return [
        Result(name + of_what, round(value), unit, against, round(other), round(value / other, 3), target)
        for value, other, unit, of_what in zip(
            values, against_values, ("/s", "/CPU s"), (", occurrences", ", occurrences of CPU"), strict=True
        )
    ]


def _major() -> int:
    """A version that no earlier run wrote: what it left would make all packages known."""
    return time.time_ns()


def document(build: int, major: int) -> bytes:
    """SPDX JSON as apko writes it. The next build has the same packages, one in CHANGED a version further."""
    packages = [_package(number, f"{major}.{(build + number) // CHANGED}.0-r0") for number in range(PACKAGES)]
    image = {"SPDXID": "SPDXRef-image", "name": "bench", "downloadLocation": "NOASSERTION", "filesAnalyzed": False}
    return json.dumps(
        {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": "bench",
            "documentNamespace": f"https://example.com/bench/{build}",
            "creationInfo": {"created": "2026-11-24T00:00:00Z", "creators": ["Tool: bench"]},
            "packages": [image, *packages],
            "relationships": [
                _relationship("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
                *(_relationship("SPDXRef-image", "CONTAINS", one["SPDXID"]) for one in packages),
            ],
        }
    ).encode()


def _package(number: int, version: str) -> dict[str, Any]:
    name = f"bench-{number:03}"
    return {
        "SPDXID": f"SPDXRef-Package-{number}",
        "name": name,
        "versionInfo": version,
        "supplier": "Organization: Wolfi",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": ("MIT", "Apache-2.0", "GPL-2.0-only", "BSD-3-Clause AND MIT")[number % 4],
        "copyrightText": "NOASSERTION",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:apk/wolfi/{name}@{version}?arch=x86_64",
            }
        ],
    }


def _relationship(source: str, kind: str, target: str) -> dict[str, str]:
    return {"spdxElementId": source, "relationshipType": kind, "relatedSpdxElement": target}


class _Recorder:
    """The way of documents into one image's rows, from after their verification on."""

    def __init__(self, name: str) -> None:
        from cgexplorer.oci.reference import Reference
        from cgexplorer.store.record import images

        self.image = images.image(Reference("bench.example", f"{name}-{time.time_ns()}"), NOW)
        self.arrays: list[list[int]] = []
        self._manifests = itertools.count(1)

    def take(self, raw: bytes) -> None:
        """All that is done for an attestation once its signature holds: parsing, and the manifest's transaction."""
        from cgexplorer.oci.digest import of as digest_of
        from cgexplorer.spdx.parse import parse
        from cgexplorer.store.record import unit
        from cgexplorer.store.record.sboms import ParsedSbom
        from cgexplorer.verify.verdict import State

        one = unit.Unit("bench", digest_of(raw), State.UNSIGNED, "", file=ParsedSbom(raw, parse(raw)))
        unit.save(self.image, one, unit.Occasion("ingest", "file", NOW, None, {}), NOW)

    def prepared(self, raw: bytes, document: Any) -> tuple[Any, Any]:
        """What is there before the document's own rows: its manifest, and its bytes."""
        from cgexplorer.store.models import Manifest
        from cgexplorer.store.record import payloads
        from cgexplorer.store.record.sboms import ParsedSbom

        digest = f"sha256:{next(self._manifests):064x}"
        with transaction.atomic():
            payloads.put([raw])
            seen = {"first_seen_at": NOW, "observed_at": NOW}
            return Manifest.objects.create(image=self.image, digest=digest, **seen), ParsedSbom(raw, document)

    def save(self, manifest: Any, parsed: Any) -> None:
        """Identities, array, blobs and rollups of one document, in a transaction."""
        from cgexplorer.store.record import packages, sboms

        with transaction.atomic():
            ids = packages.intern(sboms.contents(parsed.document))
            sboms.save(manifest, parsed, ids, NOW)
        self.arrays.append(sorted(set(ids)))


def _copy_arrays(arrays: list[list[int]]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_arrays (sbom_id int, package_ids int[])")
        for number, array in enumerate(arrays):
            with transaction.atomic(), cursor.copy("COPY bench_arrays FROM STDIN") as copy:
                copy.write_row((number, array))


def _wide_rows(raw: list[bytes]) -> None:
    """As a Django project would do it first: spdx-tools' model, and every package of every document a row."""
    from django.db import connection, models
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser

    class WidePackage(models.Model):  # noqa: DJ008  (nobody reads its rows)
        sbom = models.IntegerField(db_index=True)
        spdx_id = models.TextField()
        name = models.TextField(db_index=True)
        version = models.TextField()
        supplier = models.TextField()
        download_location = models.TextField()
        license_declared = models.TextField()
        license_concluded = models.TextField()
        purl = models.TextField(db_index=True)

        class Meta:
            app_label = "bench"

    with connection.schema_editor() as editor:
        editor.execute("DROP TABLE IF EXISTS bench_widepackage")
        editor.create_model(WidePackage)
    for number, one in enumerate(raw):
        packages = JsonLikeDictParser().parse(json.loads(one)).packages
        with transaction.atomic():
            WidePackage.objects.bulk_create(
                WidePackage(
                    sbom=number,
                    spdx_id=package.spdx_id,
                    name=package.name,
                    version=package.version or "",
                    supplier=str(package.supplier or ""),
                    download_location=str(package.download_location),
                    license_declared=str(package.license_declared),
                    license_concluded=str(package.license_concluded),
                    purl=package.external_references[0].locator if package.external_references else "",
                )
                for package in packages
            )


def _real() -> Iterator[Result]:
    """Each in a process of its own: so its peak memory is its own, too."""
    for name, runs, target, memory in (
        ("chainguard-postgres/postgres-arm64.spdx.json", 15, "≤ 20", ""),
        ("spdx/syft-dockerhub/rabbitmq.json", 7, "≤ 250", ""),
        ("spdx-large/debian-build-host.spdx.json.zst", 3, "≤ 3000", "≤ 768"),
    ):
        file = SHARED / name
        if not file.exists():
            continue
        ours, theirs = _in_its_own_process(file, runs, "ours"), _in_its_own_process(file, 1, "spdx-tools")
        title, against = f"{file.name}, {ours['bytes'] // 1024} KB:", "spdx-tools' parser alone"
        yield _against(f"{title} parsed and stored", ours["ms"], "ms", against, theirs["ms"], target)
        yield _against(f"{title} parsed and stored, CPU", ours["cpu"], "ms", against, theirs["cpu"], "")
        if memory:
            yield _against(f"{title} peak memory", ours["mib"], "MiB", against, theirs["mib"], memory)


def _against(name: str, value: float, unit: str, against: str, against_value: float, target: str) -> Result:
    return Result(name, value, unit, against, against_value, round(value / against_value, 4), target)


def _in_its_own_process(file: Path, runs: int, way: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "scripts.bench_ingest", str(file), str(runs), way]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _one_document(file: Path, runs: int, way: str) -> dict[str, Any]:
    raw = _bytes(file)
    if way == "ours":
        use_database("cgexplorer_bench")
        recorder = _Recorder("real")
        recorder.take(raw)  # what is imported late, and the packages: in a fleet nearly all are known
        # A blank more each time: other bytes, the same document.
        times = [_timed(lambda blanks=run: recorder.take(raw + b" " * (blanks + 1))) for run in range(runs)]
    else:
        from spdx_tools.spdx.parser.error import SPDXParsingError
        from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser

        def parse() -> None:
            with suppress(SPDXParsingError):  # of one element; it says so after it has read them all
                JsonLikeDictParser().parse(json.loads(raw))

        times = [_timed(parse) for _ in range(runs)]
    wall, cpu = (round(min(one), 1) for one in zip(*times, strict=True))  # other programs only ever add to it
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"bytes": len(raw), "ms": wall, "cpu": cpu, "mib": mib}


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of wall time, and of CPU: this process and the server's process behind its connection."""
    wall, cpu = time.perf_counter(), _cpu_s()
    work()
    return (time.perf_counter() - wall) * 1000, (_cpu_s() - cpu) * 1000


def _cpu_s() -> float:
    from django.conf import settings
    from django.db import connection

    if not settings.configured:
        return time.process_time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    nanoseconds = Path(f"/proc/{backend}/schedstat").read_text().split()[0]  # of a server on this machine
    return time.process_time() + int(nanoseconds) / 1e9


def _bytes(file: Path) -> bytes:
    if file.suffix != ".zst":
        return file.read_bytes()
    import zstandard

    with file.open("rb") as compressed, zstandard.ZstdDecompressor().stream_reader(compressed) as reader:
        return io.BufferedReader(reader).read()


def main() -> None:
    from scripts.bench import print_table

    use_database("cgexplorer_bench")
    print_table(figures())


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(_one_document(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
    elif sys.argv[1:2] == ["--writer"]:
        _writer(int(sys.argv[2]))
    else:
        main()
