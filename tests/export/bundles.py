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


def exported(manifest: Manifest) -> bytes:
    file = io.BytesIO()
    export.write(manifest, file)
    return file.getvalue()


def unpacked(manifest: Manifest, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(exported(manifest))) as found:
        found.extractall(folder)
    return folder


def cosign() -> str:
    """Stock cosign 3, from $COSIGN or PATH; the test is skipped without it."""
    found = shutil.which(os.environ.get("COSIGN") or "cosign")
    if found is None:
        pytest.skip("no cosign: put cosign 3 on PATH or its path into COSIGN")
    return found


def verify_sh(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """The script with nothing but a PATH and a home without any cache; proxies that lead nowhere keep it offline."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent / "home"), "COSIGN": program, **nowhere}
    command = ["/bin/sh", str(folder / "verify.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
