"""…@<digest>/-/attestations, provenance and config: what was signed about an image, readable and as exact bytes."""

from __future__ import annotations

from typing import Literal

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from cgexplorer import predicates
from cgexplorer.predicates import PredicateError, apko, json_tree, slsa
from cgexplorer.store.models import Attestation, Evidence, Manifest
from cgexplorer.store.queries import attestations as queries
from cgexplorer.store.queries import image_configuration, manifests, payloads
from cgexplorer.web import configurations as beside
from cgexplorer.web import sources
from cgexplorer.web.render import render_page

type Part = Literal["predicate", "envelope", "bundle"]


@require_safe
def attestation_list(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    manifest = manifests.manifest(name, digest)
    found = list(queries.attestations(manifest))
    context = {"manifest": manifest, "attestations": [(one, queries.may_be_read(one)) for one in found]}
    return render_page(request, "attestations/list.html", "rows", context)


@require_safe
def attestation_page(request: HttpRequest, name: str, digest: str, pk: int) -> HttpResponse:
    """Any predicate as a tree of its JSON."""
    manifest = manifests.manifest(name, digest)
    attestation = get_object_or_404(queries.attestations(manifest), pk=pk)
    context = _context(manifest, attestation)
    if context["is_readable"]:
        try:
            context["tree"] = json_tree.parse(payloads.predicate(attestation))
        except PredicateError as error:
            context["problem"] = str(error)
    return render_page(request, "attestations/attestation.html", "predicate", context)


@require_safe
def provenance(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    manifest = manifests.manifest(name, digest)
    attestation = queries.attestation(manifest, predicates.PROVENANCE_TYPES)
    context = _context(manifest, attestation)
    if attestation and context["is_readable"]:
        try:
            found = slsa.parse(payloads.predicate(attestation))
            context |= {"provenance": found, "source": sources.source(found, attestation)}
        except PredicateError as error:
            context["problem"] = str(error)
    return render_page(request, "attestations/provenance.html", "predicate", context)


@require_safe
def config(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    """The image's own configuration beside the signed one of apko."""
    manifest = manifests.manifest(name, digest)
    attestation = queries.attestation(manifest, (predicates.APKO,))
    context = _context(manifest, attestation)
    built, configured = image_configuration.of(manifest), None
    if attestation and context["is_readable"]:
        try:
            configured = apko.parse(payloads.predicate(attestation))
        except PredicateError as error:
            context["problem"] = str(error)
    context |= {
        "image_configuration": built,
        "apko": configured,
        "environment": beside.environment(built, configured),
        "differences": beside.differences(built, configured),
        "labels": beside.labels(built, configured),
    }
    return render_page(request, "attestations/config.html", "predicate", context)


@require_safe
def attestation_bytes(request: HttpRequest, name: str, digest: str, pk: int, part: Part) -> HttpResponse:
    """Exactly the stored bytes, never rendered by a browser. A predicate only when its signature holds."""
    attestation = get_object_or_404(queries.attestations(manifests.manifest(name, digest)), pk=pk)
    content, suffix = _bytes(attestation, part)
    if not content:
        raise Http404(f"There is no {part} of this attestation.")
    kind = predicates.label(attestation.predicate_type or "attestation").split()[0].lower()
    kind = "".join(sign if sign.isalnum() else "-" for sign in kind)
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{digest[7:19]}-{kind}{suffix}"'
    return response


def _bytes(attestation: Evidence, part: Part) -> tuple[bytes, str]:
    if part == "predicate":
        return (payloads.predicate(attestation) if queries.may_be_read(attestation) else b""), ".json"
    if part == "envelope":
        return queries.envelope(attestation), ".dsse.json"
    return queries.bundle(attestation), ".sigstore.json"


def _context(manifest: Manifest, attestation: Attestation | None) -> dict[str, object]:
    return {
        "manifest": manifest,
        "attestation": attestation,
        "is_readable": attestation is not None and queries.may_be_read(attestation),
        "header": queries.header(attestation) if attestation else None,
    }
