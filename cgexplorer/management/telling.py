"""How commands tell a person what happened: results on stdout, progress on stderr when somebody watches.

Platforms, reasons and identities are other people's text: it may neither drive the terminal nor be taken for markup.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from cgexplorer import predicates
from cgexplorer.ingest import IngestReport, ManifestReport, Progress
from cgexplorer.oci.digest import short
from cgexplorer.verify.errors import printable
from cgexplorer.verify.verdict import State


@contextmanager
def watched() -> Iterator[Progress]:
    """A progress callback that shows one line while it works, and nothing when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda step, done, total: None
        return
    with Console(stderr=True).status("Starting") as status:
        yield lambda step, done, total: status.update(progress_line(step, done, total))


def progress_line(step: str, done: int, total: int) -> Text:
    return Text(printable(f"{step} ({done} of {total})" if total else step))


def lines(report: IngestReport) -> Iterator[str]:
    """One line for each digest, those that it names indented."""
    return map(printable, _lines(report))


def _lines(report: IngestReport) -> Iterator[str]:
    yield report.reference
    for manifest in report.manifests:
        platform = manifest.platform or ("index" if manifest.is_index else "no platform")
        yield f"  {platform:14} {short(manifest.digest)}  {_said(manifest)}"
        for predicate_type, state in manifest.attestations:
            what = predicates.label(predicate_type) or "attestation of unknown type"
            yield f"  {'':14} {what}: {words(state)}"
        for problem in manifest.problems:
            if problem.reason in manifest.reason:
                continue  # it was just said
            yield f"  {'':14} could not be read: {problem.place}: {problem.reason}"


def _said(manifest: ManifestReport) -> str:
    if manifest.state is State.VERIFIED:
        return f"verified as {manifest.identity}"
    return f"{words(manifest.state)}: {manifest.problem or manifest.reason}"


def words(state: str) -> str:
    return state.replace("-", " ")


@contextmanager
def watched_line() -> Iterator[Callable[[str], None] | None]:
    """What shows a line in the place of the last one; None when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with Console(stderr=True).status("Starting") as status:
        yield lambda line: status.update(Text(printable(line)))
