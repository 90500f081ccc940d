"""…@<digest>/-/sbom: the document itself, with everything that it says of itself and of each of its elements."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.spdx.as_written import Annotation
from cgexplorer.store.models import Manifest, Sbom
from cgexplorer.store.queries import as_written, contents
from cgexplorer.store.queries import manifests as queries
from cgexplorer.store.queries.as_written import NotReadable
from cgexplorer.web.images import csv_response
from cgexplorer.web.paging import page
from cgexplorer.web.render import render_page

ANNOTATIONS_A_PAGE = 100
FIELDS = ("about", "annotator", "date", "type", "comment")
MAX_IDENTIFIER_CHARACTERS = 2000


@require_safe
def sbom_page(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    manifest = queries.manifest(name, digest)
    sbom = queries.sbom(manifest)
    context: dict[str, Any] = {"manifest": manifest, "sbom": sbom}
    if sbom is not None:
        context["document"] = contents.document(sbom)
        try:
            heading = as_written.heading(sbom)
            context |= {"heading": heading, "page": page(as_written.annotated(sbom), request.GET, ANNOTATIONS_A_PAGE)}
        except NotReadable as error:
            context["problem"] = str(error)
    return render_page(request, "digests/sbom.html", "rows", context)


@require_safe
def element_page(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    """?id=SPDXRef-…: one package, file, snippet or licence, every field as written."""
    manifest, sbom = _sbom(name, digest)
    identifier = request.GET.get("id", "")[:MAX_IDENTIFIER_CHARACTERS]
    context: dict[str, Any] = {"manifest": manifest, "sbom": sbom, "identifier": identifier}
    try:
        context["element"] = as_written.element(sbom, identifier)
    except NotReadable as error:
        context["problem"] = str(error)
    else:
        if context["element"] is None:
            raise Http404("The document has no element with this identifier.")
    return render_page(request, "digests/element.html", "rows", context)


@require_safe
def annotations_csv(request: HttpRequest, name: str, digest: str) -> StreamingHttpResponse:
    rows = (tuple(_row(one).values()) for one in _annotations(name, digest))
    return csv_response(f"{name}-{digest[7:19]}-annotations", FIELDS, rows)


@require_safe
def annotations_json(request: HttpRequest, name: str, digest: str) -> JsonResponse:
    rows = [_row(one) for one in _annotations(name, digest)]
    return JsonResponse({"schema": "cgexplorer.annotations/1", "image": name, "digest": digest, "annotations": rows})


def about(sbom: Sbom, *identifiers: str) -> tuple[Annotation, ...]:
    """The annotations of one package, of its merged copies too; none when the document cannot be read for a page."""
    try:
        return tuple(one for one in as_written.annotated(sbom) if one.about in identifiers and one.about)
    except NotReadable:
        return ()


def _row(one: Annotation) -> dict[str, str]:
    return {
        "about": one.about, "annotator": one.annotator, "date": one.date, "type": one.kind, "comment": one.comment,
    }  # fmt: skip


def _annotations(name: str, digest: str) -> tuple[Annotation, ...]:
    try:
        return as_written.annotated(_sbom(name, digest)[1])
    except NotReadable as error:
        raise Http404(str(error)) from None


def _sbom(name: str, digest: str) -> tuple[Manifest, Sbom]:
    manifest = queries.manifest(name, digest)
    found = queries.sbom(manifest)
    if found is None:
        raise Http404("No SBOM of this digest is stored.")
    return manifest, found
