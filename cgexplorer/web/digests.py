"""…@<digest>: the permalink. What it is, whether it is what it says, and what is inside."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from cgexplorer import jobs, predicates
from cgexplorer.compare import Difference
from cgexplorer.export import reproduce
from cgexplorer.oci.evidence import Kind
from cgexplorer.predicates import PredicateError, slsa
from cgexplorer.predicates.slsa import Provenance
from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import attestations, compare, completeness, image_configuration, payloads, verification
from cgexplorer.store.queries import manifests as queries
from cgexplorer.store.queries.references import UnknownReference
from cgexplorer.web import platforms, sbom_forms
from cgexplorer.web.packages import first_packages
from cgexplorer.web.render import render_page


@require_safe
def digest_page(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    manifest = queries.manifest(name, digest)
    context = _verdict(manifest)
    if manifest.is_index:
        return render(request, "digests/index.html", context | platforms.shown(manifest, context["completeness"]))
    return render_page(request, "digests/digest.html", "rows", context | _contents(request, manifest))


def _verdict(manifest: Manifest) -> dict[str, Any]:
    """What the verdict strip says; `report` is the newest run in full."""
    report = verification.report(manifest)
    signatures = [one for one in report.judged if one.evidence.kind == Kind.SIGNATURE] if report else []
    return {
        "manifest": manifest,
        "report": report,
        "signature": report.decisive if report and signatures else None,
        "completeness": completeness.of(report) if report else None,
        "signatures": len(signatures),
        "attestations": len(report.judged) - len(signatures) if report else 0,
        "commands": reproduce.commands(report) if report else (),
    }


def _contents(request: HttpRequest, manifest: Manifest) -> dict[str, object]:
    """The four cards and the first packages."""
    found = list(queries.evidence(manifest))
    earlier = queries.before(manifest)
    return {
        "sbom": queries.sbom(manifest),
        "states": queries.attested_states(found),
        "provenance": _provenance(manifest),
        "configuration": image_configuration.of(manifest),
        "earlier": earlier,
        "earlier_tag": queries.tag_of(earlier) if earlier else "",
        "difference": _difference(earlier, manifest) if earlier else None,
        **first_packages(request, manifest),
    }


def _provenance(manifest: Manifest) -> Provenance | None:
    attestation = attestations.attestation(manifest, predicates.PROVENANCE_TYPES)
    if attestation is None or not attestations.may_be_read(attestation):
        return None
    try:
        return slsa.parse(payloads.predicate(attestation))
    except PredicateError:
        return None  # its own page says why


def _difference(earlier: Manifest, manifest: Manifest) -> Difference | None:
    try:
        return compare.builds(earlier, manifest).difference
    except UnknownReference:
        return None


@require_safe
def sbom_document(request: HttpRequest, name: str, digest: str, form: str) -> HttpResponse:
    """The SBOM, byte for byte as it was signed (or imported)."""
    sbom = queries.sbom(queries.manifest(name, digest), form)
    if sbom is None:
        raise Http404(f"No {sbom_forms.format_words(form)} document of this digest is stored.")
    media_type, suffix = sbom_forms.file_kind(sbom)
    response = HttpResponse(payloads.content(sbom.document), content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{digest[7:19]}.{suffix}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
def reverify(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    """Queue a verification of the stored evidence, or of what the registry has now, and show its progress."""
    manifest = queries.manifest(name, digest)
    return redirect("activity", pk=jobs.defer_reverify(manifest, live="live" in request.POST).pk)
