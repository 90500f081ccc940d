"""The binaries of `make interop`: built by Go from the module proxy, kept between runs.

They lie in `$CGEXPLORER_INTEROP`, by default in the user's cache, because they belong to no checkout: cosign and the
servers of a private Sigstore, 700 MB. The name of a file says its version, so a new version here is built anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TRILLIAN = "v1.8.0"


class Missing(Exception):
    """Something that is not installed here. `str(error)` says what and how to get it."""


class BuildFailed(Exception):
    """Go could not build something. `str(error)` ends with its own words."""


@dataclass(frozen=True)
class Program:
    name: str
    package: str
    version: str

    @property
    def path(self) -> Path:
        return folder() / f"{self.name}-{self.version.removeprefix('v')}"


# The newest versions that Go 1.26 takes: rekor 1.5.5 and timestamp-authority 2.1.5 want 1.27.
PROGRAMS = (
    Program("cosign", "github.com/sigstore/cosign/v3/cmd/cosign", "v3.1.3"),
    Program("cosign", "github.com/sigstore/cosign/v2/cmd/cosign", "v2.6.5"),
    Program("fulcio", "github.com/sigstore/fulcio", "v1.8.8"),
    Program("trillian_log_server", "github.com/google/trillian/cmd/trillian_log_server", TRILLIAN),
    Program("trillian_log_signer", "github.com/google/trillian/cmd/trillian_log_signer", TRILLIAN),
    Program("createtree", "github.com/google/trillian/cmd/createtree", TRILLIAN),
    Program("rekor-server", "github.com/sigstore/rekor/cmd/rekor-server", "v1.5.3"),
    Program("ct_server", "github.com/google/certificate-transparency-go/trillian/ctfe/ct_server", "v1.4.0"),
    Program("timestamp-server", "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server", "v2.1.2"),
    Program("rekor-tiles", "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix", "v2.3.0"),
)
# Not asked by make interop: the tests import what they write, where they are there.
LAYOUT_TOOLS = (
    Program("crane", "github.com/google/go-containerregistry/cmd/crane", "v0.21.7"),
    Program("oras", "oras.land/oras/cmd/oras", "v1.3.6"),
)
REFERRERS_REGISTRY = Program("referrers-registry", "./referrers_registry", "v0.21.7")


def folder() -> Path:
    """Where the binaries are kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("CGEXPLORER_INTEROP") or cache / "cgexplorer" / "interop")


def find(name: str, major: int | None = None) -> Path:
    """The kept binary of this name. Raises Missing."""
    for program in (*PROGRAMS, *LAYOUT_TOOLS, REFERRERS_REGISTRY):
        if program.name == name and (major is None or program.version.startswith(f"v{major}.")):
            if program.path.is_file():
                return program.path
            raise Missing(f"{program.path} is not built: run `make interop`.")
    raise LookupError(name)


def trillian_schema() -> Path:
    return folder() / f"trillian-{TRILLIAN.removeprefix('v')}.sql"


def is_complete() -> bool:
    return trillian_schema().is_file() and all(one.path.is_file() for one in (*PROGRAMS, REFERRERS_REGISTRY))


def go() -> str:
    """Path of the Go command. Raises Missing."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is None:
        raise Missing(
            "make interop needs Go 1.26 or newer to build cosign and a private Sigstore, and there is no `go` on PATH."
        )
    return found


def build() -> float:
    """Build what is not there yet, one line each. Returns the seconds that it took. Raises Missing, BuildFailed."""
    if is_complete() and all(one.path.is_file() for one in LAYOUT_TOOLS):
        return 0.0
    command, began = go(), time.monotonic()
    folder().mkdir(parents=True, exist_ok=True)
    for program in (*PROGRAMS, *LAYOUT_TOOLS):
        if not program.path.is_file():
            _install(command, program)
    if not REFERRERS_REGISTRY.path.is_file():
        _run(command, "build", "-o", str(REFERRERS_REGISTRY.path), ".", cwd=HERE / "referrers_registry")
    if not trillian_schema().is_file():
        modules = Path(_run(command, "env", "GOMODCACHE").strip())
        schema = modules / f"github.com/google/trillian@{TRILLIAN}/storage/postgresql/schema/storage.sql"
        shutil.copyfile(schema, trillian_schema())
    return time.monotonic() - began


def _install(command: str, program: Program) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder()) as scratch:
        _run(command, "install", f"{program.package}@{program.version}", GOBIN=scratch)
        (built,) = Path(scratch).iterdir()
        built.rename(program.path)  # whole or not at all: an interrupted build leaves nothing that looks finished
    print(f"built {program.path.name} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _run(*arguments: str, cwd: Path | None = None, **environment: str) -> str:
    told = {**os.environ, "CGO_ENABLED": "0", **environment}
    finished = subprocess.run(arguments, env=told, cwd=cwd, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise BuildFailed(f"{' '.join(arguments[1:])} failed: {finished.stderr.strip()[-2000:]}")
    return finished.stdout


if __name__ == "__main__":
    if sys.argv[1:] == ["--is-built"]:
        sys.exit(not is_complete())
    print(f"{build():.0f} s")
