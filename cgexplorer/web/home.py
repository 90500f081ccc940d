"""/: one box for everything, what needs somebody, and the newest verdicts."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import redirect, render
from django.urls import resolve, reverse
from django.urls.exceptions import Resolver404
from django.views.decorators.http import require_POST, require_safe

from cgexplorer import jobs
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import ReferenceError
from cgexplorer.store import health, replica
from cgexplorer.store.queries import coverage as matrix
from cgexplorer.store.queries import drift
from cgexplorer.store.queries import images as queries
from cgexplorer.store.queries import jump as targets
from cgexplorer.store.queries.jump import Target
from cgexplorer.web import words
from cgexplorer.web.render import render_page

MAX_CHARACTERS = 800
MAX_DRIFT = 6  # events on the first page


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    coverage, total = matrix.coverage()
    platforms = _columns(coverage)
    context = {
        "text": request.GET.get("q", "")[:MAX_CHARACTERS],
        # An image for other platforms only would be a row of blanks: the list of images has it.
        "coverage": [row for row in coverage if any(name in platforms for name, _, _ in row.cells)],
        "platforms": platforms,
        "columns": matrix.COLUMNS,
        "total": total,
        "runs": queries.newest_runs(),
        "drift": drift.unknown(MAX_DRIFT),
    }
    return render_page(request, "home/home.html", "main", context)


def _columns(coverage: list[matrix.CoverageRow]) -> list[str]:
    """The platforms of the matrix: the two that most images have. The others are on the images' own pages."""
    counted: dict[str, int] = {}
    for row in coverage:
        for platform in filter(None, (name for name, _, _ in row.cells)):
            counted[platform] = counted.get(platform, 0) + 1
    return sorted(sorted(counted, key=lambda platform: (-counted[platform], platform))[:2])


@require_safe
def jump(request: HttpRequest) -> HttpResponse:
    """To the page of whatever was pasted: a digest, a reference, a purl, a package with or without versions."""
    text = request.GET.get("q", "").strip()
    if not text:
        return redirect("home")
    found = targets.target(text[:MAX_CHARACTERS])
    if found.kind == "unknown":
        return _offer(request, text, found)
    return redirect(_address(found, text))


def _address(found: Target, text: str) -> str:
    if found.kind == "digest":
        return reverse("digest", args=[found.name, found.digest])
    if found.kind == "image":
        return reverse("image", args=[found.name])
    return f"{reverse('package-search')}?{urlencode({'q': text})}"


def _offer(request: HttpRequest, text: str, found: Target) -> HttpResponse:
    """A reference that is not stored: offer to fetch it. Anything else: say what is wrong with it."""
    command = f"manage.py add_image {found.reference}"
    context = {"text": text, "reference": found.reference, "problem": found.problem, "add_command": command}
    return render(request, "home/unknown.html", context, status=404)


@require_POST
def fetch(request: HttpRequest) -> HttpResponse:
    """Queue a fetch and show its progress. Asking twice shows the same work."""
    try:
        wanted = references.parse(request.POST.get("reference", ""))
    except ReferenceError as error:
        context = {"text": request.POST.get("reference", ""), "reference": None, "problem": str(error)}
        return render(request, "home/unknown.html", context, status=400)
    return redirect("activity", pk=jobs.defer_fetch(wanted).pk)


@require_safe
def states(request: HttpRequest) -> HttpResponse:
    return render(request, "home/states.html", {"states": list(words.WORDS)})


def without_slash(request: HttpRequest, path: str) -> HttpResponse:
    """The page without the slashes behind it, if there is one; a redirect that stays on this site."""
    target = "/" + path.lstrip("/")
    try:
        resolve(target)
    except Resolver404 as error:
        raise Http404(f"There is no page {target}.") from error
    query = request.META.get("QUERY_STRING", "")
    return HttpResponsePermanentRedirect(target + (f"?{query}" if query else ""))


def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("alive\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when everything that a page or a job needs is there; what is missing otherwise."""
    faults = health.faults()
    if faults:
        return HttpResponse("\n".join(faults), content_type="text/plain", status=503)
    late = replica.fault()
    return HttpResponse(
        f"ready\n{late}: pages are read from the primary.\n" if late else "ready\n", content_type="text/plain"
    )
