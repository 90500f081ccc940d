"""…@<digest>/-/packages, licenses and files: the lists of one document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.spdx import document as spdx
from cgexplorer.spdx import graph as graphs
from cgexplorer.spdx.document import Role
from cgexplorer.store.models import Manifest, Sbom
from cgexplorer.store.queries import contents, fleet_licenses
from cgexplorer.store.queries import manifests as queries
from cgexplorer.store.queries.contents import SORTS, Element, Wanted
from cgexplorer.store.queries.why import why
from cgexplorer.web.images import csv_response
from cgexplorer.web.paging import page, page_of, start_of
from cgexplorer.web.render import render_page
from cgexplorer.web.sbom_pages import about

ROWS_A_PAGE = 100
FILES_A_PAGE = 200
FIELDS = ("name", "version", "type", "role", "license", "built_from", "supplier", "purl", "spdx_id")


class PackageForm(forms.Form):
    """The filter of a package list. What is not understood counts as not given."""

    q = forms.CharField(required=False, max_length=200)
    type = forms.CharField(required=False, max_length=32)
    license = forms.CharField(required=False, max_length=500)
    role = forms.ChoiceField(required=False, choices=[(name, name) for name in ("all", *Role)])
    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in SORTS])

    @property
    def wanted(self) -> Wanted:
        self.is_valid()
        asked = self.cleaned_data
        return Wanted(
            text=asked.get("q") or "",
            ecosystem=asked.get("type") or "",
            license=asked.get("license") or "",
            role=asked.get("role") or "",
            sort=asked.get("sort") or "name",
        )


@require_safe
def package_list(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    manifest = queries.manifest(name, digest)
    context = {"manifest": manifest, "sbom": queries.sbom(manifest), **first_packages(request, manifest)}
    return render_page(request, "digests/packages.html", "rows", context)


def first_packages(request: HttpRequest, manifest: Manifest) -> dict[str, Any]:
    """Context of `digests/_packages.html`."""
    sbom = queries.sbom(manifest)
    wanted = PackageForm(request.GET).wanted
    found = contents.listing(sbom, wanted) if sbom and not sbom.pruned_at else None
    rows = found.rows if found else ()
    return {
        "wanted": wanted,
        "listing": found,
        "page": page(rows, request.GET, ROWS_A_PAGE),
        "sorts": SORTS,
        "query": request.GET.urlencode(),
    }


@require_safe
def package_list_csv(request: HttpRequest, name: str, digest: str) -> StreamingHttpResponse:
    rows = (tuple(row[field] for field in FIELDS) for row in _rows(request, _sbom(name, digest)))
    return csv_response(f"{name}-{digest[7:19]}-packages", FIELDS, rows)


@require_safe
def package_list_json(request: HttpRequest, name: str, digest: str) -> JsonResponse:
    rows = list(_rows(request, _sbom(name, digest)))
    return JsonResponse({"schema": "cgexplorer.packages/1", "image": name, "digest": digest, "packages": rows})


def _rows(request: HttpRequest, sbom: Sbom) -> Iterator[dict[str, str]]:
    for element in contents.listing(sbom, PackageForm(request.GET).wanted).rows:
        package = element.package
        yield {
            "name": package.name, "version": package.version, "type": package.ecosystem, "role": str(package.role),
            "license": package.license, "built_from": package.built_from, "supplier": package.supplier,
            "purl": package.purl, "spdx_id": package.spdx_id,
        }  # fmt: skip


@require_safe
def package(request: HttpRequest, name: str, digest: str, element: int) -> HttpResponse:
    """One element with everything that the document says of it."""
    manifest = queries.manifest(name, digest)
    sbom = _sbom(name, digest)
    found = contents.elements(sbom)
    if element >= len(found):
        raise Http404("The document lists no such element.")
    related = _related(sbom, element, found)
    context = {"manifest": manifest, "sbom": sbom, "element": Element(element, found[element]), "related": related}
    context["annotations"] = about(sbom, found[element].spdx_id, *found[element].spdx_ids)
    context["why"] = why(manifest, sbom, element)
    return render_page(request, "digests/package.html", "rows", context)


def _related(sbom: Sbom, element: int, found: tuple[spdx.Package, ...]) -> list[tuple[str, list[Element]]]:
    """Relationships from and to it, in words, with the packages at their other ends."""
    graph = contents.graph(sbom)
    grouped: dict[str, list[Element]] = {}
    ends = [(words, target) for kind, target in graphs.children(graph, element) for words in [_OUT.get(kind)] if words]
    ends += [(words, source) for kind, source in graphs.parents(graph, element) for words in [_IN.get(kind)] if words]
    for words, other in ends:
        if 0 <= other < len(found):
            grouped.setdefault(words, []).append(Element(other, found[other]))
    return list(grouped.items())


_OUT = {
    spdx.CONTAINS: "Contains", spdx.DEPENDS_ON: "Depends on", spdx.HAS_PREREQUISITE: "Needs first",
    spdx.GENERATED_FROM: "Built from", spdx.DESCRIBED_BY: "Build definition",
}  # fmt: skip
_IN = {
    spdx.CONTAINS: "Contained in", spdx.IMPLIED_CONTAINS: "Contained in", spdx.DEPENDS_ON: "Used by",
    spdx.HAS_PREREQUISITE: "Needed by", spdx.GENERATED_FROM: "Built into", spdx.DESCRIBED_BY: "Builds",
}  # fmt: skip


@require_safe
def license_list(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    manifest = queries.manifest(name, digest)
    sbom = queries.sbom(manifest)
    context = {
        "manifest": manifest,
        "sbom": sbom,
        "rows": contents.license_rows(sbom) if sbom else (),
        "document": contents.document(sbom) if sbom else None,
        "new": fleet_licenses.new_in(manifest, sbom) if sbom and sbom.indexed else None,
    }
    return render_page(request, "digests/licenses.html", "rows", context)


@require_safe
def license_list_csv(request: HttpRequest, name: str, digest: str) -> StreamingHttpResponse:
    found = contents.license_rows(_sbom(name, digest))
    rows = (
        (row.expression or "not stated", element.package.name, element.package.version, element.package.purl)
        for row in found
        for element in row.packages
    )
    return csv_response(f"{name}-{digest[7:19]}-licences", ("license", "package", "version", "purl"), rows)


@require_safe
def license_list_json(request: HttpRequest, name: str, digest: str) -> JsonResponse:
    rows = [
        {
            "license": row.expression or None,
            "families": row.families,
            "packages": [element.package.purl or element.package.name for element in row.packages],
        }
        for row in contents.license_rows(_sbom(name, digest))
    ]
    return JsonResponse({"schema": "cgexplorer.licenses/1", "image": name, "digest": digest, "licenses": rows})


@require_safe
def file_list(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    manifest = queries.manifest(name, digest)
    sbom = queries.sbom(manifest)
    total = sbom.file_count if sbom else 0
    start = min(start_of(request.GET), max(0, total - 1))
    rows = contents.files(sbom, start, FILES_A_PAGE) if sbom else ()
    found = page_of(rows, start, total, request.GET, FILES_A_PAGE)
    return render_page(request, "digests/files.html", "rows", {"manifest": manifest, "sbom": sbom, "page": found})


@require_safe
def file_list_csv(request: HttpRequest, name: str, digest: str) -> StreamingHttpResponse:
    return csv_response(f"{name}-{digest[7:19]}-files", ("name", "checksum", "license"), _files(_sbom(name, digest)))


@require_safe
def file_list_json(request: HttpRequest, name: str, digest: str) -> JsonResponse:
    rows = [
        {"name": path, "checksum": checksum, "license": text} for path, checksum, text in _files(_sbom(name, digest))
    ]
    return JsonResponse({"schema": "cgexplorer.files/1", "image": name, "digest": digest, "files": rows})


def _files(sbom: Sbom) -> Iterator[tuple[str, str, str]]:
    for start in range(0, sbom.file_count, 4096):
        for file in contents.files(sbom, start, 4096):
            checksum = next((f"{one.algorithm.lower()}:{one.value}" for one in file.checksums), "")
            yield file.name, checksum, file.license_concluded


def _sbom(name: str, digest: str) -> Sbom:
    found = queries.sbom(queries.manifest(name, digest))
    if found is None:
        raise Http404("No SBOM of this digest is stored.")
    return found
