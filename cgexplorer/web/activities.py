"""/activities/: what is under way, what failed and why; /activities/<id>: how far it is, and what it changed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from cgexplorer.store.models import Activity, Sync
from cgexplorer.store.queries import activities as queries
from cgexplorer.store.queries import follows, reverified, verification
from cgexplorer.store.record import syncs
from cgexplorer.web import again as repeat
from cgexplorer.web.images import csv_response
from cgexplorer.web.render import render_page

MAX_ITEMS = 100  # of a round, on its page; all are in its CSV
FINISHED = ("done", "failed")
MAX_ROWS = 200  # of the list, on its page; all are in its CSV
_COLUMNS = ("id", "kind", "subject", "state", "error", "attempts", "queued_at", "finished_at")


@require_safe
def activity_list(request: HttpRequest) -> HttpResponse:
    """`state` is failed, under-way or done; without it, all."""
    state, counts = request.GET.get("state", ""), queries.counts()
    total = counts[state] if state in counts else sum(counts.values())
    context = {
        "rows": queries.activities(state)[:MAX_ROWS],
        "more": total - MAX_ROWS,
        "state": state,
        "counts": counts,
        "total": sum(counts.values()),
        "query": request.GET.urlencode(),
    }
    return render_page(request, "activities/list.html", "rows", context)


@require_safe
def activity_list_csv(request: HttpRequest) -> StreamingHttpResponse:
    return csv_response("activities", _COLUMNS, queries.activities(request.GET.get("state", "")).values_list(*_COLUMNS))


@require_safe
def activity_list_json(request: HttpRequest) -> JsonResponse:
    rows: list[dict[str, Any]] = list(queries.activities(request.GET.get("state", "")).values(*_COLUMNS))
    return JsonResponse({"schema": "cgexplorer.activities/1", "activities": rows})


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Do what failed once more, and show how far it is."""
    try:
        return redirect("activity", pk=repeat.defer(get_object_or_404(Activity, pk=pk, state="failed")).pk)
    except repeat.NothingToWatch as error:
        messages.info(request, str(error))
        return redirect("activities")


@require_safe
def activity(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole page; htmx asks for `progress` again until the work is finished."""
    found = get_object_or_404(Activity.objects.select_related("run__manifest__image"), pk=pk)
    return render_page(request, "activities/activity.html", "progress", progress(found))


def _round(activity: Activity) -> dict[str, object]:
    """Context of `activities/_sync.html`."""
    found = Sync.objects.filter(activity=activity).first() if activity.kind == syncs.KIND else None
    if found is None:
        return {}
    items = list(follows.items(found)[: MAX_ITEMS + 1])
    more = found.items.count() - MAX_ITEMS if len(items) > MAX_ITEMS else 0
    now = follows.progress([found])[0]
    if not now.is_looking:
        activity.done, activity.total = now.done, now.total  # the bar is that of the present step
    return {"round": now, "items": items[:MAX_ITEMS], "more": more}


def progress(activity: Activity) -> dict[str, object]:
    """Context of `activities/_progress.html`."""
    previous = verification.runs(activity.run.manifest).filter(pk__lt=activity.run.pk).first() if activity.run else None
    return {
        "activity": activity,
        "is_finished": activity.state in FINISHED,
        "reverified": reverified.of(activity) if activity.kind == reverified.TRIGGER else None,
        "previous": previous,
        **_round(activity),
        "changes": verification.changes(previous, activity.run) if previous and activity.run else (),
    }
