"""Whole pages of a large store: a million packages, two thousand images, asked at a steady rate, nothing cached.

The server is what `make run` starts; each request asks for another image or package than the one before. The same
pages are asked again while a process of its own fetches, verifies and stores images as fast as it can. A request's
time counts from when it was due, so that a page that holds up others is blamed for it.

    python -m scripts.bench_pages              these figures alone; RATE=5 for a machine that has other work, too
    python -m scripts.bench_pages --queries    each page in this process: queries, CPU, size compressed
"""

from __future__ import annotations

import datetime as dt
import gzip
import http.client
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import psycopg

from scripts.bench import Result, drop_database, print_table, use_database

KEPT, DATABASE = "cgexplorer_pages_kept", "cgexplorer_pages"  # the fleet, and the copy of it that this run writes to
IMAGES, BUILDS, VERSIONS_OF_NONE = 2000, 5, 5  # 981,400 packages
REQUESTS_A_SECOND, SECONDS = int(os.environ.get("RATE", "20")), 45
TIMEOUT_S = 30
PORT = 8970
PROMISED = "≤ 100, at the 95th percentile"

type Address = Callable[[], str]  # of a page, another one each time


def figures() -> list[Result]:
    """In a process of its own, since a process has one database."""
    command = [sys.executable, "-m", "scripts.bench_pages", "--json"]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return [Result(**one) for one in json.loads(answer)]


def prepare() -> None:
    """The fleet, and beside it the sample images, whose evidence is real. Kept: writing it takes a minute or two."""
    use_database(KEPT)
    from django.core.management import call_command
    from django.db import connection

    from cgexplorer.store.models import Image
    from scripts import fleet as fleets

    if Image.objects.filter(registry__host="fleet.example").count() != IMAGES:
        call_command("flush", verbosity=0, interactive=False)
        fleets.write(fleets.Fleet(IMAGES, BUILDS, VERSIONS_OF_NONE))
        call_command("load_samples", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def begin() -> None:
    """On a new copy, since what is ingested stays: the next run would measure a larger store."""
    subprocess.run([sys.executable, "-m", "scripts.bench_pages", "--prepare"], check=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cgexplorer.settings")
    from django.conf import settings

    from cgexplorer import embedded_pg

    if "DATABASE_URL" not in os.environ:
        drop_database(DATABASE)
        server = embedded_pg.conninfo(settings.CGEXPLORER_HOME / "postgres", "postgres")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {KEPT} STRATEGY FILE_COPY")
    use_database(DATABASE)


def pages() -> dict[str, Address]:
    """What people open. Common is a package of a third of the images, typical one of a twentieth, rare one of one."""
    from django.urls import reverse

    from cgexplorer.store.models import Image, Manifest, Sbom
    from scripts import fleet as fleets

    fleet, chance = fleets.Fleet(IMAGES, BUILDS, VERSIONS_OF_NONE), random.Random(1)
    samples = list(
        Manifest.objects.filter(image__registry__host="samples.example", is_index=False, sboms__indexed=True)
        .distinct()
        .select_related("image")
        .order_by("pk")
    )
    newest = dict(
        Sbom.objects.filter(image__registry__host="fleet.example")
        .order_by("image_id", "-pk")
        .distinct("image_id")
        .values_list("image__name", "manifest__digest")
    )
    names = sorted(newest)
    digests = defaultdict[str, list[str]](list)
    for name, digest in (
        Manifest.objects.filter(image__name__in=names).order_by("pk").values_list("image__name", "digest")
    ):
        digests[name].append(digest)
    every = Image.objects.count()

    def name(first: int, last: int) -> str:
        return fleets.name_of(chance.randrange(first, last))

    def common() -> str:
        return name(0, fleets.COMMON_NAMES)

    def typical() -> str:
        return name(fleets.COMMON_NAMES + 250, fleets.COMMON_NAMES + 300)

    def rare() -> str:
        return name(fleets.COMMON_NAMES + fleets.MIDDLE_NAMES, fleet.components)

    def of_sample(view: str) -> str:
        one = chance.choice(samples)
        return reverse(view, args=[one.image.name, one.digest])

    def of_fleet(view: str) -> str:
        image = chance.choice(names)
        return reverse(view, args=[image, newest[image]])

    def search(text: str) -> str:
        return f"{reverse('package-search')}?q={quote(text)}"

    def compared() -> str:
        image = chance.choice(names)
        before, after = digests[image][-2:]
        return f"{reverse('compare')}?from={quote(f'{image}@{before}')}&to={quote(f'{image}@{after}')}"

    return {
        "home": lambda: "/",
        "images": lambda: f"{reverse('images')}?start={chance.randrange(0, every, 50)}",
        "an image's tags": lambda: reverse("image", args=[chance.choice(names)]),
        "digest, with evidence": lambda: of_sample("digest"),
        "digest, 250 packages": lambda: of_fleet("digest"),
        "packages": lambda: of_fleet("packages"),
        "tree": lambda: of_sample("tree"),
        "search: rare": lambda: search(rare()),
        "search: common": lambda: search(common()),
        "search: range": lambda: search(f"{typical()}<1.3"),
        "search: part of a name": lambda: search(rare().partition("-")[0][2:]),
        "component": lambda: reverse("component", args=["apk", f"wolfi/{chance.choice((common, typical, rare))()}"]),
        "compare": compared,
        "drift": lambda: reverse("drift"),
        "licences": lambda: reverse("licenses"),
    }


def measured() -> list[Result]:
    begin()
    addresses = pages()
    ask = itertools.cycle(addresses.items())
    with _server() as (port, server):
        for address in addresses.values():  # what each page imports late, and the plans of nothing yet
            _get(port, address())
        cpu = _cpu_s(server)
        idle = _asked(port, ask)
        cpu = _cpu_s(server) - cpu
        with _ingesting():
            busy = _asked(port, ask)
    errors = sum(status != 200 for answers in (idle, busy) for status, _ in itertools.chain(*answers.values()))
    results = [
        _result(f"page {name}, {what}", [ms for _, ms in busy[name]], [ms for _, ms in idle[name]], of)
        for name in addresses
        for what, of in (("p50", statistics.median), ("p95", _p95))
    ]
    whole = [[ms for _, ms in itertools.chain(*answers.values())] for answers in (busy, idle)]
    total = _result(f"all pages, {REQUESTS_A_SECOND} a second, p95", *whole, _p95)
    return [
        *results,
        Result(**asdict(total) | {"target": PROMISED}),
        _cpu(cpu * 1000 / len(whole[1])),
        Result("pages that did not answer 200", errors, "of", "all", sum(map(len, whole)), errors, "0"),
    ]


def _cpu(ms: float) -> Result:
    has = 1000 * (os.cpu_count() or 1) / REQUESTS_A_SECOND
    return Result(
        "CPU of server and database a page",
        round(ms, 1),
        "ms",
        "what this machine has for each",
        has,
        round(ms / has, 3),
    )


def _result(name: str, busy: list[float], idle: list[float], of: Callable[[Sequence[float]], float]) -> Result:
    value, other = of(busy), of(idle)
    return Result(name, round(value, 1), "ms", "with no worker ingesting", round(other, 1), round(value / other, 3))


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[18]


def _asked(port: int, ask: Iterator[tuple[str, Address]]) -> dict[str, list[tuple[int, float]]]:
    """Status and milliseconds of each request, by page. Each starts when it is due, whatever the others do."""
    found = defaultdict[str, list[tuple[int, float]]](list)
    began = time.perf_counter()

    def one(name: str, path: str, due: float) -> None:
        status, _ = _get(port, path)
        found[name].append((status, (time.perf_counter() - due) * 1000))

    with ThreadPoolExecutor(max_workers=REQUESTS_A_SECOND * 2) as threads:
        for number in range(REQUESTS_A_SECOND * SECONDS):
            name, address = next(ask)
            due = began + number / REQUESTS_A_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            threads.submit(one, name, address(), due)
    return found


def _get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body, compressed as a browser asks for it. Status 0: no answer at all."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


@contextmanager
def _server() -> Iterator[tuple[int, int]]:
    """All that `make run` starts, on the database of the fleet: its port and its process."""
    environment = os.environ | {"DATABASE_URL": _address_of_database(), "PORT": str(PORT)}
    command = [sys.executable, "manage.py", "up"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "is ready: " in line:
                yield int(line.strip().rstrip("/").rpartition(":")[2]), process.pid
                return
        raise RuntimeError("The server did not start; its reason is above.")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def _cpu_s(process: int) -> float:
    """Of this process and all below it, and of the database's processes that answer them, from their start on."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        found = {pid for (pid,) in cursor.fetchall()}
    below = [process]
    for pid in below:
        found.add(pid)
        below += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    total = 0
    for pid in found:
        with suppress(FileNotFoundError):  # it has just ended
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def _address_of_database() -> str:
    from django.db import connection

    where = connection.settings_dict
    user = f"{quote(where['USER'])}:{quote(where['PASSWORD'])}" if where["PASSWORD"] else quote(where["USER"])
    return f"postgresql://{user}@/{where['NAME']}?host={quote(where['HOST'], safe='')}&port={where['PORT']}"


@contextmanager
def _ingesting() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "scripts.bench_pages", "--ingest"])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def ingest_for_ever() -> None:
    """As a worker does, one image after another: read, verify, parse, store; each one is new."""
    use_database(DATABASE)
    from cgexplorer import ingest
    from cgexplorer.oci.layout import Layout
    from cgexplorer.oci.reference import Reference

    layouts = [Layout(path) for path in sorted(Path("samples").iterdir()) if (path / "oci-layout").exists()]
    for number in itertools.count():
        for layout in layouts:
            for entry in layout.references():
                reference = Reference("ingested.example", f"bench{os.getpid()}-{number}", entry.tag, entry.digest)
                ingest.ingest(reference, layout, trigger="ingest", now=dt.datetime.now(dt.UTC))


def print_queries() -> None:
    """Which page to mend: a second look at each, in this process."""
    begin()
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, setup_test_environment

    setup_test_environment()
    client = Client()
    print(f"{'':24}  queries   in them   whole ms    CPU ms   KB gzip   KB")
    for name, address in pages().items():
        client.get(address())
        times = []
        for _ in range(5):
            path = address()
            wall, cpu = time.perf_counter(), time.process_time()
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(path)
            assert answer.status_code == 200, (path, answer.status_code)
            inside = sum(float(query["time"]) for query in queries) * 1000
            times.append((time.perf_counter() - wall, time.process_time() - cpu, inside, len(queries), answer.content))
        wall, cpu, inside, count, content = min(times, key=lambda one: one[0])
        print(
            f"{name:24}  {count:7}  {inside:8.1f}  {wall * 1000:9.1f}  {cpu * 1000:8.1f}  "
            f"{len(gzip.compress(content)) / 1024:8.1f}  {len(content) / 1024:4.0f}"
        )


def main(arguments: list[str]) -> None:
    if arguments == ["--ingest"]:
        ingest_for_ever()
    elif arguments == ["--prepare"]:
        prepare()
    elif arguments == ["--queries"]:
        print_queries()
    elif arguments == ["--json"]:
        print(json.dumps([asdict(result) for result in measured()]))
    else:
        print_table(measured())


if __name__ == "__main__":
    main(sys.argv[1:])
