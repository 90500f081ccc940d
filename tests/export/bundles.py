"""Evidence bundles for tests: written from the store, unpacked into a folder, run."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from cgexplorer import export
from cgexplorer.store.models import Manifest
from scripts.interop import toolchain


def exported(manifest: Manifest) -> bytes:
    file = io.BytesIO()
    export.write(manifest, file)
    return file.getvalue()


def unpacked(manifest: Manifest, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(exported(manifest))) as found:
        found.extractall(folder)
    return folder


def cosign() -> str:
    """Stock cosign 3: $COSIGN, else the one that `make interop` built, else on PATH; skipped without any."""
    if named := os.environ.get("COSIGN"):
        return named
    try:
        return str(toolchain.find("cosign", 3))
    except toolchain.Missing:
        found = shutil.which("cosign")
    if found is None:
        pytest.skip("no cosign: run `make interop` once, put cosign 3 on PATH, or its path into COSIGN")
    return found


def verify_sh(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """The script with nothing but a PATH and a home without any cache; proxies that lead nowhere keep it offline."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent / "home"), "COSIGN": program, **nowhere}
    command = ["/bin/sh", str(folder / "verify.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
