"""/compare/builds: what each build of a tag changed."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.store.queries.build_history import MAX_BUILDS, Build, BuildHistory, build_history
from cgexplorer.store.queries.references import UnknownReference
from cgexplorer.web import csv_cells
from cgexplorer.web.reading import may_be_late
from cgexplorer.web.render import render_page

SCHEMA = "cgexplorer.builds/1"
COLUMNS = (
    "digest",
    "created_at",
    "state",
    "packages",
    "upgraded",
    "downgraded",
    "added",
    "removed",
    "other",
    "licences",
)


class BuildsForm(forms.Form):
    of = forms.CharField(required=False, max_length=800)
    platform = forms.CharField(required=False, max_length=64)
    count = forms.IntegerField(required=False, min_value=1, max_value=MAX_BUILDS)

    def history(self) -> BuildHistory:
        """Raises UnknownReference."""
        if not self.is_valid():
            raise UnknownReference(f"Between 1 and {MAX_BUILDS} builds of a reference can be shown.")
        asked = self.cleaned_data
        if not asked["of"]:
            raise UnknownReference("Name a tag, such as cgr.dev/chainguard/go:latest.")
        return build_history(asked["of"], asked["platform"], asked["count"] or 10)

    def link(self, **changes: str) -> str:
        asked = {name: self.data.get(name, "") for name in self.fields} | changes
        return "?" + urlencode({name: value for name, value in asked.items() if value})


@require_safe
@may_be_late
def builds_page(request: HttpRequest) -> HttpResponse:
    form = BuildsForm(request.GET)
    context: dict[str, object] = {"form": form}
    try:
        found = form.history()
        context |= {"history": found, "rows": [(build, compare_link(found, build)) for build in found.builds]}
        context["platforms"] = [(name, form.link(platform=name)) for name in found.platforms if name]
        context["more"] = form.link(count=str(min(MAX_BUILDS, len(found.builds) * 2))) if _can_grow(found) else ""
    except UnknownReference as error:
        context["error"] = str(error) if request.GET else ""
    return render_page(request, "compare/builds.html", "rows", context)


def _can_grow(found: BuildHistory) -> bool:
    return found.more and len(found.builds) < MAX_BUILDS


def compare_link(found: BuildHistory, build: Build) -> str:
    if build.before is None:
        return ""
    sides = {"from": f"{found.name}@{build.before.digest}", "to": f"{found.name}@{build.manifest.digest}"}
    return "?" + urlencode(sides)


def _row(build: Build) -> dict[str, object]:
    contents, changes = build.sbom, build.changes
    counts = (
        dict.fromkeys(COLUMNS[4:])
        if changes is None
        else {
            "upgraded": len(changes.upgraded),
            "downgraded": len(changes.downgraded),
            "added": len(changes.added),
            "removed": len(changes.removed),
            "other": len(changes.changed),
            "licences": len(changes.license_changed),
        }
    )
    return {
        "digest": build.manifest.digest,
        "created_at": build.manifest.created_at,
        "state": build.manifest.state,
        "packages": contents.installed_count + contents.module_count if contents else None,
        **counts,
    }


@require_safe
@may_be_late
def builds_json(request: HttpRequest) -> HttpResponse:
    try:
        found = BuildsForm(request.GET).history()
    except UnknownReference as error:
        return HttpResponse(msgspec.json.encode({"error": str(error)}), "application/json", status=404)
    body = {
        "schema": SCHEMA,
        "reference": f"{found.name}:{found.tag}",
        "platform": found.platform,
        "builds": [_row(build) for build in found.builds],
        "more": found.more,
    }
    return HttpResponse(msgspec.json.encode(body), "application/json")


@require_safe
@may_be_late
def builds_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    try:
        found = BuildsForm(request.GET).history()
    except UnknownReference as error:
        return HttpResponse(f"{error}\n", "text/plain; charset=utf-8", status=404)
    lines = csv_cells.lines(COLUMNS, ([_row(build)[name] for name in COLUMNS] for build in found.builds))
    response = StreamingHttpResponse(lines, "text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="builds.csv"'
    return response
