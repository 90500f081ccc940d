"""Credentials from Docker's config.json, as `docker login` and `chainctl auth configure-docker` leave them."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path

import msgspec

from cgexplorer.oci.errors import Unauthorized

_MAX_BYTES = 1 << 20
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HELPER_TIMEOUT_S = 30
IDENTITY_TOKEN = "<token>"  # noqa: S105  (the user name by which helpers mark an identity token)


class Credentials(msgspec.Struct, frozen=True):
    username: str
    secret: str

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


def credentials(registry: str, path: Path | None) -> Credentials | None:
    """For this registry ("cgr.dev", "localhost:5000"); None without a file or an entry.

    `Unauthorized` when there is an entry that cannot be used: asking without it would give a misleading answer.
    """
    config = _read(path)
    if config is None:
        return None
    names = _spellings(registry)
    helper = next((config.cred_helpers[name] for name in names if name in config.cred_helpers), config.creds_store)
    if helper and (found := _ask(helper, names[0])):
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


def _ask(helper: str, server: str) -> Credentials | None:
    """The credential helper protocol: the server on stdin, JSON on stdout; a failure means "none known"."""
    if not _HELPER.fullmatch(helper):
        raise Unauthorized(f"The Docker configuration names the credential helper {helper[:60]!a}, which is no name.")
    try:
        ran = subprocess.run(  # noqa: S603  (the name is checked above, no shell)
            [f"docker-credential-{helper}", "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT_S,
            check=False,
        )
        if ran.returncode:
            return None
        answer = msgspec.json.decode(ran.stdout[:_MAX_BYTES], type=_HelperAnswer)
    except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
        raise Unauthorized(f"The credential helper docker-credential-{helper} does not work.") from error
    return Credentials(answer.username, answer.secret)
