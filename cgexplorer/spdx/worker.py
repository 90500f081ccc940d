"""Libraries that read whole documents, in a process of their own: limited in time and memory, killed beyond.

python -m cgexplorer.spdx.worker conformance        document on stdin, answer on stdout
"""

from __future__ import annotations

import logging
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cgexplorer import stopping

_MAX_MEMORY_BYTES = 1024**3  # the largest real document needs 460 MB
_LOOK_EVERY_S = 0.5
_MODULE = "cgexplorer.spdx.worker"
_ROOT = Path(__file__).resolve().parents[2]


class WorkerError(Exception):
    """The process gave no answer. `str(error)` says why, in a sentence."""


def run(task: str, raw: bytes, timeout_s: float) -> bytes:
    """The answer of `task` for these bytes.

    Raises WorkerError after `timeout_s` or when the process dies, Interrupted when ours is to stop.
    """
    command = [sys.executable, "-W", "ignore", "-m", _MODULE, task, str(math.ceil(timeout_s))]
    until = time.monotonic() + timeout_s
    # A file, because communicate() of CPython 3.13.0 stops sending at its first timeout, and the reader would wait.
    with (
        _file(raw) as document,
        subprocess.Popen(  # noqa: S603 our own interpreter and module, no words from outside
            command, stdin=document, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=_ROOT
        ) as process,
    ):
        answer: tuple[bytes, bytes] | None = None
        while answer is None:
            try:
                answer = process.communicate(timeout=min(_LOOK_EVERY_S, timeout_s))
            except subprocess.TimeoutExpired:
                if time.monotonic() > until or stopping.current()():
                    process.kill()
                    stopping.check()
                    raise WorkerError(f"The reader needed more than {timeout_s:g} seconds for this document.") from None
    said, complaint = answer
    if process.returncode != 0 or not said:
        lines = complaint.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1][:300] if lines else f"exit code {process.returncode}"
        raise WorkerError(f"The reader gave no answer for this document: {reason}.")
    return said


@contextmanager
def _file(raw: bytes) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as document:
        document.write(raw)
        document.seek(0)
        yield document


def main(arguments: list[str]) -> int:
    task, limit_s = arguments[0], int(arguments[1])
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 1))
    logging.disable(logging.CRITICAL)
    raw = sys.stdin.buffer.read()
    if task == "conformance":
        from cgexplorer.spdx import spdx_tools_opinion  # noqa: PLC0415 slow, and only needed in this process

        sys.stdout.buffer.write(spdx_tools_opinion.of(raw))
        return 0
    if task == "convert.cdx.xml":
        from cgexplorer.spdx import cyclonedx_reader  # noqa: PLC0415 slow, and only needed in this process

        sys.stdout.buffer.write(cyclonedx_reader.to_json(raw))
        return 0
    if task.startswith("convert."):
        from cgexplorer.spdx import spdx_tools_reader  # noqa: PLC0415 slow, and only needed in this process

        sys.stdout.buffer.write(spdx_tools_reader.to_json(raw, task.removeprefix("convert")))
        return 0
    sys.stderr.write(f"unknown task {task}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
