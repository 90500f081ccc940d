"""/identities/, /licenses/, /policies/, /registries/: who signs, under which rules, from where."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from cgexplorer.store.queries import signers
from cgexplorer.store.queries.universe import universe
from cgexplorer.web.render import render_page


@require_GET
def identities(request: HttpRequest) -> HttpResponse:
    return render_page(request, "policies/identities.html", "rows", {"signers": signers.signers()})


@require_GET
def licenses(request: HttpRequest) -> HttpResponse:
    context = {"licenses": signers.licenses(), "universe": universe("current", include_unverified=False)}
    return render_page(request, "policies/licenses.html", "rows", context)


@require_GET
def policy_list(request: HttpRequest) -> HttpResponse:
    context = {"policies": signers.policy_versions(), "trust_roots": signers.trust_roots()}
    return render_page(request, "policies/policies.html", "rows", context)


@require_GET
def registries(request: HttpRequest) -> HttpResponse:
    return render_page(request, "policies/registries.html", "rows", {"registries": signers.registries()})
