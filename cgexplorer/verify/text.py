"""The verification report for a person at a terminal: cosign's own sentences first, then every check."""

from __future__ import annotations

from collections.abc import Iterator

from cgexplorer.verify.errors import printable
from cgexplorer.verify.report import CHAINGUARD, CheckRow, EvidenceRow, Report, SubjectRow, TrustRootRow
from cgexplorer.verify.verdict import State

_MARKS = {"passed": "✓", "failed": "✗", "not-run": "–"}


def render(report: Report) -> str:
    return "\n".join(printable(line) for line in _lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"Verification for {report.reference} --"
    said = next((subject.cosign_says for subject in report.subjects if subject.cosign_says), ())
    if said and report.state in (State.VERIFIED, State.VERIFIED_STALE):
        yield "The following checks were performed on each of these signatures:"
        yield from (f"  - {sentence}" for sentence in said)
    for subject in report.subjects:
        yield from _subject(subject)
    for warning in report.warnings:
        yield ""
        yield f"warning: {warning}"


def _subject(subject: SubjectRow) -> Iterator[str]:
    platform = f" ({subject.platform})" if subject.platform else ""
    yield ""
    yield f"{subject.digest}{platform}: {subject.state}"
    yield f"  {subject.reason}"
    for problem in subject.problems:
        yield f"  could not be read: {problem}"
    if subject.run is not None and subject.checked_at is not None:
        run, when = subject.run, f"{subject.checked_at:%Y-%m-%d %H:%M:%S} UTC"
        yield f"  Run {run.number} ({run.trigger}, {run.source}) at {when}: {run.state}"
    if subject.tools:
        yield f"  Verified with {', '.join(f'{name} {version}' for name, version in subject.tools.items())}"
    for root in subject.trusted_roots:
        yield f"  Trust root: {root.name}, sha256 {root.sha256}{_root(root)}"
    for row in subject.evidence:
        yield ""
        yield from _evidence(row)
    yield from _completeness(subject)
    if subject.cross_checks:
        yield ""
        yield "  Do the signed documents tell the same story? (They inform; the state does not hang on them.)"
        yield from map(_check, subject.cross_checks)
    yield from _history(subject)
    for command in subject.commands:
        yield ""
        yield f"  {command.title}, with stock cosign 3:"
        yield from (f"    {line}" for line in command.command.splitlines())
    yield from (f"  {sentence}" for sentence in subject.not_asked_of_cosign)


def _root(root: TrustRootRow) -> str:
    """Where it came from and how fresh it was: the age of a root is for a person to judge."""
    said = f", {root.source}" if root.source else ""
    if root.imported_at is not None:
        said += f" {root.imported_at:%Y-%m-%d %H:%M} UTC"
    if root.refreshed_at is not None:
        said += f", refreshed {root.refreshed_at:%Y-%m-%d %H:%M} UTC"
    if root.metadata_expires_at is not None:
        said += f", its metadata good until {root.metadata_expires_at:%Y-%m-%d %H:%M} UTC"
    return said


def _evidence(row: EvidenceRow) -> Iterator[str]:
    yield f"  {row.kind} ({row.form}){' ' + row.predicate_type if row.predicate_type else ''}: {row.state}"
    yield f"    {row.reason}"
    if row.certificate is not None:
        yield f"    Certificate subject: {', '.join(row.certificate.subjects)}"
        yield f"    Certificate issuer URL: {row.certificate.issuer}"
        yield from (f"    {name}: {value}" for name, value in row.certificate.extensions.items())
        yield f"    Certificate sha256 {row.certificate.sha256}, by {row.certificate.authority}"
    elif row.identity:
        yield f"    Signed by {row.identity}"
    if row.identity_matched:
        yield f"    Allowed as {row.identity_matched}"
    if row.signed_at is not None:
        yield f"    Signed at {row.signed_at:%Y-%m-%d %H:%M:%S} UTC, as the {row.time_source} says"
    for entry in row.log_entries:
        index = f"index {entry.log_index}" if entry.log_index is not None else "no proven index"
        time = f", integrated {entry.integrated_at:%Y-%m-%d %H:%M:%S} UTC" if entry.integrated_at else ""
        yield f"    Log {entry.log_name or 'not in the trust root'} ({entry.log_id[:16]}…): {index}, {entry.kind}{time}"
        yield f"      proven by {entry.proof or 'nothing'}"
    if row.policy is not None:
        yield f"    Decided by policy {row.policy.name} v{row.policy.version}"
    for tried in row.tried or ():
        yield f"    Also asked: policy {tried.name} v{tried.version}: {tried.state}. {tried.reason}"
    if row.trusted_root_sha256:
        yield f"    Trust root sha256 {row.trusted_root_sha256}"
    hidden = ("workflow",) if row.issuer == CHAINGUARD else ()
    yield from (_check(one) for one in row.checks if one.outcome != "not-run" or one.name not in hidden)


def _check(check: CheckRow) -> str:
    expected = f"expected {check.expected}; found " if check.outcome == "failed" else ""
    return f"    {_MARKS[check.outcome]} {check.name:<19} {expected}{check.found}"


def _completeness(subject: SubjectRow) -> Iterator[str]:
    found = subject.completeness
    if found is None:
        return
    yield ""
    answer = "Complete" if found.complete else "Not complete"
    yield f"  {answer}, as policy {found.policy.name} v{found.policy.version} asks:"
    for one in found.requirements:
        answer = f"{one.found}{' of ' * bool(one.of)}{one.of}" if one.found else "no verified attestation"
        yield f"    {_MARKS['passed' if one.found else 'failed']} {one.predicate_type}: {answer}"


def _history(subject: SubjectRow) -> Iterator[str]:
    before = subject.previous
    if before is None:
        return
    yield ""
    when = f"run {before.run} of {before.checked_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  Since {when}: {'nothing changed' if not before.changes else ''}".rstrip()
    yield from (f"    {change.what}: {change.before} → {change.after}" for change in before.changes)
