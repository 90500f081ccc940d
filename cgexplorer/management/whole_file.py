"""A file that is written whole or not at all: half of it must not look like one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.core.management.base import CommandError


@contextmanager
def whole_file(target: Path) -> Iterator[IO[bytes]]:
    """What is written inside becomes `target` when nothing goes wrong. Raises CommandError with the reason."""
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            try:
                yield file
                os.fchmod(file.fileno(), 0o644)
                Path(file.name).replace(target)
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from error
