"""/activities/<id>: how far a fetch or a re-verification is, and what it changed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from cgexplorer.store.models import Activity
from cgexplorer.store.queries import reverified, verification
from cgexplorer.web.render import render_page

FINISHED = ("done", "failed")


@require_safe
def activity(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole page; htmx asks for `progress` again until the work is finished."""
    found = get_object_or_404(Activity.objects.select_related("run__manifest__image"), pk=pk)
    return render_page(request, "activities/activity.html", "progress", progress(found))


def progress(activity: Activity) -> dict[str, object]:
    """Context of `activities/_progress.html`."""
    previous = verification.runs(activity.run.manifest).filter(pk__lt=activity.run.pk).first() if activity.run else None
    return {
        "activity": activity,
        "is_finished": activity.state in FINISHED,
        "reverified": reverified.of(activity) if activity.kind == reverified.TRIGGER else None,
        "previous": previous,
        "changes": verification.changes(previous, activity.run) if previous and activity.run else (),
    }
