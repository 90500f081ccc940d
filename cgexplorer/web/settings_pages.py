"""/identities/, /licenses/, /policies/, /registries/: who signs, under which rules, from where."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from cgexplorer.store.queries import fleet_licenses, signers, trust_roots
from cgexplorer.store.queries import registries as registry_queries
from cgexplorer.store.queries.trust_roots import RootStatus
from cgexplorer.store.queries.universe import universe
from cgexplorer.web import csv_cells
from cgexplorer.web.reading import may_be_late
from cgexplorer.web.render import render_page

type Table = tuple[tuple[str, ...], list[tuple[Any, ...]]]  # column names, rows


@require_safe
@may_be_late
def identities(request: HttpRequest) -> HttpResponse:
    return render_page(request, "policies/identities.html", "rows", {"signers": signers.signers()})


@require_safe
@may_be_late
def licenses(request: HttpRequest) -> HttpResponse:
    family = request.GET.get("family", "")
    found = fleet_licenses.uses(family)
    counted_at = timezone.now() - dt.timedelta(seconds=found.age_s) if found.age_s else None
    context = {
        "uses": found,
        "counted_at": counted_at,
        "family": family,
        "universe": universe("current", include_unverified=False),
    }
    return render_page(request, "policies/licenses.html", "rows", context)


@require_safe
def policy_list(request: HttpRequest) -> HttpResponse:
    context = {"policies": signers.policy_versions()}
    return render_page(request, "policies/policies.html", "rows", context)


@require_safe
def registries(request: HttpRequest) -> HttpResponse:
    return render_page(
        request,
        "policies/registries.html",
        "rows",
        {
            "registries": registry_queries.registries(),
            "insecure": settings.INSECURE_REGISTRIES,
            "now": timezone.now(),
        },
    )


@require_safe
def download(request: HttpRequest, table: str, form: str) -> HttpResponse | StreamingHttpResponse:
    """The rows of one of these pages, as `<table>.csv` or `<table>.json`."""
    header, rows = TABLES[table]()
    if form == "json":
        body = [dict(zip(header, row, strict=True)) for row in rows]
        return HttpResponse(msgspec.json.encode(body), content_type="application/json")
    response = StreamingHttpResponse(csv_cells.lines(header, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{table}.csv"'
    return response


def _identities() -> Table:
    fields = signers.Signer.__struct_fields__
    return fields, [msgspec.structs.astuple(one) for one in signers.signers()]


def _licenses() -> Table:
    return ("expression", "packages", "images", "families"), [
        (one.expression, one.packages, one.images, ", ".join(one.families)) for one in fleet_licenses.uses(now=True).all
    ]


def _policies() -> Table:
    fields = (
        "name", "version", "current", "pattern", "issuer", "issuer_regexp", "identity", "identity_regexp", "key_pem",
        "require_log", "require_sct", "max_age_s", "created_at", "key_digest", "workflow_trigger", "workflow_sha",
        "workflow_name", "workflow_repository", "workflow_ref", "annotations", "use_signed_timestamps",
        "require_timestamp", "not_before", "not_after", "threshold",
        "required_types",
    )  # fmt: skip
    return fields, list(signers.policy_versions().values_list(*fields))


def _registries() -> Table:
    fields = ("host", "images", "added_at", "answered_at", "access", "token_service", "username", "credentials_set_at")
    rows = registry_queries.registries().values_list(*fields[:6], "credential__username", "credential__set_at")
    return fields, list(rows)


def _trust_roots() -> Table:
    fields = RootStatus.__struct_fields__
    return fields, [
        tuple(", ".join(cell) if isinstance(cell, tuple) else cell for cell in msgspec.structs.astuple(one))
        for one in trust_roots.statuses()
    ]


TABLES = {
    "identities": _identities,
    "licenses": _licenses,
    "policies": _policies,
    "registries": _registries,
    "trust-roots": _trust_roots,
}
