"""Checksums, by spdx-tools' own names of algorithms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from spdx_tools.spdx.model.checksum import ChecksumAlgorithm

from cgexplorer.spdx import wire
from cgexplorer.spdx.document import Checksum
from cgexplorer.spdx.findings import Findings

_ABSENT_SHA1 = "0" * 40  # syft writes it for files that it did not read


def checksums(written: Sequence[wire.Checksum] | None, findings: Findings) -> tuple[Checksum, ...]:
    """The checksums of an element; a SHA1 of forty zeros is no checksum."""
    if not written:
        return ()
    found = []
    for one in written:
        value = one.checksum_value
        if not value or value == _ABSENT_SHA1:
            continue
        algorithm = algorithm_name(one.algorithm or "")
        if algorithm is None:
            findings.add("checksum of an unknown algorithm", one.algorithm or "")
            algorithm = (one.algorithm or "").upper()
        found.append(Checksum(algorithm, value if value.islower() or value.isdigit() else value.lower()))
    return tuple(found)


@lru_cache(maxsize=1024)
def algorithm_name(written: str) -> str | None:
    name = written.replace("-", "_").upper()
    return name if name in ChecksumAlgorithm.__members__ else None
