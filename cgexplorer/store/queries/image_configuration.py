"""The image configuration of a manifest: what a container runtime reads."""

from __future__ import annotations

from typing import Any

import msgspec

from cgexplorer.predicates.reading import Leaf, flatten, get, items, text, texts
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import payloads


class ImageConfiguration(msgspec.Struct, frozen=True):
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    stop_signal: str = ""
    environment: tuple[Leaf, ...] = ()
    labels: tuple[Leaf, ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    architecture: str = ""
    os: str = ""
    author: str = ""
    layers: int = 0
    other: tuple[Leaf, ...] = ()  # of `config`, what has no field here

    def flat(self) -> dict[str, str]:
        """Path to value, for comparing two images; a variable, a label, a port is one path each."""
        values = {
            "Entrypoint": " ".join(self.entrypoint),
            "Cmd": " ".join(self.cmd),
            "User": self.user,
            "WorkingDir": self.working_dir,
            "StopSignal": self.stop_signal,
        }
        values |= {f"Env.{name}": value or "(empty)" for name, value in self.environment}
        values |= {f"Labels.{name}": value or "(empty)" for name, value in self.labels}
        values |= {f"ExposedPorts.{port}": "exposed" for port in self.ports}
        values |= {f"Volumes.{volume}": "declared" for volume in self.volumes}
        values |= dict(self.other)
        return {path: value for path, value in values.items() if value}


_NAMED = frozenset(
    {"Entrypoint", "Cmd", "User", "WorkingDir", "StopSignal", "Env", "Labels", "ExposedPorts", "Volumes"}
)


def of(manifest: Manifest) -> ImageConfiguration | None:
    """None when its bytes are not stored or are no JSON object. Values of a wrong type are empty."""
    if manifest.config is None:
        return None
    try:
        document = msgspec.json.decode(payloads.content(manifest.config), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None
    runtime = document.get("config")
    runtime = runtime if isinstance(runtime, dict) else {}
    other = {name: value for name, value in runtime.items() if name not in _NAMED and value not in (None, "", [], {})}
    return ImageConfiguration(
        entrypoint=texts(runtime.get("Entrypoint")),
        cmd=texts(runtime.get("Cmd")),
        user=text(runtime.get("User")),
        working_dir=text(runtime.get("WorkingDir")),
        stop_signal=text(runtime.get("StopSignal")),
        environment=tuple(_variable(one) for one in texts(runtime.get("Env"))),
        labels=_labels(runtime.get("Labels")),
        ports=_keys(runtime.get("ExposedPorts")),
        volumes=_keys(runtime.get("Volumes")),
        architecture=text(document.get("architecture")),
        os=text(document.get("os")),
        author=text(document.get("author")),
        layers=len(items(get(document, "rootfs", "diff_ids"))),
        other=flatten(other) if other else (),
    )


def _variable(line: str) -> Leaf:
    name, _, value = line.partition("=")
    return name, value


def _labels(value: Any) -> tuple[Leaf, ...]:
    return tuple(sorted((text(k), text(v)) for k, v in value.items())) if isinstance(value, dict) else ()


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(sorted(text(key) for key in value)) if isinstance(value, dict) else ()
