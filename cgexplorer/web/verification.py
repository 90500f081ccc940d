"""…@<digest>/-/verification: what was checked, by which rules, with which outcome, and how to check it again."""

from __future__ import annotations

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from cgexplorer.oci.evidence import Kind
from cgexplorer.store.models import TrustRoot, VerificationRun
from cgexplorer.store.queries import cross_checks, manifests, payloads, reports, verification
from cgexplorer.store.queries.verification import Judged, Report
from cgexplorer.verify.report import to_json
from cgexplorer.web import reproduce
from cgexplorer.web.check_words import CheckRow, check_rows, cosign_sentences, cross_check_rows, next_steps
from cgexplorer.web.render import render_page

MAX_RUNS_SHOWN = 50


class Shown(msgspec.Struct, frozen=True):
    """One piece of evidence with its rows."""

    judged: Judged
    checks: list[CheckRow]

    @property
    def anchor(self) -> str:
        return f"evidence-{self.judged.evidence.pk}"


@require_safe
def verification_report(request: HttpRequest, name: str, digest: str, run: int | None = None) -> HttpResponse:
    manifest = manifests.manifest(name, digest)
    report = verification.report(manifest, run)
    if report is None and run is not None:
        raise Http404(f"Run {run} did not verify this digest.")
    context = {"manifest": manifest, "report": report, "runs": verification.runs(manifest)[:MAX_RUNS_SHOWN]}
    return render_page(request, "verification/report.html", "report", context | (_shown(report) if report else {}))


@require_safe
def verification_json(request: HttpRequest, name: str, digest: str, run: int | None = None) -> HttpResponse:
    """The report as `cgexplorer.verification/1`."""
    report = verification.report(manifests.manifest(name, digest), run)
    if report is None:
        raise Http404("No such run verified this digest.")
    return HttpResponse(to_json(reports.run_report(report)), content_type="application/json")


def _shown(report: Report) -> dict[str, object]:
    decisive = report.judged[0] if report.judged else None
    commands = _commands(report)
    return {
        "evidence": [Shown(one, check_rows(one)) for one in report.judged],
        "cross_checks": cross_check_rows(cross_checks.of(report)),
        "failed": [one for one in report.judged if one.failed],
        "decisive": decisive,
        "sentences": cosign_sentences(report),
        "next_steps": next_steps(report.run.state),
        "commands": commands,
        "our_commands": [reproduce.ours(command) for command in commands[:1]],
        "certificates": _certificates(report),
        "log_entries": [(one, entry) for one in report.judged for entry in one.log_entries],
    }


def _commands(report: Report) -> tuple[reproduce.Command, ...]:
    signatures = [one for one in report.judged if one.evidence.kind == Kind.SIGNATURE]
    first = report.decisive
    types = dict.fromkeys(
        one.row.predicate_type
        for one in report.judged
        if one.evidence.kind == Kind.ATTESTATION and one.row.predicate_type
    )
    commands = reproduce.cosign(
        report.manifest,
        first.row.policy if first and first.row.policy else next(iter(report.policies), None),
        tuple(types),
        report.trust_roots[0] if report.trust_roots else None,
        identity=first.row.identity if first else "",
        issuer=first.row.issuer if first else "",
    )
    return commands if signatures else commands[1:]


def _certificates(report: Report) -> list[Judged]:
    """One of each certificate: evidence made in one run shares it."""
    found = {one.certificate.sha256: one for one in reversed(report.judged) if one.certificate}
    return list(reversed(found.values()))


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
