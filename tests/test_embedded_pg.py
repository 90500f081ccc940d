"""Real servers in throw-away homes: what a person, a crash and two impatient processes do to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cgexplorer import embedded_pg

START = "import sys, pathlib; from cgexplorer import embedded_pg; embedded_pg.ensure_running(pathlib.Path(sys.argv[1]))"


def let_others_pass(folder: Path) -> None:
    """pytest's folders are 0700; the account that root lends to PostgreSQL must pass through them."""
    for parent in (folder, *folder.parents):
        if parent == Path(tempfile.gettempdir()) or parent.stat().st_uid != os.getuid():
            return
        parent.chmod(parent.stat().st_mode | 0o011)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    let_others_pass(tmp_path)
    yield tmp_path / "postgres"
    embedded_pg.stop(tmp_path / "postgres")


def _postmaster(home: Path) -> int:
    with psycopg.connect(**embedded_pg.parameters(home), dbname="postgres") as connection:
        row = connection.execute("SELECT (regexp_match(pg_read_file('postmaster.pid'), '^[0-9]+'))[1]::int").fetchone()
    assert row is not None
    return int(row[0])


def test_a_second_start_finds_the_first_server(home: Path) -> None:
    embedded_pg.ensure_running(home)
    first = _postmaster(home)
    embedded_pg.ensure_running(home)
    assert _postmaster(home) == first


def test_many_processes_at_once_start_one_server(home: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", START, str(home)]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert embedded_pg.is_running(home)


def test_what_was_committed_survives_kill_9_of_the_whole_server(home: Path) -> None:
    embedded_pg.ensure_running(home)
    embedded_pg.ensure_database(home, "kept")
    with psycopg.connect(**embedded_pg.parameters(home), dbname="kept") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(_postmaster(home), signal.SIGKILL)
    embedded_pg.ensure_running(home)
    with psycopg.connect(**embedded_pg.parameters(home), dbname="kept") as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_stale_pid_file_naming_a_living_process_harms_nobody(home: Path) -> None:
    embedded_pg.ensure_running(home)
    embedded_pg.stop(home)
    innocent = subprocess.Popen(["sleep", "60"])
    (home / "data" / "postmaster.pid").write_text(f"{innocent.pid}\n{home / 'data'}\n1\n5432\n\n\n\nready\n")
    embedded_pg.ensure_running(home)
    assert innocent.poll() is None
    innocent.terminate()
    innocent.wait()


def test_stopping_twice_says_that_nothing_ran(home: Path) -> None:
    embedded_pg.ensure_running(home)
    assert embedded_pg.stop(home) is True
    assert embedded_pg.stop(home) is False


def test_a_directory_of_another_major_version_is_refused_with_advice(home: Path) -> None:
    embedded_pg.ensure_running(home)
    embedded_pg.stop(home)
    (home / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(embedded_pg.PostgresError, match="made by PostgreSQL 9"):
        embedded_pg.ensure_running(home)


def test_a_home_with_a_very_long_path_still_gets_a_socket(home: Path) -> None:
    long = home / ("deep" * 20)
    embedded_pg.ensure_running(long)
    assert embedded_pg.is_running(long)
    embedded_pg.stop(long)


def test_the_server_listens_on_no_network_address(home: Path) -> None:
    with psycopg.connect(**embedded_pg.ensure_running(home), dbname="postgres") as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
