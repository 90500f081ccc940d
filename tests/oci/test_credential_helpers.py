"""`docker-credential-*` programs, as chainctl installs one: a real script, asked by the real protocol."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cgexplorer.oci import docker_config
from cgexplorer.oci.docker_config import Credentials, credentials
from cgexplorer.oci.errors import Unauthorized
from cgexplorer.stopping import Interrupted

type Install = Callable[[str], Path]

# As docker's credentials.Serve: the server on stdin, the answer on stdout, an error on stdout with exit code 1.
HONEST = """\
import json, sys
assert sys.argv[1:] == ["get"], sys.argv
server = sys.stdin.read().strip()
if server != "cgr.dev":
    print("credentials not found in native keychain")
    sys.exit(1)
print(json.dumps({"ServerURL": server, "Username": "_token", "Secret": "canary-" + server}))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts `docker-credential-cgr` on the PATH; answers a configuration that names it for two registries."""

    def put(program: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        script = folder / "docker-credential-cgr"
        script.write_text(f"#!{sys.executable}\n{program}")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        path = tmp_path / "config.json"
        helpers = {"cgr.dev": "cgr", "other.example": "cgr"}
        path.write_text(json.dumps({"credHelpers": helpers, "auths": {"other.example": {"auth": "bWU6cHc="}}}))
        return path

    return put


def test_the_helper_of_a_registry_is_asked_for_that_registry(install: Install) -> None:
    assert credentials("cgr.dev", install(HONEST)) == Credentials("_token", "canary-cgr.dev")


def test_a_registry_that_no_helper_is_named_for_does_not_start_one(install: Install) -> None:
    assert credentials("ghcr.io", install("raise SystemExit('must not run')")) is None


def test_what_the_helper_does_not_know_may_be_in_the_file(install: Install) -> None:
    assert credentials("other.example", install(HONEST)) == Credentials("me", "pw")


def test_a_helper_for_all_registries_is_asked_too(install: Install) -> None:
    path = install(HONEST)
    path.write_text(json.dumps({"credsStore": "cgr"}))
    assert credentials("cgr.dev", path) == Credentials("_token", "canary-cgr.dev")


def test_an_entry_with_a_registry_token_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {"cgr.dev": {"registrytoken": "abc"}}}))
    assert credentials("cgr.dev", path) == Credentials("", "abc", is_bearer=True)


@pytest.mark.parametrize("program", ["print('canary')", 'print(\'{"Username": "canary"}\')', "pass"])
def test_a_helper_that_answers_otherwise_is_an_error_that_does_not_quote_it(install: Install, program: str) -> None:
    with pytest.raises(Unauthorized, match="docker-credential-cgr did not answer") as caught:
        credentials("cgr.dev", install(program))
    assert "canary" not in f"{caught.value} {caught.value.__cause__}"


def test_a_helper_that_hangs_is_killed_with_all_that_it_started(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_config, "HELPER_TIMEOUT_S", 0.0)
    path = install(hanging(tmp_path))
    with pytest.raises(Unauthorized, match="in time"):
        credentials("cgr.dev", path)
    assert not lives(tmp_path)


def test_a_helper_does_not_outlive_a_process_that_is_to_stop(install: Install, tmp_path: Path) -> None:
    path = install(hanging(tmp_path))
    with pytest.raises(Interrupted):
        credentials("cgr.dev", path, stop=(tmp_path / "pid").exists)
    assert not lives(tmp_path)


def hanging(folder: Path) -> str:
    """Starts a process that keeps its output open, writes down who that is, and waits for ever."""
    return (
        "import pathlib, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(folder / 'new')!r}).write_text(str(child.pid))\n"
        f"pathlib.Path({str(folder / 'new')!r}).rename({str(folder / 'pid')!r})\n"
        "time.sleep(600)\n"
    )


def lives(folder: Path) -> bool:
    """Whether the grandchild is still there, once the system had a moment to end it."""
    if not (folder / "pid").exists():
        return False
    pid = int((folder / "pid").read_text())
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return False
        time.sleep(0.02)
    return True


def test_a_helper_that_is_not_installed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credHelpers": {"cgr.dev": "nowhere-to-be-found"}}))
    with pytest.raises(Unauthorized, match="not installed"):
        credentials("cgr.dev", path)


def test_a_helper_in_the_folder_that_somebody_works_in_is_not_run(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = install(HONEST)
    monkeypatch.chdir(tmp_path / "bin")
    monkeypatch.setenv("PATH", f".::bin:{os.defpath}")
    with pytest.raises(Unauthorized, match="not installed"):
        credentials("cgr.dev", path)
