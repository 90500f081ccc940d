"""Two configurations beside each other: what a runtime reads, and what apko says it built."""

from __future__ import annotations

import msgspec

from cgexplorer.predicates.apko import ImageConfiguration as Configured
from cgexplorer.store.queries.image_configuration import ImageConfiguration as Built


class Variable(msgspec.Struct, frozen=True):
    name: str
    value: str
    origin: str


class Unequal(msgspec.Struct, frozen=True):
    what: str
    built: str
    configured: str


def environment(built: Built | None, configured: Configured | None) -> list[Variable]:
    """Every variable with where it comes from; the value is the image's when there is one."""
    signed = dict(configured.environment) if configured else {}
    found = []
    for name, value in built.environment if built else ():
        if configured is None:
            origin = "image configuration"
        elif name not in signed:
            origin = "image only; apko adds PATH and SSL_CERT_FILE to every image"
        elif signed[name] == value:
            origin = "apko configuration"
        else:
            origin = f"image; apko configuration says {signed[name]}"
        found.append(Variable(name, value, origin))
    seen = {variable.name for variable in found}
    found += [Variable(n, v, "apko configuration only") for n, v in signed.items() if n not in seen]
    return found


def differences(built: Built | None, configured: Configured | None) -> list[Unequal]:
    """Where the image is not what apko's configuration says. Silence on one side is no difference."""
    if built is None or configured is None:
        return []
    pairs = (
        ("Entrypoint", " ".join(built.entrypoint), configured.entrypoint if not configured.services else ""),
        ("Command", " ".join(built.cmd), configured.cmd),
        ("Working folder", built.working_dir, configured.work_dir),
        ("Stop signal", built.stop_signal, configured.stop_signal),
    )
    found = [Unequal(what, image, signed) for what, image, signed in pairs if image and signed and image != signed]
    signed_environment = dict(configured.environment)
    for name, value in built.environment:
        if name in signed_environment and signed_environment[name] != value:
            found.append(Unequal(f"Variable {name}", value, signed_environment[name]))
    return found


def labels(built: Built | None, configured: Configured | None) -> list[tuple[str, str]]:
    """Labels of the image and annotations of apko, each once."""
    return sorted({*(built.labels if built else ()), *(configured.annotations if configured else ())})
