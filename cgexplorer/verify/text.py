"""The verification report for a person at a terminal: cosign's own sentences first, then every check."""

from __future__ import annotations

from collections.abc import Iterator

from cgexplorer.verify.errors import printable
from cgexplorer.verify.report import EvidenceRow, Report
from cgexplorer.verify.verdict import State

_MARKS = {"passed": "✓", "failed": "✗", "not-run": "–"}
_GITHUB = tuple(f"GitHub Workflow {claim}" for claim in ("Trigger", "SHA", "Name", "Repository", "Ref"))


def render(report: Report) -> str:
    return "\n".join(printable(line) for line in _lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    rows = [row for subject in report.subjects for row in subject.evidence]
    good = [row for row in rows if row.state is State.VERIFIED]
    yield f"Verification for {report.reference} --"
    yield from cosign_sentences(good)
    for subject in report.subjects:
        platform = f" ({subject.platform})" if subject.platform else ""
        yield ""
        yield f"{subject.digest}{platform}: {subject.state}"
        yield f"  {subject.reason}"
        for problem in subject.problems:
            yield f"  could not be read: {problem}"
        for row in subject.evidence:
            yield ""
            yield from _evidence(row)


def cosign_sentences(good: list[EvidenceRow]) -> Iterator[str]:
    """What cosign prints when it succeeds; each sentence only when it is true of every verified signature."""
    if not good:
        return
    passed = [{check.name for check in row.checks if check.outcome == "passed"} for row in good]
    yield "The following checks were performed on each of these signatures:"
    yield "  - The cosign claims were validated"
    if all("log-entry" in names for names in passed):
        yield "  - Existence of the claims in the transparency log was verified offline"
    if all("certificate-chain" in names for names in passed):
        yield "  - The code-signing certificate was verified using trusted certificate authority certificates"
    if all("certificate-chain" not in names for names in passed):
        yield "  - The signatures were verified against the specified public key"


def _evidence(row: EvidenceRow) -> Iterator[str]:
    yield f"  {row.kind} ({row.form}){' ' + row.predicate_type if row.predicate_type else ''}: {row.state}"
    yield f"    {row.reason}"
    if row.certificate is not None:
        yield f"    Certificate subject: {', '.join(row.certificate.subjects)}"
        yield f"    Certificate issuer URL: {row.certificate.issuer}"
        for name in _GITHUB:
            if name in row.certificate.extensions:
                yield f"    {name}: {row.certificate.extensions[name]}"
    if row.signed_at is not None:
        yield f"    Signed at {row.signed_at:%Y-%m-%d %H:%M:%S} UTC, as the {row.time_source} says"
    for check in row.checks:
        expected = f"expected {check.expected}; found " if check.outcome == "failed" else ""
        yield f"    {_MARKS[check.outcome]} {check.name:<18} {expected}{check.found}"
