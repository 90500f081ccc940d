"""`make bench`: how fast, as ratios measured in one run. Prints a table and writes bench/results.json.

A ratio holds on any machine; an absolute time only on the one that printed it. Each figure is the median of several
runs, taken in turn with what it is compared to. Real documents come from ../shared/data, where that is present;
otherwise the sample images stand in. FLEET=5 sets the size of the synthetic fleet, in millions of occurrences.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import django
import psycopg
from psycopg import sql

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
OUTPUT = Path("bench") / "results.json"
RUNS = 15
NOW = dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Result:
    name: str
    value: float
    unit: str
    against: str
    against_value: float
    ratio: float  # value / against_value: below 1, ours is the smaller
    target: str = ""  # what was promised of `value`, in its unit


def pair(name: str, ours: Callable[[], object], against: str, other: Callable[[], object], runs: int = RUNS) -> Result:
    """Milliseconds of CPU in this process, ours and the other in turn."""
    ours(), other()  # warm
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for bucket, function in zip(times, (ours, other), strict=True):
            began = time.process_time()
            function()
            bucket.append((time.process_time() - began) * 1000)
    value, against_value = map(statistics.median, times)
    ratio = statistics.median(a / b for a, b in zip(*times, strict=True) if b)
    return Result(name, round(value, 3), "ms", against, round(against_value, 3), round(ratio, 4))


def documents() -> list[Result]:
    """Our parser, which also makes sense of a document, beside spdx-tools' alone."""
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser

    from cgexplorer.spdx import parse

    files = [
        SHARED / "chainguard-postgres" / "postgres-arm64.spdx.json",
        SHARED / "sboms-of-tools" / "cosign-3.1.3.spdx.json",
    ]
    return [_parsing(file.name, file.read_bytes(), parse.parse, JsonLikeDictParser) for file in files if file.exists()]


def _parsing(name: str, raw: bytes, ours: Callable[[bytes], object], theirs: Any) -> Result:
    return pair(
        f"parse {name}, {len(raw) // 1024} KB",
        lambda: ours(raw),
        "spdx-tools' parser",
        lambda: theirs().parse(json.loads(raw)),
        runs=3,
    )


def ingestion_and_pages() -> list[Result]:
    """On the real database: a first import beside a second one; the pages of a large document beside a small one's."""
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment
    from django.urls import reverse

    from cgexplorer import ingest
    from cgexplorer.store.models import Manifest

    setup_test_environment()
    call_command("load_samples", verbosity=0)
    small = Manifest.objects.filter(image__name="samples.example/nginx", platform="linux/amd64").latest("created_at")
    found = [_import(ingest)]
    file = SHARED / "spdx-large" / "debian-build-host.spdx.json.zst"
    if not file.exists():
        return found
    call_command("import_sbom", str(file), verbosity=0, stdout=io.StringIO())
    large = Manifest.objects.get(image__name="local/debian-build-host")
    client = Client()

    def get(name: str, manifest: Manifest) -> Callable[[], object]:
        address = reverse(name, args=[manifest.image.name, manifest.digest])
        return lambda: client.get(address)

    return found + [
        pair(f"{name} of the 73 MB document", get(name, large), f"{name} of a 33 KB document", get(name, small))
        for name in ("packages", "files", "tree")
    ]


def _import(ingest: Any) -> Result:
    """Seconds of wall time, the database's part included; once, since a first time happens once."""
    from cgexplorer.oci.layout import Layout
    from cgexplorer.oci.reference import Reference

    layout = Layout(Path("samples") / "python")
    times = []
    for number in (0, 0):
        began = time.perf_counter()
        for entry in layout.references():
            reference = Reference("samples.example", f"bench{os.getpid()}-{number}", entry.tag, entry.digest)
            ingest.ingest(reference, layout, trigger="ingest", now=dt.datetime.now(dt.UTC))
        times.append((time.perf_counter() - began) * 1000)
    first, again = times
    return Result(
        "import 5 tags that are known already", round(again, 1), "ms", "their first import", round(first, 1),
        round(again / first, 4),
    )  # fmt: skip


def use_database(name: str, *, fresh: bool = False) -> None:
    """Set Django up on a migrated database of its own; a fresh one has nothing else in it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cgexplorer.settings")
    from django.conf import settings

    from cgexplorer import embedded_pg

    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    if "DATABASE_URL" not in os.environ:
        data = settings.CGEXPLORER_HOME / "postgres"
        embedded_pg.ensure_running(data)
        if fresh:
            drop_database(name)
        embedded_pg.ensure_database(data, name)
        settings.DATABASES["default"]["NAME"] = name
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)


def drop_database(name: str) -> None:
    """Of the embedded server; one that DATABASE_URL names is its owner's."""
    from django.conf import settings

    from cgexplorer import embedded_pg

    if "DATABASE_URL" not in os.environ:
        server = embedded_pg.conninfo(settings.CGEXPLORER_HOME / "postgres", "postgres")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def print_table(results: list[Result]) -> None:
    width = max(len(result.name) for result in results)
    for result in results:
        promised = f"   promised: {result.target}" if result.target else ""
        print(
            f"{result.name:{width}}  {result.value:9.2f} {result.unit}   x{result.ratio:<8} of "
            f"{result.against} ({result.against_value} {result.unit}){promised}"
        )


def main() -> None:
    use_database("cgexplorer_bench")
    from scripts import bench_fleet, bench_ingest, bench_pages, bench_sync, bench_verify

    fleet = bench_fleet.figures(float(os.environ.get("FLEET", "0.5")))
    results = [
        *bench_verify.figures(),
        *documents(),
        *bench_ingest.figures(),
        *ingestion_and_pages(),
        *bench_pages.figures(),
        *bench_sync.figures(),
        *fleet,
    ]
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps([asdict(result) for result in results], indent=1))
    print_table(results)
    print(f"\n{len(results)} figures in {OUTPUT}", file=sys.stderr)


if __name__ == "__main__":
    main()
