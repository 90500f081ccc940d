"""What a verdict was made with, for the report: another version may answer otherwise."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

import cgexplorer

_PACKAGES = ("sigstore", "cryptography")


@cache
def versions() -> dict[str, str]:
    """Name and version of this program, of what it verifies with, and of Python."""
    found = {name: metadata.version(name) for name in _PACKAGES}
    return {"cgexplorer": cgexplorer.__version__, **found, "Python": platform.python_version()}
