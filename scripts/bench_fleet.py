"""How search, compare and storage grow: the same queries on a synthetic fleet and on one a tenth of its size.

make bench FLEET=5        millions of occurrences; 1 when nothing is said
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scripts.bench import Result, use_database

if TYPE_CHECKING:
    from scripts.fleet import Fleet

RUNS = 50


def figures(millions: float) -> list[Result]:
    """Each figure of the fleet beside the same figure of the small one: a ratio near 1 does not grow with size."""
    large, small = _in_its_own_process(millions), _in_its_own_process(millions / 10)
    return [
        Result(
            f"{name}, {millions:g}M occurrences",
            value,
            "B" if "bytes" in name else "ms",
            f"{millions / 10:g}M",
            small[name],
            round(value / small[name], 3),
        )
        for name, value in large.items()
    ]


def _in_its_own_process(millions: float) -> dict[str, float]:
    """A process has one database; so each fleet has a process."""
    command = [sys.executable, "-m", "scripts.bench_fleet", str(millions)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main(millions: float) -> None:
    use_database("cgexplorer_fleet", fresh=True)
    from django.db import connection

    from scripts import fleet as fleets

    fleet = fleets.of_size(int(millions * 1e6))
    began = time.perf_counter()
    fleets.write(fleet)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    took = time.perf_counter() - began
    print(f"{millions:g}M occurrences in {fleet.images} images written in {took:.0f} s", file=sys.stderr)
    found = {
        "bytes an occurrence, arrays and their index": _bytes(fleet, "sbompackages"),
        "bytes an occurrence, with rollups and identities": _bytes(
            fleet, "sbompackages", "packageimage", "componentimage", "package", "component"
        ),
    }
    for name, ask in questions(fleet).items():
        times = [_timed(ask) for _ in range(RUNS)]
        found[f"{name}, median"] = round(statistics.median(times), 2)
        found[f"{name}, slowest of {RUNS}"] = round(max(times), 2)
    print(json.dumps(found))


def _bytes(fleet: Fleet, *tables: str) -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name",
            [[f"store_{table}" for table in tables]],
        )
        return round(float(cursor.fetchone()[0]) / fleet.occurrences, 2)


def _timed(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def questions(fleet: Fleet) -> dict[str, Callable[[], Any]]:
    """What pages ask, in wall milliseconds, Python's part included."""
    from cgexplorer.spdx.query import parse
    from cgexplorer.store.models import Manifest
    from cgexplorer.store.queries import compare, package_names, universe
    from cgexplorer.store.queries.search import search
    from scripts import fleet as fleets

    own = fleets.name_of(fleet.components - 5)
    middle, common = fleets.name_of(fleets.COMMON_NAMES + 40), fleets.name_of(3)
    newest = Manifest.objects.order_by("-pk")[0]
    image = newest.image.name
    older = Manifest.objects.filter(image=newest.image).order_by("pk")[max(0, fleet.builds - 2)]
    return {
        "rare purl, current tags": lambda: search(parse(f"pkg:apk/wolfi/{own}")),
        "version range, typical package": lambda: search(parse(f"{middle}<1.3")),
        "most common package, current tags": lambda: search(parse(common)),
        "part of a name": lambda: package_names.names(parse(own[2:]), by_part=True),
        "misspelt name": lambda: package_names.names(parse("u" + common)),
        "universe of current tags": lambda: universe.universe("current", include_unverified=False),
        "search page, common package": lambda: search(parse(common), with_facets=True),
        "search all history, typical package": lambda: search(parse(middle), scope="all"),
        "compare two builds": lambda: compare.compare(f"{image}@{older.digest}", f"{image}@{newest.digest}"),
    }


if __name__ == "__main__":
    main(float(sys.argv[1]))
