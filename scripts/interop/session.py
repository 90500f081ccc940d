"""One run from an empty folder: everything started, signed, asked, and stopped again."""

from __future__ import annotations

import fcntl
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.interop import (
    cases,
    comparison,
    exhibits,
    images,
    registries,
    signers,
    signing,
    sigstore_stack,
    tampered,
    toolchain,
    trust,
)  # fmt: skip
from scripts.interop.comparison import Row
from scripts.interop.exhibits import Exhibit, Registry
from scripts.interop.judges import Court
from scripts.interop.processes import Processes, accepts
from scripts.interop.signing import Desk, Signed

METRICS_PORT = 2112


@dataclass(frozen=True)
class Found:
    signed: list[Signed]
    rows: list[Row]


def ask(desk: Desk, chosen: tuple[Exhibit, ...], folder: Path) -> Found:
    """Sign these, alter what can be altered, and ask everybody about all of it."""
    say(f"signing {len(chosen)} images")
    signed = signing.sign_all(desk, chosen)
    signed += tampered.alter_all(signed)
    made = [one for one in signed if not one.not_made]
    roots = {name: desk.trust.root(name) for name in ("whole", *trust.VARIANTS)}
    court = Court(roots, signing.environment(desk), saved(made, folder / "layout"))
    asked = cases.questions(made, desk.keys)
    say(f"asking {len(asked)} questions")
    return Found(signed, comparison.compare(court, asked, {one.exhibit.name: one.exhibit for one in made}))


@contextmanager
def desk(folder: Path, home: Path, *, wait: bool = True) -> Iterator[Desk]:
    """Everything that signing needs, running. `home` is that of the embedded PostgreSQL."""
    with (
        _alone(wait=wait),
        Processes(folder / "logs") as processes,
        sigstore_stack.running(folder, home, processes) as stack,
    ):
        signers.make_keys(folder / "signers")
        yield Desk(
            stack=stack,
            trust=trust.Trust(stack, folder / "trust"),
            keys=folder / "signers",
            home=folder / "cosign-home",
            registries={
                Registry.REFERRERS: registries.with_referrers(processes),
                Registry.FALLBACK: registries.without_referrers(processes, folder),
            },
        )


@contextmanager
def _alone(*, wait: bool) -> Iterator[None]:
    """One run at a time on a machine: the timestamp authority's port for metrics cannot be chosen. Raises Missing."""
    with (toolchain.folder() / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise toolchain.Missing("Another run of interop is under way on this machine.") from None
        if accepts(METRICS_PORT):
            raise toolchain.Missing(f"Port {METRICS_PORT} is taken, which the timestamp authority cannot do without.")
        yield


def everything(only: str = "") -> tuple[Exhibit, ...]:
    """All exhibits, or those whose name matches this pattern somewhere."""
    return tuple(one for one in (*exhibits.table(), *tampered.table()) if re.search(only, one.name))


def saved(made: list[Signed], folder: Path) -> Path:
    """All exhibits with everything beside them as one OCI layout."""
    layout = images.new_layout(folder)
    for one in made:
        repository = images.Repository(one.registry, one.exhibit.name)
        repository.save(layout)
        repository.close()
    layout.close()
    return folder


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
