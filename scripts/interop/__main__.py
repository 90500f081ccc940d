"""`make interop`: stock cosign beside us.

    build cosign 2 and 3 and a private Sigstore → sign images in every form → ask all three about them
    → run verify.sh of our evidence bundles, offline → table, figures, bench/interop.json

Exit: 0 every disagreement is argued, 1 one is not, 2 something that this needs is not installed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.interop import evidence, report, session, store, toolchain
from scripts.interop.processes import NotReady

AGREED, DISAGREED, MISSING = 0, 1, 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.interop", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="PATTERN", help="only exhibits whose name matches")
    parser.add_argument("--quiet", action="store_true", help="no table, only faults and figures")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this empty folder and leave it")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is stopped
    try:
        built_s = toolchain.build()
        began = time.monotonic()
        with _folder(options.keep) as folder, session.desk(folder, _home()) as desk:
            found = session.ask(desk, session.everything(options.only), folder)
            store.open_empty(_home(), list(desk.registries.values()))
            proofs = evidence.prove_all(desk, found.signed, folder / "evidence")
    except (toolchain.Missing, toolchain.BuildFailed, NotReady) as error:
        print(error, file=sys.stderr)
        return MISSING
    faults = report.faults(found.rows, proofs, found.signed)
    if not options.only:
        faults += report.stale(found.rows)
    if not options.quiet:
        print("\n".join(report.table(found.rows)), end="\n\n")
    print("\n".join(report.summary(found.rows, proofs, found.signed)))
    print(f"{built_s:.0f} s to build, {time.monotonic() - began:.0f} s to run; all answers are in {report.OUTPUT}.")
    report.write(found.rows, proofs, found.signed, faults)
    for one in faults:
        print(f"FAULT: {one}", file=sys.stderr)
    return DISAGREED if faults else AGREED


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
        yield Path(scratch)


def _home() -> Path:
    default = Path(__file__).resolve().parents[2] / ".cgexplorer"
    return Path(os.environ.get("CGEXPLORER_HOME", default)).absolute() / "postgres"


if __name__ == "__main__":
    sys.exit(main())
