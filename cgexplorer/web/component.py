"""/packages/<type>/<namespace>/<name>[@version]: one component, its versions and the images that hold each."""

from __future__ import annotations

import shlex
from urllib.parse import urlencode

import msgspec
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe
from packageurl import PackageURL

from cgexplorer.spdx.purl import full_name
from cgexplorer.spdx.query import Query
from cgexplorer.spdx.versions import Constraint, VersionRange
from cgexplorer.store.models import Component
from cgexplorer.store.queries import components, prunable
from cgexplorer.store.queries.built_from import built_from
from cgexplorer.store.queries.components import VersionUse
from cgexplorer.store.queries.search import search
from cgexplorer.web import positions, search_report
from cgexplorer.web.component_path import NO_TYPE, component_path
from cgexplorer.web.images import csv_response
from cgexplorer.web.reading import may_be_late
from cgexplorer.web.render import render_page
from cgexplorer.web.search import ROWS_A_PAGE, groups

VERSIONS_SHOWN = 100
VERSION_COLUMNS = (
    "version", "has_order", "current_images", "current_digests", "images", "first_seen_at", "last_seen_at", "licenses",
    "built_from",
)  # fmt: skip


@require_safe
@may_be_late
def component_page(request: HttpRequest, ecosystem: str, path: str) -> HttpResponse:
    component, version = named(ecosystem, path)
    asked = Query(
        component.name,
        ecosystem=component.ecosystem,
        namespace=component.namespace,
        versions=VersionRange((Constraint("=", version),)) if version else None,
    )
    answer = search(asked, limit=ROWS_A_PAGE, after=positions.parse(request.GET.get("after", "")))
    versions = components.versions(component)
    purl = _purl(component, version)
    parts = component.ecosystem, component.namespace, component.name
    shown = versions if request.GET.get("versions") == "all" else versions[:VERSIONS_SHOWN]
    explained = version or _newest(versions)
    context = {
        "explained": explained,
        "built": built_from(component, explained),
        "all_versions": component_path(*parts),
        "version_rows": [(use, component_path(*parts, use.version)) for use in shown],
        "more_versions": len(versions) - len(shown),
        "of": f"{component.ecosystem or NO_TYPE}/{_path(component)}",
        "query": "?" + urlencode({"q": purl}),
        "command": f"manage.py search {shlex.quote(purl)}",
        "component": component,
        "name": full_name(component.ecosystem, component.namespace, component.name),
        "version": version,
        "versions": versions,
        "pruned": prunable.pruned_sboms(),
        "answer": answer,
        "groups": groups(answer.hits),
        "found": search_report.found(answer),
        "blind": search_report.blind(answer),
        "next": positions.text(answer.after),
    }
    return render_page(request, "search/component.html", "rows", context)


@require_safe
@may_be_late
def versions_csv(request: HttpRequest) -> StreamingHttpResponse:
    component = _asked(request)
    rows = (
        (*(getattr(use, name) for name in VERSION_COLUMNS[:-2]), " / ".join(use.licenses), " / ".join(use.built_from))
        for use in components.versions(component)
    )
    return csv_response(f"{component.name[:100]}-versions", VERSION_COLUMNS, rows)


@require_safe
@may_be_late
def versions_json(request: HttpRequest) -> JsonResponse:
    return versions_answer(_asked(request))


def versions_answer(component: Component) -> JsonResponse:
    rows = [msgspec.to_builtins(use) for use in components.versions(component)]
    named = {"ecosystem": component.ecosystem, "namespace": component.namespace, "name": component.name}
    return JsonResponse({"schema": "cgexplorer.versions/1", **named, "versions": rows})


def _asked(request: HttpRequest) -> Component:
    """`?of=apk/wolfi/openssl`. A path could not end in `.csv`: names of components may."""
    ecosystem, _, path = request.GET.get("of", "").partition("/")
    return named(ecosystem, path)[0]


def _path(component: Component) -> str:
    return "/".join(filter(None, (component.namespace, component.name)))


def _newest(versions: tuple[VersionUse, ...]) -> str:
    """The highest version that an image has now, else the highest ever."""
    current = next((use for use in versions if use.current_images), None)
    return (current or versions[0]).version if versions else ""


def _purl(component: Component, version: str) -> str:
    """What to type to find the same again: the purl, or the name of a package that has none."""
    if not component.ecosystem:
        return component.name
    try:
        purl = PackageURL(component.ecosystem, component.namespace or None, component.name, version or None)
    except ValueError:
        return component.name
    return purl.to_string()


def _unless_pruned() -> str:
    number = prunable.pruned_sboms()
    if not number:
        return ""
    those = "1 SBOM were pruned: whether it" if number == 1 else f"{number:,} SBOMs were pruned: whether one of them"
    return f" The rows of {those} held it is unknown."


def named(ecosystem: str, path: str) -> tuple[Component, str]:
    """The component and, when the path names one, a version of it. An `@` may also belong to a name."""
    ecosystem = "" if ecosystem == NO_TYPE else ecosystem
    if "\0" in ecosystem + path:
        raise Http404("No package has a NUL in its name.")
    if found := components.component(ecosystem, path):
        return found, ""
    name, at, version = path.rpartition("@")
    found = components.component(ecosystem, name) if at and name and version else None
    if found is None:
        raise Http404(f"No stored image holds a package {path} of type {ecosystem or 'unknown'}.{_unless_pruned()}")
    if not found.packages.filter(version=version).exists():
        raise Http404(f"No stored image ever held version {version} of {found.name}.{_unless_pruned()}")
    return found, version
