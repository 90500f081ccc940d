"""What a person reads in an evidence bundle: a page that prints well, and a text that says what the files are."""

from __future__ import annotations

from django.template.loader import render_to_string

from cgexplorer.predicates import label
from cgexplorer.store.queries.exports import Subject
from cgexplorer.verify import report as shapes


def html(report: shapes.Report, subjects: tuple[Subject, ...]) -> str:
    """The report with every check: one file, no script, nothing fetched."""
    roots = {root.sha256: root for subject in subjects for root in subject.trust_roots}
    shown = [
        (subject, [(one, label(one.predicate_type) or "simple signing") for one in subject.evidence])
        for subject in report.subjects
    ]
    context = {"report": report, "subjects": shown, "roots": list(roots.values())}
    return render_to_string("evidence/report.html", context)


def readme(report: shapes.Report) -> str:
    runs = [
        f"{one.run.number} ({one.checked_at:%Y-%m-%d %H:%M} UTC)"
        for one in report.subjects
        if one.run and one.checked_at
    ]
    return render_to_string("evidence/README.txt", {"report": report, "runs": runs})
