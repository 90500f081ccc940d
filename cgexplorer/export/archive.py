"""`evidence.zip` of one digest: the report, the exact bytes that it speaks of, and a script for stock cosign.

The same stored run gives the same bytes: no clock, no random names. One payload at a time is in memory.
"""

from __future__ import annotations

import hashlib
import zipfile
from contextlib import closing
from typing import IO

from cgexplorer.export import evidence, page, rules, script
from cgexplorer.export import report as reports
from cgexplorer.export.script import Step
from cgexplorer.store.models import Manifest, VerificationRun
from cgexplorer.store.queries import exports, payloads
from cgexplorer.verify import report as shapes
from cgexplorer.verify import text
from cgexplorer.verify.verdict import State

MAX_TOTAL_BYTES = 1 << 30  # unpacked
_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say
_TRUSTED = (State.VERIFIED, State.VERIFIED_STALE, State.NO_POLICY)


class TooLarge(Exception):
    """There is more evidence than one file may hold. `str(error)` is a sentence."""


class Archive:
    """A zip whose names and hashes are remembered for SHA256SUMS."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._total_bytes = 0
        self.sha256s: dict[str, str] = {}

    def add(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Adds nothing when a file of that name is there: names hold the digest of what is in them, or a number."""
        if name in self.sha256s:
            return
        self._total_bytes += len(content)
        if self._total_bytes > MAX_TOTAL_BYTES:
            raise TooLarge(f"The evidence of this digest is over {MAX_TOTAL_BYTES >> 20} MiB; export its platforms.")
        entry = zipfile.ZipInfo(name, _DATE)
        entry.create_system, entry.external_attr = 3, (0o100000 | mode) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        self._zip.writestr(entry, content)
        self.sha256s[name] = hashlib.sha256(content).hexdigest()

    def close(self) -> None:
        self._zip.close()


def write(manifest: Manifest, file: IO[bytes], run: VerificationRun | None = None) -> None:
    """The evidence bundle of this digest, of an index with its platforms; of an older run when one is named.

    Raises TooLarge, payloads.Damaged.
    """
    with closing(Archive(file)) as archive:
        _fill(archive, manifest, run)


def _fill(archive: Archive, manifest: Manifest, run: VerificationRun | None) -> None:
    found = exports.subjects(manifest, run)
    written = rules.Rules(found)
    for name, content in written.files():
        archive.add(name, content)
    reference = f"{manifest.image.name}@{manifest.digest}"
    report = reports.of_subjects(found, reference, then=run is not None)
    archive.add("report.json", shapes.to_json(report).encode())
    archive.add("report.txt", text.render(report).encode())
    archive.add("report.html", page.html(report, found).encode())
    archive.add("README.txt", page.readme(report).encode())
    steps = list(_manifests(archive, manifest, found))
    for subject in found:
        for number, judged in enumerate(subject.judged, 1):
            steps += evidence.add(archive.add, subject.manifest, number, judged, written)
    steps += [script.note(one) for one in written.unasked()]
    steps += _verdict(report)
    names = sorted([*archive.sha256s, "verify.sh"])
    archive.add("verify.sh", script.write(steps, names).encode(), 0o755)
    archive.add("SHA256SUMS", "".join(f"{archive.sha256s[name]}  {name}\n" for name in names).encode())


def _manifests(archive: Archive, manifest: Manifest, found: tuple[exports.Subject, ...]) -> list[Step]:
    steps = []
    for one in [subject.manifest for subject in found] + exports.indexes(manifest):
        if one.payload is None:
            continue
        name = f"manifests/sha256-{one.digest[7:]}.json"
        archive.add(name, payloads.content(one.payload))
        steps.append(Step("named", (name, one.digest[7:])))
    return steps


def _verdict(report: shapes.Report) -> list[Step]:
    """The script fails where the report does: it must not be a green light for an image that has none."""
    steps = []
    for subject in report.subjects:
        if subject.state in _TRUSTED:
            if subject.state is State.VERIFIED_STALE:
                steps.append(script.note(f"{subject.digest} is {subject.state}: {subject.reason}"))
            continue
        text = f"{subject.digest} is {subject.state}: {subject.reason}"
        attested = subject.state is State.UNSIGNED and any(one.state in _TRUSTED for one in subject.evidence)
        # Many sign only the index, and platforms need not be stored here: the report says so, nothing is claimed.
        failing = subject.digest == report.digest or subject.state in (State.INVALID, State.SIGNER_NOT_ALLOWED)
        steps.append(script.failure(text) if failing and not attested else script.note(text))
    if report.state is State.NO_POLICY:
        steps.append(script.note("No policy says who should sign: the signer that was found was asked for."))
    return steps
