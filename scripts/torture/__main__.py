"""`python -m scripts.torture [--full] [--only NAME]`: figures, torture/results.json, and exit 1 when one breaks.

All have one empty home with its own PostgreSQL; nothing of it remains, not even after `kill -9`.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from scripts.torture.figures import Figures
from scripts.torture.ground import own_home

OUTPUT = Path("torture") / "results.json"

type Scenario = Callable[[Path, bool, random.Random], Figures]


def scenarios() -> dict[str, Scenario]:
    from scripts.torture import kills, registries, workers

    return {
        "workers": lambda home, full, chance: kills.of_workers(home, 500 if full else 25, 200, chance),
        "database": lambda home, full, chance: kills.of_the_database(home, 20 if full else 3, 100, chance),
        "stalled": lambda home, full, chance: workers.stalled(home, 10 if full else 2, chance),
        "poison": lambda home, full, chance: workers.poisoned(home, chance),
        "stop": lambda home, full, chance: workers.told_to_stop(home, 40 if full else 4, chance),
        "rounds": lambda home, full, chance: registries.many_rounds(home, 200 if full else 50, chance),
        "flips": lambda home, full, chance: registries.flipping(home, 1000, chance),
        "faults": lambda home, full, chance: registries.faulty(home, 25 if full else 2, chance),
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts.torture", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all of it: hours, not minutes")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that workers and database are ended, too
    found = []
    with own_home() as home:
        every = scenarios()
        if unknown := set(options.only) - set(every):
            parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(every)}")
        for name, scenario in every.items():
            if options.only and name not in options.only:
                continue
            began = time.monotonic()
            figures = scenario(home, options.full, random.Random(f"{options.seed} {name}"))
            figures.tell("took", time.monotonic() - began, "s")
            for one in figures.all:
                limit = "" if one.limit is None else f"  at most {one.limit:g}"
                print(
                    f"{'' if one.holds else 'NOT '}{one.scenario}: {one.what}: {one.value:g} {one.unit}{limit}".rstrip()
                )
                for reason in one.why:
                    print(f"    {reason}")
            sys.stdout.flush()
            found += figures.all
    broken = sum(not one.holds for one in found)
    OUTPUT.parent.mkdir(exist_ok=True)
    summary = {"full": options.full, "seed": options.seed, "broken": broken, "figures": found}
    OUTPUT.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=1))
    print(f"\n{len(found)} figures in {OUTPUT}, {broken} broken, seed {options.seed}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
