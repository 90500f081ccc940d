"""How search, compare and storage grow: the same queries on a synthetic fleet and on one a tenth of its size.

make bench FLEET=50                              millions of occurrences; 0.5 when nothing is said
python -m scripts.bench_fleet 50                 this part alone, as a table: 50M beside 5M
python -m scripts.bench_fleet 50 --alone --keep  one fleet, whose database stays for EXPLAIN
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.bench import Result, drop_database, print_table, use_database

if TYPE_CHECKING:
    from scripts.fleet import Fleet

DATABASE = "cgexplorer_fleet"
RUNS, MAX_SECONDS_A_QUESTION = 200, 10.0
LEAST_RUNS = 20

type Question = Callable[[int], Any]  # of the run's number, so that no two runs need ask for the same


def figures(millions: float) -> list[Result]:
    """Each figure of the fleet beside the same figure of the small one: a ratio near 1 does not grow with size."""
    large, small = _in_its_own_process(millions), _in_its_own_process(millions / 10)
    return [
        Result(
            f"{name}, {millions:g}M occurrences",
            value,
            "B" if "bytes" in name else "s" if "written" in name else "ms",
            f"{millions / 10:g}M",
            small[name],
            round(value / small[name], 3) if small[name] else 0.0,
        )
        for name, value in large.items()
    ]


def _in_its_own_process(millions: float) -> dict[str, float]:
    """A process has one database; so each fleet has a process."""
    command = [sys.executable, "-m", "scripts.bench_fleet", str(millions), "--alone"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def measured(millions: float, *, kept: bool = False) -> dict[str, float]:
    """Writes a fleet of this size into a database of its own, unless one was kept, and asks."""
    use_database(DATABASE, fresh=not kept)
    from django.db import connection

    from scripts import fleet as fleets

    fleet = fleets.of_size(int(millions * 1e6))
    if kept:
        return answers(fleet)
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        fleets.write(fleet)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    took = time.perf_counter() - began
    print(f"{millions:g}M occurrences in {fleet.images} images written in {took:.0f} s", file=sys.stderr)
    return {"written in": round(took, 1)} | answers(fleet)


def answers(fleet: Fleet) -> dict[str, float]:
    found = {
        "bytes an occurrence, arrays and their index": _bytes(fleet, "sbompackages"),
        "bytes an occurrence, with rollups": _bytes(fleet, "sbompackages", "packageimage"),
        "bytes an occurrence, with rollups and identities": _bytes(
            fleet, "sbompackages", "packageimage", "package", "component"
        ),
    }
    for name, ask in questions(fleet).items():
        whole, waited, worked = _asked(ask)
        found[f"{name}, CPU of the database"] = round(statistics.median(worked), 2)
        found[f"{name}, waited for the database"] = round(statistics.median(waited), 2)
        found[f"{name}, waited for the database, p99"] = round(_p99(waited), 2)
        found[f"{name}, whole"] = round(statistics.median(whole), 2)
    return found


def _bytes(fleet: Fleet, *tables: str) -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name",
            [[f"store_{table}" for table in tables]],
        )
        return round(float(cursor.fetchone()[0]) / fleet.occurrences, 2)


def _asked(ask: Question) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of each run: whole, waiting for the database, and what the database's process worked meanwhile.

    The last grows with nothing but the work, however busy the machine is with other things.
    """
    from django.db import connection

    waiting = 0.0

    def timed(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal waiting
        began = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            waiting += time.perf_counter() - began

    ask(0)  # the first of its kind in this connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = Path("/proc") / str(cursor.fetchone()[0]) / "schedstat"
    whole, waited, worked = list[float](), list[float](), list[float]()
    with connection.execute_wrapper(timed):
        while len(whole) < RUNS and (sum(whole) < MAX_SECONDS_A_QUESTION * 1000 or len(whole) < LEAST_RUNS):
            waiting, before, began = 0.0, _worked_ns(server), time.perf_counter()
            ask(len(whole) + 1)
            whole.append((time.perf_counter() - began) * 1000)
            waited.append(waiting * 1000)
            worked.append((_worked_ns(server) - before) / 1e6)
    return whole, waited, worked


def _worked_ns(server: Path) -> int:
    """What a process of this machine has worked; of another machine's, nothing is known."""
    return int(server.read_text().split()[0]) if server.exists() else 0


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[98]


def questions(fleet: Fleet) -> dict[str, Question]:
    """What pages ask. Common is one of the packages in a third of the images; typical, in a twentieth of them; rare,
    in one."""
    from cgexplorer.spdx.query import parse
    from cgexplorer.store.models import Sbom
    from cgexplorer.store.queries import compare, contents, package_names, universe
    from cgexplorer.store.queries.search import search
    from scripts import fleet as fleets

    beyond = fleets.version_of(fleet.versions - 1)  # any build's version is lower

    def rare(run: int) -> str:
        return fleets.name_of(fleet.components - 1 - run * 7 % (fleet.images * fleets.OWN))

    def typical(run: int) -> str:
        return fleets.name_of(fleets.COMMON_NAMES + 250 + run % 50)

    def common(run: int) -> str:
        return fleets.name_of(run % fleets.COMMON_NAMES)

    def current(run: int) -> str:
        number = run % fleets.COMMON_NAMES
        version = fleets.version_of(fleets.version_in(fleet.builds - 1, number))
        return fleets.purl_of(fleets.name_of(number), version).partition("?")[0]

    def of_image(run: int) -> int:
        return (1 + run * 7 % fleet.images) * fleet.builds  # number of its newest build

    def page(run: int) -> object:
        contents._elements.cache_clear()  # a page that nobody asked for lately
        return contents.listing(Sbom.objects.get(pk=of_image(run)), contents.Wanted(sort="version"))

    def compared(run: int) -> object:
        image, newest = 1 + run * 7 % fleet.images, fleet.builds - 1
        return compare.compare(fleets.reference(image, max(0, newest - 1)), fleets.reference(image, newest))

    return {
        "rare purl, current tags": lambda run: search(parse(f"pkg:apk/wolfi/{rare(run)}")),
        "version range, typical package": lambda run: search(parse(f"{typical(run)}<{beyond}")),
        "version range, most common package": lambda run: search(parse(f"{common(run)}<{beyond}")),
        "common package, current tags": lambda run: search(parse(common(run))),
        "common package, current tags, with facets": lambda run: search(parse(common(run)), with_facets=True),
        "common purl, all history": lambda run: search(parse(current(run)), scope="all"),
        "typical package, all history": lambda run: search(parse(typical(run)), scope="all"),
        "common package, all history": lambda run: search(parse(common(run)), scope="all"),
        "rare purl, all history": lambda run: search(parse(f"pkg:apk/wolfi/{rare(run)}"), scope="all"),
        "part of a name": lambda run: package_names.names(parse(rare(run)[1:-1]), by_part=True),
        "misspelt name": lambda run: package_names.names(parse("u" + common(run))),
        "universe of current tags": lambda run: universe.universe("current", include_unverified=False),
        "universe of all history": lambda run: universe.universe("all", include_unverified=False),
        "page of one SBOM": page,
        "compare two builds": compared,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millions", type=float, help="occurrences")
    parser.add_argument("--alone", action="store_true", help="this size only, as JSON")
    parser.add_argument("--keep", action="store_true", help="leave its database there")
    parser.add_argument("--kept", action="store_true", help="ask the database that --keep left there")
    asked = parser.parse_args()
    if not asked.alone:
        print_table(figures(asked.millions))
        return
    print(json.dumps(measured(asked.millions, kept=asked.kept)))
    if not asked.keep and not asked.kept:
        drop_database(DATABASE)


if __name__ == "__main__":
    main()
