"""Start everything: database, migrations, sample images, workers and web server."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from cgexplorer import embedded_pg

PORTS_TRIED = 50
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
WORKER_RESTART_S = 1.0
WATCH_S = 0.5
PR_SET_PDEATHSIG = 1
WORKERS = ("first worker", "second worker")
# One job each: a job that kills its worker takes no other with it.
WORK = (sys.executable, "manage.py", "procrastinate", "worker", "--concurrency=1")


class Command(BaseCommand):
    help = "Start cgexplorer: database, migrations, sample images, two workers and the web server. Ctrl-C stops it all."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGINT, _interrupt)  # a shell lets what it runs in the background ignore it
        settings.CGEXPLORER_HOME.mkdir(parents=True, exist_ok=True)
        children: dict[str, subprocess.Popen[bytes]] = {}
        with _shared(settings.CGEXPLORER_HOME) as others_may_live:
            self.run(children, others_may_live)

    def run(self, children: dict[str, subprocess.Popen[bytes]], others: int) -> None:
        self.start_database()
        try:
            self.prepare()
            with _listening() as listener:
                address = listener.getsockname()
                children |= {name: _child([*WORK]) for name in WORKERS}
                children["server"] = self.start_server(listener)
            self.announce(address, children["server"])
            self.watch(children)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping.")
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
            _stop(children)
            self.stop_database(others)

    def start_database(self) -> None:
        if "DATABASE_URL" in os.environ:
            return
        home = settings.CGEXPLORER_HOME / "postgres"
        with self.step("PostgreSQL"):
            try:
                if not embedded_pg.is_running(home):
                    _mark(settings.CGEXPLORER_HOME).touch()
                embedded_pg.ensure_running(home)
            except embedded_pg.PostgresError as error:
                raise CommandError(str(error)) from error
            embedded_pg.ensure_database(home, settings.DATABASES["default"]["NAME"])

    def stop_database(self, others: int) -> None:
        """Stop the server that this or an earlier, killed `up` started, unless another `up` of this home lives."""
        mark = _mark(settings.CGEXPLORER_HOME)
        if "DATABASE_URL" in os.environ or not mark.exists():
            return
        with suppress(BlockingIOError):
            fcntl.flock(others, fcntl.LOCK_EX | fcntl.LOCK_NB)
            embedded_pg.stop(settings.CGEXPLORER_HOME / "postgres")
            mark.unlink(missing_ok=True)

    def prepare(self) -> None:
        with self.step("Schema"):
            call_command("migrate", verbosity=0, interactive=False)
        with self.step("Static files"):
            call_command("collectstatic", verbosity=0, interactive=False)
        from cgexplorer.store.models import Image  # noqa: PLC0415  (models need the settings that `up` completes)

        if not Image.objects.exists():
            with self.step("Sample images"):
                call_command("load_samples", verbosity=0)

    def start_server(self, listener: socket.socket) -> subprocess.Popen[bytes]:
        return _child(
            [
                sys.executable, "-m", "gunicorn", "cgexplorer.wsgi",
                "--worker-class=gthread", "--workers=2", "--threads=4", "--graceful-timeout=5",
                f"--bind=fd://{listener.fileno()}", "--no-control-socket", "--log-level=warning",
            ],
            keep=listener.fileno(),
        )  # fmt: skip

    def announce(self, address: tuple[Any, ...], server: subprocess.Popen[bytes]) -> None:
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        url = f"http://{host}:{address[1]}/"
        with self.step("Web server"):
            _wait_until_ready(url, server)
        self.stdout.write(
            f"\ncgexplorer is ready: {url}\n"
            "Add an image:        .venv/bin/python manage.py add_image cgr.dev/chainguard/go\n"
            "                     (or paste its name on the first page)\n"
            "Stop:                Ctrl-C"
        )
        self.stdout.flush()

    def watch(self, children: dict[str, subprocess.Popen[bytes]]) -> None:
        """Start a dead worker or database again; end when the server dies, since nothing can be seen without it."""
        while children["server"].poll() is None:
            self.revive_database()
            for name in WORKERS:
                if children[name].poll() is not None:
                    self.stderr.write(f"The {name} ended with {children[name].returncode}; starting it again.")
                    time.sleep(WORKER_RESTART_S)
                    children[name] = _child([*WORK])
            time.sleep(WATCH_S)
        raise CommandError(f"The web server ended with {children['server'].returncode}.")

    def revive_database(self) -> None:
        if "DATABASE_URL" in os.environ or embedded_pg.is_running(settings.CGEXPLORER_HOME / "postgres"):
            return
        self.stderr.write("PostgreSQL does not answer; starting it again.")
        try:
            embedded_pg.ensure_running(settings.CGEXPLORER_HOME / "postgres")
        except embedded_pg.PostgresError as error:
            self.stderr.write(str(error))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if sys.stdout.isatty():
            self.stdout.write(f"{name} …", ending="")
            self.stdout.flush()
        began = time.monotonic()
        yield
        ready = f"{name}: ready in {time.monotonic() - began:.1f} s"
        self.stdout.write(f"\r{ready}   " if sys.stdout.isatty() else ready)


def _mark(home: Path) -> Path:
    """Says that `up` started the server of this home, not a person by `manage.py db start`."""
    return home / "database-of-up"


@contextmanager
def _shared(home: Path) -> Iterator[int]:
    """A lock that every living `up` of this home holds together; who can have it alone is the last."""
    lock = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield lock
    finally:
        os.close(lock)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _listening() -> Iterator[socket.socket]:
    """A listening socket on PORT or, when taken, the next free one. Handed over open, so no race can lose it."""
    family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    for port in range(settings.PORT, settings.PORT + PORTS_TRIED):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.HOST, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            failure = error
            continue
        with listener:
            yield listener
        return
    raise CommandError(f"No port from {settings.PORT} on is free on {settings.HOST}: {failure.strerror}")


def _child(command: list[str], keep: int | None = None) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None)
    return subprocess.Popen(  # noqa: S603  (our own interpreter, no shell)
        command,
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        pass_fds=() if keep is None else (keep,),
        # Ctrl-C goes to us, and we stop them in order; kill -9 of us must not leave them behind either.
        start_new_session=True,
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
    )


def _wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise CommandError(f"The web server ended with {server.returncode}; its reason is above.")
        try:
            with urllib.request.urlopen(url, timeout=10):  # noqa: S310  (our own http address)
                return
        except urllib.error.HTTPError as error:
            raise CommandError(f"The first page answers {error.code}; the reason is above.") from error
        except OSError:
            time.sleep(0.1)
    raise CommandError(f"{url} did not answer within {READY_TIMEOUT_S} s.")


def _stop(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for child in children.values():
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
