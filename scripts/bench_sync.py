"""How fast a followed repository is kept current: unchanged tags asked again, and a first sync by two workers.

The registry is a process of its own on the same machine. What it is compared to sends the very same requests over as
many connections and does nothing with the answers: the ratio is what we add to the registry's own time.

    python -m scripts.bench_sync        these figures alone
"""

from __future__ import annotations

import http.client
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from scripts.bench import Result, use_database

if TYPE_CHECKING:
    from tests.fakes.registry import FakeRegistry

UNCHANGED_TAGS = 1000
FIRST_TAGS, PLATFORMS, PACKAGES = 200, ("amd64", "arm64"), 250
WORKERS = 2
LATENCY_S = 0.002  # of the registry's every answer: that of one in the same building
MANY, FIRST = "bench/unchanged", "bench/first"


class Remote:
    """The registry's process, asked over a pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.host: str = pipe.recv()

    def since_last(self) -> tuple[list[tuple[str, str]], int]:
        """Method and path of each request since the last call, and how many were under way at the same time at most."""
        self._pipe.send("since last")
        return self._pipe.recv()


@contextmanager
def registry() -> Iterator[Remote]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Remote(ours)
    finally:
        ours.send("stop")
        process.join(10)
        process.kill()


def _serve(pipe: Connection) -> None:
    from tests.fakes.registry import FakeRegistry

    with FakeRegistry() as running:
        for number in range(UNCHANGED_TAGS):
            running.push_image(MANY, f"1.{number}", annotations={"build": str(number % 20)})
        for number in range(FIRST_TAGS):
            _push_signed(running, number)
        running.latency_s = LATENCY_S
        pipe.send(running.host)
        while pipe.recv() != "stop":
            pipe.send(([(method, path) for method, path, _ in running.requests], running.peak))
            running.requests.clear()
            running.peak = 0


def _push_signed(running: FakeRegistry, number: int) -> None:
    """An index of signed images with one SPDX attestation each; most packages are those of the build before."""
    from cgexplorer.oci.manifest import OCI_INDEX
    from tests.ingesting import sigstore, spdx

    one = sigstore()
    children = []
    for architecture in PLATFORMS:
        digest = running.push_image(FIRST, annotations={"build": f"{number} {architecture}"})
        kind, raw = running.repository(FIRST).manifests[digest]
        platform = {"os": "linux", "architecture": architecture}
        children.append({"mediaType": kind, "digest": digest, "size": len(raw), "platform": platform})
        names = [f"package-{n}@1.{(number + n) // 20}-r{len(architecture)}" for n in range(PACKAGES)]
        _attach(running, digest, ".att", one.attestation(digest, one.leaf(), predicate=spdx(*names)))
        _attach(running, digest, ".sig", one.signature(digest, one.leaf()))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
    top = running.push(FIRST, index, f"2.{number}")
    _attach(running, top, ".sig", one.signature(top, one.leaf()))


def _attach(running: FakeRegistry, digest: str, suffix: str, evidence: Any) -> None:
    layer = (evidence.media_type, evidence.content, dict(evidence.annotations))
    running.push_signed(FIRST, [layer], digest.replace(":", "-") + suffix)


def figures() -> list[Result]:
    from tests.ingesting import allow, sigstore

    sigstore()  # made before the registry's process: both know the same keys
    with registry() as remote:
        allow(pattern=f"{remote.host}/*")
        return [unchanged(remote), *first(remote)]


def unchanged(remote: Remote) -> Result:
    """Seconds for a round in which no tag moved."""
    from cgexplorer import sync
    from cgexplorer.oci import origin
    from cgexplorer.oci.registry import connect
    from cgexplorer.store.models import Sync
    from cgexplorer.store.queries import follows as queries
    from cgexplorer.store.record import syncs

    name = f"{remote.host}/{MANY}"
    _follow(name)

    def go() -> float:
        found, _ = syncs.queue(name)
        began = time.perf_counter()
        with connect(remote.host, insecure=frozenset([remote.host])) as source:
            sync.work(found, source)
        took = time.perf_counter() - began
        end = queries.progress([Sync.objects.get(pk=found.pk)])[0]
        assert (end.state, end.failed, end.asked) == ("done", 0, UNCHANGED_TAGS), end
        return took

    go()
    remote.since_last()
    ours = go()
    requests, peak = remote.since_last()
    assert peak <= origin.PARALLEL_PER_HOST, f"{peak} requests at the same time"
    print(f"{len(requests)} requests, at most {peak} at the same time", file=sys.stderr)
    bare = _replay(remote.host, requests)
    return Result(
        f"ask {UNCHANGED_TAGS:,} unchanged tags again", round(ours, 2), "s", "the same requests alone", round(bare, 2),
        round(ours / bare, 3),
    )  # fmt: skip


def first(remote: Remote) -> list[Result]:
    """Digests a second from nothing to searchable, by two worker processes that were started before."""
    from cgexplorer import sync_jobs
    from cgexplorer.oci import origin
    from cgexplorer.store.models import Sync
    from cgexplorer.store.queries import follows as queries
    from tests.working import worker

    name = f"{remote.host}/{FIRST}"
    _follow(name)
    remote.since_last()
    with ExitStack() as stack:
        for _ in range(WORKERS):
            stack.enter_context(worker(remote, jobs=1))  # as manage.py up starts them
        _until_they_listen()
        began = time.perf_counter()
        found = sync_jobs.defer_sync(name)
        while Sync.objects.filter(pk=found.pk, finished_at=None).exists():
            time.sleep(0.05)
        took = time.perf_counter() - began
    end = queries.progress([Sync.objects.get(pk=found.pk)])[0]
    digests = FIRST_TAGS * (1 + len(PLATFORMS))
    assert (end.state, end.fetched, end.verified, end.failed) == ("done", FIRST_TAGS, FIRST_TAGS, 0), end
    assert end.manifests == digests, end
    requests, peak = remote.since_last()
    assert peak <= origin.PARALLEL_PER_HOST, f"{peak} requests at the same time"
    print(f"{len(requests)} requests in {took:.1f} s, at most {peak} at the same time", file=sys.stderr)
    bare = _replay(remote.host, requests)
    what = f"first sync of {FIRST_TAGS} tags x {len(PLATFORMS)} platforms, {PACKAGES} packages each, {WORKERS} workers"
    return [
        Result(
            what, round(digests / took, 1), "digests/s", "the same requests alone", round(digests / bare, 1),
            round(bare / took, 3),
        )
    ]  # fmt: skip


def _follow(name: str) -> None:
    from django.utils import timezone

    from cgexplorer.store.record import follows

    follows.follow(follows.read(name), timezone.now())


def _until_they_listen() -> None:
    from django.db import connection

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '15 s'")
            if cursor.fetchone()[0] >= WORKERS:
                return
        time.sleep(0.1)
    raise RuntimeError("The workers did not start.")


def _replay(host: str, requests: list[tuple[str, str]]) -> float:
    """Seconds for these requests over as many connections as we may open, with nothing done with the answers."""
    from cgexplorer.oci.origin import PARALLEL_PER_HOST

    def send(part: list[tuple[str, str]]) -> None:
        wire = http.client.HTTPConnection(host)
        for method, path in part:
            wire.request(method, path)
            wire.getresponse().read()
        wire.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL_PER_HOST) as pool:
        list(pool.map(send, [requests[n::PARALLEL_PER_HOST] for n in range(PARALLEL_PER_HOST)]))
    return time.perf_counter() - began


def main() -> None:
    use_database("cgexplorer_bench_sync", fresh=True)
    for result in figures():
        print(
            f"{result.name}  {result.value} {result.unit}   x{result.ratio} of {result.against} "
            f"({result.against_value} {result.unit})"
        )


if __name__ == "__main__":
    main()
