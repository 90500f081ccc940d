"""…@<digest>/-/verification: what was checked, by which rules, with which outcome, and how to check it again."""

from __future__ import annotations

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from cgexplorer import jobs
from cgexplorer.export import report as reports
from cgexplorer.export import reproduce
from cgexplorer.export.cosign import unasked
from cgexplorer.store.models import TrustRoot, VerificationRun
from cgexplorer.store.queries import completeness, cross_checks, manifests, payloads, trust_roots, verification
from cgexplorer.store.queries.verification import Judged, Report
from cgexplorer.verify import alternatives, report_schema, text
from cgexplorer.verify import report as shapes
from cgexplorer.verify.report import cosign_sentences, to_json
from cgexplorer.web.check_words import CheckRow, check_rows, cross_check_rows, next_steps
from cgexplorer.web.images import image_named
from cgexplorer.web.render import render_page

MAX_RUNS_SHOWN = 50


class Shown(msgspec.Struct, frozen=True):
    """One piece of evidence with its rows."""

    judged: Judged
    checks: list[CheckRow]

    @property
    def anchor(self) -> str:
        return f"evidence-{self.judged.evidence.pk}"

    @property
    def layer(self) -> str:
        return bytes(self.judged.evidence.content_id).hex()

    @property
    def allowed_as(self) -> str:
        """Which of the signers that the policy's pattern allows."""
        row = self.judged.row
        return alternatives.matched(row.policy.identity_regexp, row.identity) if row.policy else ""


@require_safe
def verification_report(request: HttpRequest, name: str, digest: str, run: int | None = None) -> HttpResponse:
    manifest = manifests.manifest(name, digest)
    report = verification.report(manifest, run)
    if report is None and run is not None:
        raise Http404(f"Run {run} did not verify this digest.")
    context = {"manifest": manifest, "report": report, "runs": list(verification.runs(manifest)[:MAX_RUNS_SHOWN])}
    return render_page(request, "verification/report.html", "report", context | (_shown(report) if report else {}))


@require_safe
def verification_json(request: HttpRequest, name: str, digest: str, run: int | None = None) -> HttpResponse:
    """The report as `cgexplorer.verification/1`."""
    return HttpResponse(to_json(_run_report(name, digest, run)), content_type="application/json")


@require_safe
def verification_text(request: HttpRequest, name: str, digest: str, run: int | None = None) -> HttpResponse:
    """The report as the verifier prints it at a terminal."""
    return HttpResponse(text.render(_run_report(name, digest, run)), content_type="text/plain; charset=utf-8")


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """The JSON Schema of the report."""
    return HttpResponse(report_schema.to_json(), content_type="application/schema+json")


def _run_report(name: str, digest: str, run: int | None) -> shapes.Report:
    found = verification.report(manifests.manifest(name, digest), run)
    if found is None:
        raise Http404("No such run verified this digest.")
    return reports.run_report(found)


def _shown(report: Report) -> dict[str, object]:
    decisive = report.judged[0] if report.judged else None
    commands = reproduce.commands(report)
    return {
        "evidence": [Shown(one, check_rows(one)) for one in report.judged],
        "completeness": completeness.of(report),
        "cross_checks": cross_check_rows(
            cross_checks.of(report), {one.row.issuer for one in report.judged if one.row.issuer}
        ),
        "failed": [one for one in report.judged if one.failed],
        "decisive": decisive,
        "sentences": cosign_sentences(map(reports.evidence_row, report.judged)),
        "next_steps": next_steps(report.run.state),
        "commands": commands,
        "unasked": [sentence for policy in report.policies for sentence in unasked(policy)],
        "our_commands": [reproduce.ours(command) for command in commands[:1]],
        "certificates": _certificates(report),
        "roots": [(one, one.standing(timezone.now())) for one in trust_roots.statuses(_sha256s(report))],
        "log_entries": [(one, entry) for one in report.judged for entry in one.log_entries],
    }


def _sha256s(report: Report) -> list[str]:
    return [root.sha256 for root in report.trust_roots]


def _certificates(report: Report) -> list[Judged]:
    """One of each certificate: evidence made in one run shares it."""
    found = {one.certificate.sha256: one for one in reversed(report.judged) if one.certificate}
    return list(reversed(found.values()))


@require_POST
def reverify_all(request: HttpRequest, name: str | None = None) -> HttpResponse:
    """Queue a verification of all that the tags of this image, or of every image, point to; show its progress."""
    return redirect("activity", pk=jobs.defer_reverify_all(image_named(name) if name else None).pk)


@require_safe
def run_permalink(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(VerificationRun.objects.select_related("manifest__image"), pk=pk)
    return redirect(reverse("verification-run", args=[run.manifest.image.name, run.manifest.digest, run.pk]))


@require_safe
def trusted_root(request: HttpRequest, sha256: str) -> HttpResponse:
    """The exact bytes of a trust root, for `--trusted-root`."""
    root = get_object_or_404(TrustRoot.objects.select_related("payload"), sha256=sha256)
    response = HttpResponse(payloads.content(root.payload), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="trusted_root.json"'
    return response
