"""/activities/<id>: how far a fetch or a re-verification is, and what it changed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from cgexplorer.store.models import Activity, Sync
from cgexplorer.store.queries import follows, reverified, verification
from cgexplorer.store.record import syncs
from cgexplorer.web.render import render_page

MAX_ITEMS = 100  # of a round, on its page; all are in its CSV
FINISHED = ("done", "failed")


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
