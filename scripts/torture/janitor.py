"""Clears up behind `make torture`, whatever ended it: `kill -9` closes its end of our standard input, too.

python -m scripts.torture.janitor HOME
"""

from __future__ import annotations

import fcntl
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

from cgexplorer import embedded_pg

PATIENCE_S = 60


def main(home: Path) -> None:
    sys.stdin.buffer.read()  # until nobody holds the other end
    deadline = time.monotonic() + PATIENCE_S
    while not _is_quiet(home / "postgres") and time.monotonic() < deadline:
        with suppress(embedded_pg.PostgresError):
            embedded_pg.stop(home / "postgres", abruptly=True)
        time.sleep(0.1)
    shutil.rmtree(home, ignore_errors=True)


def _is_quiet(database: Path) -> bool:
    """Whether no server lives, not even one that is still starting: each holds this lock as long as it does."""
    try:
        with (database / "server.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
