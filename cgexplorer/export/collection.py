"""Evidence of several digests in one file: a folder for each that checks itself, what they share, and one script.

One payload at a time is in memory.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from types import TracebackType
from typing import IO, Self

from cgexplorer.export import script
from cgexplorer.export.archive import Archive, Folder, fill
from cgexplorer.export.script import Step
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import exports

MAX_TOTAL_BYTES = 2 << 30  # unpacked
_ROOTS = "trusted-roots/"


class Collection:
    """Add digests, files and steps; `with` ends it with verify.sh and SHA256SUMS.

    Raises archive.TooLarge, payloads.Damaged.
    """

    def __init__(self, file: IO[bytes]) -> None:
        too_large = f"The evidence of all these digests is over {MAX_TOTAL_BYTES >> 20:,} MiB; ask for fewer."
        self._archive = Archive(file, MAX_TOTAL_BYTES, too_large)
        self.top = Folder(self._archive)
        self.steps: list[Step] = []
        self._folders = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with closing(self._archive):
            if error is None:
                self.top.seal(partial(script.write_of_folders, self.steps))

    def add_digest(self, manifest: Manifest, *, claimed: bool) -> Folder:
        """The bundle of this digest alone, without platforms. `claimed`: somebody says that it is verified."""
        self._folders += 1
        folder = Folder(self._archive, f"digests/{self._folders:03}-{manifest.digest[7:19]}/")
        found = exports.subjects(manifest)[:1]
        _, steps = fill(folder, manifest, found, roots=f"../../{_ROOTS}", claimed=claimed)
        folder.seal(partial(script.write, steps))
        # These two stand for all of the folder; what lies outside of it is listed here as well.
        for name in ("SHA256SUMS", "verify.sh"):
            self.top.sha256s[folder.path + name] = folder.sha256s[name]
        for name in folder.sha256s:
            if name.startswith("../../"):
                self.top.sha256s[name.removeprefix("../../")] = folder.sha256s[name]
        self.steps.append(Step("folder", (folder.path.rstrip("/"),)))
        return folder
