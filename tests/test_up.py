"""`manage.py up` as a person uses it: a fresh home, a taken port, Ctrl-C, and again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cgexplorer import embedded_pg
from tests.test_embedded_pg import let_others_pass


class Up:
    """A running `manage.py up` in a home of its own."""

    def __init__(self, home: Path, port: int) -> None:
        environment = {**os.environ, "CGEXPLORER_HOME": str(home), "PORT": str(port)}
        environment.pop("DATABASE_URL", None)
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if "Stop:" in line:
                break
        found = re.search(r"cgexplorer is ready: (http://\S+/)", self.output)
        assert found is not None, self.output
        self.url = found[1]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, by: signal.Signals) -> int:
        self.process.send_signal(by)
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("up")
    let_others_pass(home)
    yield home
    embedded_pg.stop(home / "postgres")


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def up(home: Path, taken: int) -> Iterator[Up]:
    running = Up(home, taken)
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGTERM)


def _page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.status == 200
        return str(answer.read().decode())


def test_the_first_page_shows_the_sample_images(up: Up) -> None:
    page = _page(up.url)
    assert "samples.example" in page
    assert "nginx" in page


def test_a_taken_port_is_passed_over(up: Up, taken: int) -> None:
    assert up.url != f"http://127.0.0.1:{taken}/"


def test_static_files_are_served_under_hashed_names(up: Up) -> None:
    sheet = re.search(r'href="(/static/cgexplorer\.[0-9a-f]+\.css)"', _page(up.url))
    assert sheet is not None
    assert "color-scheme" in _page(up.url.rstrip("/") + sheet[1])


def test_a_killed_worker_is_started_again(up: Up) -> None:
    def worker() -> psutil.Process | None:
        living = (child for child in up.children() if child.status() != psutil.STATUS_ZOMBIE)
        return next((child for child in living if "procrastinate" in child.cmdline()), None)

    first = worker()
    assert first is not None
    first.kill()
    deadline = time.monotonic() + 30
    while (second := worker()) is None or second.pid == first.pid:
        assert time.monotonic() < deadline, "no new worker"
        time.sleep(0.2)


def test_a_killed_database_is_started_again_and_nothing_is_lost(up: Up, home: Path) -> None:
    before = _page(up.url + "images.json")
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "postgres" in "".join(command[:1]) and str(home / "postgres" / "data") in command:
            process.kill()
    deadline, answered = time.monotonic() + 60, []
    while True:
        try:
            after = _page(up.url + "images.json")
            break
        except urllib.error.HTTPError as error:
            error.close()
            answered.append(error.code)
        assert time.monotonic() < deadline, "the database did not come back"
        time.sleep(0.5)
    assert after == before
    assert set(answered) <= {503}


def test_ctrl_c_stops_everything_that_it_started(up: Up, home: Path) -> None:
    children = up.children()
    assert up.stop(signal.SIGINT) == 0, up.output
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert not embedded_pg.is_running(home / "postgres")


def test_the_second_start_keeps_the_first_ones_images(up: Up, home: Path) -> None:
    again = Up(home, int(up.url.rsplit(":", 1)[1].strip("/")))
    try:
        assert "Sample images" not in again.output
        assert "samples.example" in _page(again.url)
    finally:
        assert again.stop(signal.SIGTERM) == 0
