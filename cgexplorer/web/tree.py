"""…@<digest>/-/tree: what contains what, what was built from what, what depends on what."""

from __future__ import annotations

from typing import cast

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.store.queries import contents
from cgexplorer.store.queries import manifests as queries
from cgexplorer.store.queries import tree as trees
from cgexplorer.store.queries.contents import Element
from cgexplorer.store.queries.tree import By
from cgexplorer.web.render import render_page

TITLES: dict[By, str] = {"contents": "Contains", "depends": "Depends on", "used": "Used by"}


@require_safe
def tree(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    manifest = queries.manifest(name, digest)
    sbom = queries.sbom(manifest)
    found = trees.tree(sbom) if sbom and sbom.indexed else None
    return render_page(request, "digests/tree.html", "rows", {"manifest": manifest, "sbom": sbom, "tree": found})


@require_safe
def branch(request: HttpRequest, name: str, digest: str, element: int) -> HttpResponse:
    """One level below an element: for htmx the list alone, else a page of its own."""
    by = cast(By, request.GET.get("by", "contents"))
    manifest = queries.manifest(name, digest)
    sbom = queries.sbom(manifest)
    found = contents.elements(sbom) if sbom else ()
    if by not in TITLES or sbom is None or element >= len(found):
        raise Http404("The document lists no such element.")
    context: dict[str, object] = {"manifest": manifest, "sbom": sbom, "by": by, "title": TITLES[by]}
    context |= {"element": Element(element, found[element]), "level": trees.branch(sbom, element, by)}
    return render_page(request, "digests/branch.html", f"branch-{by}-{element}", context)
