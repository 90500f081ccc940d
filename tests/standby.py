"""A primary and a hot standby of it, both thrown away after the tests: what PostgreSQL's own replication does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from cgexplorer import embedded_pg

REPLICATED = {
    "wal_level": "replica", "max_wal_senders": "4", "shared_buffers": "16MB", "max_connections": "30", "fsync": "off",
}  # fmt: skip


class Pair:
    """`primary` and `standby` are URLs as DATABASE_URL wants them."""

    def __init__(self, folder: Path) -> None:
        self.home, self.other = folder / "one", folder / "two"
        self.primary, self.standby = self._url(self.home), self._url(self.other)

    @staticmethod
    def _url(home: Path) -> str:
        where = embedded_pg.parameters(home)
        return f"postgresql://{where['user']}@/cgexplorer?host={quote(where['host'])}&port={where['port']}"

    def caught_up(self) -> None:
        """Wait until the standby has replayed all that the primary has written."""
        with psycopg.connect(self.primary, autocommit=True) as primary:
            (written,) = primary.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            primary.execute("SELECT pg_switch_wal()")  # flushed, whatever it was
        with psycopg.connect(self.standby, autocommit=True) as standby:
            for _ in range(300):
                (there,) = standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]).fetchone()
                if there:
                    return
                standby.execute("SELECT pg_sleep(0.02)")
        raise AssertionError("The standby does not catch up.")

    def pause(self) -> None:
        with psycopg.connect(self.standby, autocommit=True) as standby:
            standby.execute("SELECT pg_wal_replay_pause()")

    def stop_standby(self) -> None:
        embedded_pg.stop(self.other, abruptly=True)


@contextmanager
def replicated(folder: Path) -> Iterator[Pair]:
    pair = Pair(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in REPLICATED.items():
            patch.setitem(embedded_pg.SETTINGS, name, value)
        try:
            embedded_pg.ensure_running(pair.home)
            embedded_pg.ensure_database(pair.home, "cgexplorer")
            _copy(pair)
            embedded_pg.ensure_running(pair.other)
            yield pair
        finally:
            embedded_pg.stop(pair.other, abruptly=True)
            embedded_pg.stop(pair.home, abruptly=True)


def _copy(pair: Pair) -> None:
    """With pg_basebackup, whose `-R` makes the copy a standby that follows."""
    account = embedded_pg._account()
    pair.other.mkdir()
    pair.other.chmod(0o711)
    data = embedded_pg._place(pair.other) / "data"
    data.mkdir(mode=0o700)
    if account:
        os.chown(data, account.uid, account.gid)
    where = embedded_pg.parameters(pair.home)
    made = embedded_pg._run(
        account, "pg_basebackup", "-D", data, "-R", "-X", "stream", "-c", "fast",
        "-h", where["host"], "-p", where["port"], "-U", where["user"],
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
