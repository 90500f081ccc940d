"""/drift/: what is not as it was, who knows of it, and the same as a feed."""

from __future__ import annotations

from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from cgexplorer.drift import Kind
from cgexplorer.export import drift_event
from cgexplorer.store.models import DriftEvent
from cgexplorer.store.queries import drift as queries
from cgexplorer.store.queries.drift import Filters
from cgexplorer.store.record import drift as record
from cgexplorer.web import drift_report
from cgexplorer.web.images import csv_response
from cgexplorer.web.render import render_page

ROWS_A_PAGE = 50
FEED_ENTRIES = 100
MAX_ID = (1 << 63) - 1
FILTERS = ("kind", "image", "search", "acknowledged", "event")
_KNOWN = {"yes": True, "no": False}


class AcknowledgeForm(forms.Form):
    reason = forms.CharField(max_length=record.MAX_REASON)
    who = forms.CharField(max_length=record.MAX_WHO, required=False)


@require_safe
def drift_page(request: HttpRequest) -> HttpResponse:
    """Filters by `kind`, `image`, `search`, `acknowledged`; `event` is one alone."""
    found = list(_events(request.GET, before=_number(request.GET, "before"))[: ROWS_A_PAGE + 1])
    rows = found[:ROWS_A_PAGE]
    context = {
        "rows": queries.together(rows),
        "asked": {name: request.GET.get(name, "")[:511] for name in FILTERS},
        "kinds": list(Kind),
        "query": _query(request.GET),
        "next": _query(request.GET, before=str(rows[-1].pk)) if len(found) > ROWS_A_PAGE else "",
        "here_now": request.get_full_path(),
    }
    return render_page(request, "drift/drift.html", "rows", context)


@require_safe
def drift_csv(request: HttpRequest) -> StreamingHttpResponse:
    rows = islice(_events(request.GET).iterator(chunk_size=1000), queries.MAX_EXPORT_ROWS)
    return csv_response("drift", drift_report.COLUMNS, map(drift_report.cells, rows))


@require_safe
def drift_json(request: HttpRequest) -> JsonResponse:
    return drift_answer(request.GET)


def drift_answer(
    parameters: QueryDict, *, before: int | None = None, limit: int = queries.MAX_EXPORT_ROWS
) -> JsonResponse:
    """Newest first. `next` is the `before` of what comes behind these; null when nothing does."""
    found = _events(parameters, before=before).iterator(chunk_size=min(1000, limit + 1))
    rows = list(islice(found, limit))
    more = next(found, None) is not None
    events = list(map(drift_event.row, rows))
    return JsonResponse({"schema": drift_event.SCHEMA, "events": events, "next": rows[-1].pk if more else None})


@require_safe
def drift_feed(request: HttpRequest) -> HttpResponse:
    """The newest events that the filters leave, as Atom."""
    query = _query(request.GET)
    page, feed = (request.build_absolute_uri(reverse(name) + query) for name in ("drift", "drift-feed"))
    about = request.GET.get("image", "")[:511] or "every image"
    body = drift_report.as_atom(_events(request.GET)[:FEED_ENTRIES], page=page, feed=feed, about=about)
    return HttpResponse(body, content_type="application/atom+xml; charset=utf-8")


@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """With a reason, and with it those that are shown as one with it (`with`); then back to where that was."""
    event = get_object_or_404(DriftEvent, pk=pk)
    others = [one for one in map(_id, request.POST.getlist("with")[:ROWS_A_PAGE]) if one is not None]
    form = AcknowledgeForm(request.POST)
    if form.is_valid():
        for one in [event, *DriftEvent.objects.filter(pk__in=others, image=event.image, kind=event.kind)]:
            record.acknowledge(one, form.cleaned_data["reason"], form.cleaned_data["who"])
        messages.info(request, "Acknowledged. The event stays here, with your reason.")
    else:
        messages.info(request, f"Not acknowledged: give a reason of at most {record.MAX_REASON:,} characters.")
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return redirect(target if is_ours and target.startswith("/") else f"{reverse('drift')}?event={pk}")


def _events(parameters: QueryDict, *, before: int | None = None) -> Any:
    one = _number(parameters, "event")
    asked = Filters(
        kind=parameters.get("kind", "").replace("\x00", "")[:32],
        image=parameters.get("image", "").replace("\x00", "")[:511],
        search=parameters.get("search", "").replace("\x00", "")[:100],
        acknowledged=_KNOWN.get(parameters.get("acknowledged", "")),
    )
    found = queries.events(asked, before=before)
    return found.filter(pk=one) if one is not None else found


def _number(parameters: QueryDict, name: str) -> int | None:
    return _id(parameters.get(name, ""))


def _id(text: str) -> int | None:
    return min(int(text), MAX_ID) if text.isascii() and text.isdecimal() and len(text) <= 19 else None


def _query(parameters: QueryDict, **more: str) -> str:
    asked = {name: value for name in FILTERS if (value := parameters.get(name, ""))} | more
    return f"?{urlencode(asked)}" if asked else ""
