"""/searches/: searches that are kept, what each finds now, and when that last changed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from cgexplorer.spdx.query import QueryError
from cgexplorer.store.queries import saved_searches as queries
from cgexplorer.store.queries.saved_searches import SavedRow
from cgexplorer.store.record import saved_searches as record
from cgexplorer.store.record.saved_searches import CannotSave, Wish
from cgexplorer.web.images import csv_response
from cgexplorer.web.render import render_page
from cgexplorer.web.search import SearchForm

SCHEMA = "cgexplorer.searches/1"
_FIELDS = ("q", "v", "type", "scope", "include_unverified", "by_part", "saved_at")
COLUMNS = ("name", *_FIELDS, "images", "digests", "changed_at", "problem")


@require_safe
def search_list(request: HttpRequest) -> HttpResponse:
    rows = [(row, _link(row)) for row in queries.searches()]
    return render_page(request, "searches/searches.html", "rows", {"rows": rows})


@require_safe
def search_list_csv(request: HttpRequest) -> StreamingHttpResponse:
    rows = (tuple(_row(row)[column] for column in COLUMNS) for row in queries.searches())
    return csv_response("searches", COLUMNS, rows)


@require_safe
def search_list_json(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"schema": SCHEMA, "searches": [_row(row) for row in queries.searches()]})


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep what the search page was asked, under a name."""
    form = SearchForm(request.POST)
    try:
        form.query()
        said = form.cleaned_data
        wish = Wish(
            said["q"],
            said["v"],
            said["type"],
            "all" if said["scope"] == "all" else "current",
            said["unverified"],
            said["part"],
        )
        search = record.save(request.POST.get("name", ""), wish, timezone.now())
    except (QueryError, CannotSave) as error:
        messages.info(request, f"Not saved. {error}")
        return redirect(reverse("package-search") + form.link())
    messages.info(request, f"Saved as “{search.name}”. When its answer changes, that is drift.")
    return redirect("searches")


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    if name := record.remove(pk=pk):
        messages.info(request, f"“{name}” is no longer kept. The events that it raised stay.")
    return redirect("searches")


def _link(row: SavedRow) -> str:
    search = row.search
    asked = {
        "q": search.q,
        "v": search.v,
        "type": search.type,
        "scope": "all" if search.scope == "all" else "",
        "unverified": "1" if search.include_unverified else "",
        "part": "1" if search.by_part else "",
    }
    return reverse("package-search") + SearchForm(asked).link()


def _row(row: SavedRow) -> dict[str, Any]:
    return {
        "name": row.search.name,
        **{field: getattr(row.search, field) for field in _FIELDS},
        "images": row.images,
        "digests": row.digests,
        "changed_at": row.changed_at,
        "problem": row.problem,
    }
