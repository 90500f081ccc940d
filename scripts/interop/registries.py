"""The registries that cosign and we talk to: one with the referrers API, one without."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.interop import toolchain
from scripts.interop.processes import Processes, free_port

_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"}}
"""


def with_referrers(processes: Processes) -> str:
    """host:port of go-containerregistry's registry, which answers the referrers API."""
    address = f"127.0.0.1:{free_port()}"
    command = [str(toolchain.find("referrers-registry")), address]
    processes.start("referrers-registry", command, answers=f"http://{address}/v2/")
    return address


def without_referrers(processes: Processes, folder: Path) -> str:
    """host:port of Debian's docker-registry, where cosign falls back to the tag `sha256-<hex>`. Raises Missing."""
    found = shutil.which("docker-registry") or shutil.which("docker-registry", path="/usr/bin")
    if found is None:
        raise toolchain.Missing("make interop needs Debian's docker-registry: apt install docker-registry.")
    address, config = f"127.0.0.1:{free_port()}", folder / "docker-registry.yml"
    config.write_text(_CONFIG.format(storage=folder / "docker-registry", address=address))
    processes.start("docker-registry", [found, "serve", str(config)], answers=f"http://{address}/v2/")
    return address
