"""Work that somebody waits for or that failed, the newest first."""

from __future__ import annotations

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery

from cgexplorer.store.models import Activity

UNDER_WAY = ("queued", "running")
# What the list can be narrowed to; "" is all.
GROUPS = {"failed": ("failed",), "under-way": UNDER_WAY, "done": ("done",)}


def activities(group: str = "") -> QuerySet[Activity]:
    """Those of this group, each with `newer`: the id of the newest about the same, when that is another."""
    same = Activity.objects.filter(kind=OuterRef("kind"), subject=OuterRef("subject"), pk__gt=OuterRef("pk"))
    newest = same.order_by().values("kind").annotate(newest=Max("pk")).values("newest")
    found = Activity.objects.annotate(newer=Subquery(newest)).order_by("-pk")
    return found.filter(state__in=GROUPS[group]) if group in GROUPS else found


def counts() -> dict[str, int]:
    """How many there are in each group."""
    by_state = dict(Activity.objects.values_list("state").annotate(Count("pk")).order_by())
    return {group: sum(by_state.get(state, 0) for state in states) for group, states in GROUPS.items()}
