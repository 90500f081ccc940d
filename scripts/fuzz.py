"""`make fuzz`: hostile bytes for every parser, guided by coverage (atheris), for so many seconds or inputs.

    python -m scripts.fuzz --seconds 60
    python -m scripts.fuzz --runs 1000000 --corpus .fuzz

Exit 0: nothing but the errors that a parser announces came out, and no verdict `verified` over what nobody signed.
Exit 1: a fault; its input is kept in `fuzz-findings/` and `--replay FILE` runs it again. Where atheris has no wheel the
same mutations run unguided.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.fuzz_documents import Target

FINDINGS = Path("fuzz-findings")
MAX_INPUT_BYTES = 1 << 16
TIMEOUT_S, MEMORY_MB = 20, 2048  # of one input; of the process
_DONE = re.compile(r"Done (\d+) runs|stat::number_of_executed_units: (\d+)")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=0, help="stop after so many seconds (60 without --runs)")
    parser.add_argument("--runs", type=int, default=0, help="stop after so many inputs")
    parser.add_argument("--seed", type=int, default=0, help="0 = another one each time")
    parser.add_argument("--only", default="", metavar="NAME", help="this target alone")
    parser.add_argument("--corpus", type=Path, help="keep interesting inputs here and begin with them")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one kept input and show what happens")
    parser.add_argument("--guided", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.seed = options.seed or random.SystemRandom().randrange(1, 2**31)
    options.seconds = options.seconds or (0 if options.runs else 60)
    if options.replay:
        return _replay(options.replay, options.only)
    if options.guided:
        return _guided(options)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (it has wheels for Linux on x86-64): the mutations run unguided.")
        return _unguided(options)
    with tempfile.TemporaryDirectory() as scratch:
        return _watched(arguments, options.seed, options.corpus or Path(scratch) / "corpus", Path(scratch) / "found")


def _watched(arguments: list[str], seed: int, corpus: Path, found: Path) -> int:
    """Run the guided part as a process, because libFuzzer ends it as it likes. Say what it did."""
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    asked = [*arguments, "--guided", str(found), "--seed", str(seed), "--corpus", str(corpus)]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "scripts.fuzz", *asked], stderr=subprocess.PIPE, text=True, check=False
    )
    counts = [int(one or other) for one, other in _DONE.findall(done.stderr)]
    print(f"fuzz: {counts[-1] if counts else 0:,} inputs in {time.monotonic() - began:.0f} s, seed {seed}")
    new = sorted(found.iterdir())
    if done.returncode == 0 and not new:
        return 0
    print("\n".join(line for line in done.stderr.splitlines() if not line.startswith(("#", "INFO:")))[-6000:])
    for path in new:
        _keep(path.name, path.read_bytes())
    return 1


def _keep(name: str, raw: bytes) -> None:
    FINDINGS.mkdir(exist_ok=True)
    (FINDINGS / name).write_bytes(raw)
    print(f"found: {FINDINGS / name}; python -m scripts.fuzz --replay {FINDINGS / name}")


def _guided(options: argparse.Namespace) -> int:
    import atheris

    from tests.mutations import mutated

    with atheris.instrument_imports(include=["cgexplorer"]):
        targets = _targets(options.only)
    for number, target in enumerate(targets):
        for place, seed in enumerate(target.seeds):
            (options.corpus / f"seed-{number}-{place}").write_bytes(bytes([number]) + seed)

    def one(data: bytes) -> None:
        if data:
            targets[data[0] % len(targets)](data[1:])

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        head, body = data[:1] or b"\0", data[1:]
        if chance.random() < 0.4:
            return atheris.Mutate(data, max_size)
        if chance.random() < 0.1:  # libFuzzer prefers what is cheap; every target gets its share
            head = bytes([chance.randrange(len(targets))])
            body = chance.choice(targets[head[0]].seeds)
        return (head + mutated(body, chance, targets[head[0] % len(targets)].seeds))[:max_size]

    flags = [
        f"-max_total_time={options.seconds}", f"-seed={options.seed}", f"-max_len={MAX_INPUT_BYTES}", "-len_control=0",
        f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={options.guided}/",
        "-print_final_stats=1",
        *([f"-runs={options.runs}"] if options.runs else []), str(options.corpus),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *flags], one, custom_mutator=mutator, internal_libfuzzer=True)
    atheris.Fuzz()
    return 0


def _unguided(options: argparse.Namespace) -> int:
    from tests.mutations import mutated

    targets, chance, began, runs = _targets(options.only), random.Random(options.seed), time.monotonic(), 0
    status = 0
    while (not options.runs or runs < options.runs) and (
        not options.seconds or time.monotonic() - began < options.seconds
    ):
        number = runs % len(targets)
        raw = mutated(chance.choice(targets[number].seeds), chance, targets[number].seeds)[:MAX_INPUT_BYTES]
        runs += 1
        try:
            targets[number](raw)
        except Exception:
            traceback.print_exc()
            _keep(f"crash-{options.seed}-{runs}", bytes([number]) + raw)
            status = 1
            break
    print(f"fuzz: {runs:,} inputs in {time.monotonic() - began:.0f} s, seed {options.seed}")
    return status


def _replay(path: Path, only: str) -> int:
    raw, targets = path.read_bytes(), _targets(only)
    target = targets[raw[0] % len(targets)]
    print(f"{target.name}: {raw[1:300]!r}")
    target(raw[1:])
    print("nothing but what the parser announces")
    return 0


def _targets(only: str = "") -> tuple[Target, ...]:
    from scripts import fuzz_documents, fuzz_signed

    every: tuple[Target, ...] = (*fuzz_signed.TARGETS, *fuzz_documents.TARGETS)
    chosen = tuple(target for target in every if only in ("", target.name))
    if not chosen:
        raise SystemExit(f"--only takes one of: {', '.join(target.name for target in every)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
