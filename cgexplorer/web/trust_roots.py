"""/trust-roots/: whose signatures count, how fresh that knowledge is, and everything that happened to it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from cgexplorer.store.queries import trust_roots
from cgexplorer.verify.trust_root import PUBLIC_GOOD
from cgexplorer.web.render import render_page

MAX_STEPS_SHOWN = 50


@require_safe
def root_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    roots = trust_roots.statuses()
    context = {
        "roots": [(one, one.standing(now)) for one in roots],
        "refresh": next((one for one in roots if one.problem), None),
        "steps": trust_roots.steps()[:MAX_STEPS_SHOWN],
        "now": now,
        "public_good": PUBLIC_GOOD,
    }
    return render_page(request, "policies/trust_roots.html", "rows", context)
