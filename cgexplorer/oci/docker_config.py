"""Credentials from Docker's config.json, as `docker login` and `chainctl auth configure-docker` leave them."""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from cgexplorer.oci.errors import Unauthorized
from cgexplorer.stopping import Interrupted, never

_MAX_BYTES = 1 << 20
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
HELPER_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 0.25
IDENTITY_TOKEN = "<token>"  # noqa: S105  (the user name by which helpers mark an identity token)


class Credentials(msgspec.Struct, frozen=True):
    username: str
    secret: str
    is_bearer: bool = False  # the secret is the token itself (`registrytoken`)

    def __repr__(self) -> str:
        return "Credentials(…)"

    __str__ = __repr__

    @property
    def is_identity_token(self) -> bool:
        return self.username == IDENTITY_TOKEN

    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


class _Auth(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _Config(msgspec.Struct, rename="camel"):
    auths: dict[str, _Auth] = {}
    cred_helpers: dict[str, str] = {}
    creds_store: str = ""


class _HelperAnswer(msgspec.Struct, rename="pascal"):
    username: str
    secret: str


def default_path() -> Path:
    """Where docker and cosign look."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def credentials(registry: str, path: Path | None, *, stop: Callable[[], bool] = never) -> Credentials | None:
    """For this registry ("cgr.dev", "localhost:5000"); None without a file or an entry.

    `Unauthorized` when there is an entry that cannot be used: asking without it would give a misleading answer.
    """
    config = _read(path)
    if config is None:
        return None
    names = _spellings(registry)
    helper = next((config.cred_helpers[name] for name in names if name in config.cred_helpers), config.creds_store)
    if helper and (found := _ask(helper, names[0], stop)):
        return found
    return next((_decode(config.auths[name], registry) for name in names if name in config.auths), None)


def _read(path: Path | None) -> _Config | None:
    if path is None or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=_Config)
    except (OSError, msgspec.MsgspecError) as error:
        raise Unauthorized(f"The Docker configuration {path} cannot be read.") from error


def _spellings(registry: str) -> list[str]:
    hub = ["https://index.docker.io/v1/", "index.docker.io"] if registry == "docker.io" else []
    return [
        *hub,
        registry,
        f"https://{registry}",
        f"https://{registry}/",
        f"https://{registry}/v1/",
        f"https://{registry}/v2/",
    ]


def _decode(entry: _Auth, registry: str) -> Credentials | None:
    if entry.registrytoken:
        return Credentials("", entry.registrytoken, is_bearer=True)
    if entry.identitytoken:
        return Credentials(IDENTITY_TOKEN, entry.identitytoken)
    if entry.username:
        return Credentials(entry.username, entry.password)
    if not entry.auth:
        return None
    try:
        username, colon, secret = base64.b64decode(entry.auth).decode().rstrip("\0").partition(":")
    except ValueError:
        colon = ""
    if not colon:
        raise Unauthorized(f"The Docker configuration has an unreadable entry for {registry}. Log in again.") from None
    return Credentials(username, secret)


def _ask(helper: str, server: str, stop: Callable[[], bool]) -> Credentials | None:
    """The credential helper protocol: the server on stdin, JSON on stdout; a failure means "none known"."""
    if not _HELPER.fullmatch(helper):
        raise Unauthorized(f"The Docker configuration names the credential helper {helper[:60]!a}, which is no name.")
    program = f"docker-credential-{helper}"
    # Only in absolute folders: `.` in PATH would run what lies in the folder that somebody works in.
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]
    found = shutil.which(program, path=os.pathsep.join(folders))
    if found is None:
        raise Unauthorized(f"The credential helper {program} is not installed, or not on the PATH.")
    try:
        code, said = _run([found, "get"], server.encode(), stop)
        if code:
            return None
        answer = msgspec.json.decode(said[:_MAX_BYTES], type=_HelperAnswer)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unauthorized(f"The credential helper {program} does not work or did not answer in time.") from error
    except (msgspec.MsgspecError, ValueError):  # without a cause: that would quote what it said
        raise Unauthorized(f"The credential helper {program} did not answer as its protocol asks.") from None
    return Credentials(answer.username, answer.secret)


def _run(command: list[str], question: bytes, stop: Callable[[], bool]) -> tuple[int, bytes]:
    """Exit code and output. The helper and all that it started are killed when time is up or we are to stop."""
    until = time.monotonic() + HELPER_TIMEOUT_S
    with subprocess.Popen(  # noqa: S603  (found on the PATH by a checked name, no shell)
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as helper:
        try:
            said: bytes | None = None
            unsent: bytes | None = question
            while said is None:
                try:
                    said, _ = helper.communicate(unsent, timeout=_LOOK_EVERY_S)
                except subprocess.TimeoutExpired:
                    unsent = None  # the first call goes on sending it
                    if stop():
                        raise Interrupted from None
                    if time.monotonic() > until:
                        raise
            return helper.returncode, said
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(helper.pid, signal.SIGKILL)
            raise
