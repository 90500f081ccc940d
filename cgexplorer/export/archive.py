"""`evidence.zip` of one digest: the report, the exact bytes that it speaks of, and a script for stock cosign.

The same stored run gives the same bytes: no clock, no random names. One payload at a time is in memory.
"""

from __future__ import annotations

import hashlib
import posixpath
import zipfile
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
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
    """A zip that remembers the hash of what is in it. `too_large` is the sentence for more than `max_bytes`."""

    def __init__(self, file: IO[bytes], max_bytes: int, too_large: str) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._left_bytes = max_bytes
        self._too_large = too_large
        self._sha256s: dict[str, str] = {}

    def add(self, name: str, chunks: Iterable[bytes], mode: int = 0o644) -> str:
        """The sha256 of that file, which is written when there is none of that name: names hold the digest of what is
        in them, or a number."""
        if name in self._sha256s:
            return self._sha256s[name]
        entry = zipfile.ZipInfo(name, _DATE)
        entry.create_system, entry.external_attr = 3, (0o100000 | mode) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        sha256 = hashlib.sha256()
        with self._zip.open(entry, "w") as target:
            for chunk in chunks:
                self._left_bytes -= len(chunk)
                if self._left_bytes < 0:
                    raise TooLarge(self._too_large)
                target.write(chunk)
                sha256.update(chunk)
        return self._sha256s.setdefault(name, sha256.hexdigest())

    def close(self) -> None:
        self._zip.close()


class Folder:
    """A folder of an archive, with the names and hashes for its SHA256SUMS. A name may lead out of it."""

    def __init__(self, archive: Archive, path: str = "") -> None:
        self._archive = archive
        self.path = path  # "" or with a slash at the end
        self.sha256s: dict[str, str] = {}

    def add(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self.write(name, (content,), mode)

    def write(self, name: str, chunks: Iterable[bytes], mode: int = 0o644) -> None:
        """As `add`, of what need not be in memory at once."""
        self.sha256s[name] = self._archive.add(posixpath.normpath(self.path + name), chunks, mode)

    def seal(self, script: Callable[[list[str]], str]) -> None:
        """`verify.sh`, made of the names of all files, and SHA256SUMS."""
        names = sorted([*self.sha256s, "verify.sh"])
        self.add("verify.sh", script(names).encode(), 0o755)
        self.add("SHA256SUMS", "".join(f"{self.sha256s[name]}  {name}\n" for name in names).encode())


def write(manifest: Manifest, file: IO[bytes], run: VerificationRun | None = None) -> None:
    """The evidence bundle of this digest, of an index with its platforms; of an older run when one is named.

    Raises TooLarge, payloads.Damaged.
    """
    too_large = f"The evidence of this digest is over {MAX_TOTAL_BYTES >> 20} MiB; export its platforms."
    with closing(Archive(file, MAX_TOTAL_BYTES, too_large)) as archive:
        folder = Folder(archive)
        found = exports.subjects(manifest, run)
        report, steps = fill(folder, manifest, found, then=run is not None)
        folder.add("README.txt", page.readme(report).encode())
        folder.seal(partial(script.write, steps))


def fill(
    folder: Folder,
    manifest: Manifest,
    found: tuple[exports.Subject, ...],
    *,
    then: bool = False,
    roots: str = "",
    claimed: bool = True,
) -> tuple[shapes.Report, list[Step]]:
    """All but README and script: the report, and the steps of the script. `roots` is where trust roots are kept.

    `claimed`: somebody says that it is verified, so that the script has to fail when it is not.
    """
    written = rules.Rules(found, roots)
    for name, content in written.files():
        folder.add(name, content)
    report = reports.of_subjects(found, f"{manifest.image.name}@{manifest.digest}", then=then)
    folder.add("report.json", shapes.to_json(report).encode())
    folder.add("report.txt", text.render(report).encode())
    folder.add("report.html", page.html(report, found).encode())
    steps = list(_manifests(folder, manifest, found))
    for subject in found:
        for number, judged in enumerate(subject.judged, 1):
            steps += evidence.add(folder.add, subject.manifest, number, judged, written)
    steps += [script.note(one) for one in written.unasked()]
    return report, steps + _verdict(report, claimed=claimed)


def _manifests(folder: Folder, manifest: Manifest, found: tuple[exports.Subject, ...]) -> list[Step]:
    steps = []
    for one in [subject.manifest for subject in found] + exports.indexes(manifest):
        if one.payload is None:
            continue
        name = f"manifests/sha256-{one.digest[7:]}.json"
        folder.add(name, payloads.content(one.payload))
        steps.append(Step("named", (name, one.digest[7:])))
    return steps


def _verdict(report: shapes.Report, *, claimed: bool) -> list[Step]:
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
        failure = script.failure if claimed else script.skipped
        steps.append(failure(text) if failing and not attested else script.note(text))
    if report.state is State.NO_POLICY:
        steps.append(script.note("No policy says who should sign: the signer that was found was asked for."))
    return steps
