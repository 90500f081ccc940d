"""/follows/: which repositories are kept current, how their last round went, and a form to follow another."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from cgexplorer import sync_jobs
from cgexplorer.oci.errors import OciError
from cgexplorer.store.models import Sync
from cgexplorer.store.queries import follows as queries
from cgexplorer.store.queries.follows import FollowRow
from cgexplorer.store.record import follows as record
from cgexplorer.store.record import syncs
from cgexplorer.web.images import csv_response
from cgexplorer.web.render import render_page

INTERVALS = ("15m", "1h", "6h", "1d")
_ROUND = ("state", "finished_at", "found", "unchanged", "gone", "changed", "fetched", "verified", "failed", "requests")
_ITEM = ("tags", "digest", "state", "verdict", "manifests", "reason", "seen_at")


class FollowForm(forms.Form):
    repository = forms.CharField(max_length=800)
    tags = forms.CharField(required=False, max_length=4000)
    newest = forms.CharField(required=False, max_length=10)
    platforms = forms.CharField(required=False, max_length=2000)
    every = forms.ChoiceField(choices=[(one, one) for one in INTERVALS], initial=record.DEFAULT_INTERVAL)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                said["wish"] = record.read(
                    said["repository"], said["tags"].split(), said["newest"], said["platforms"].split(), said["every"]
                )
            except OciError as error:
                self.add_error(None, str(error))
        return said


@require_safe
def follow_list(request: HttpRequest) -> HttpResponse:
    return _page(request, FollowForm({"repository": request.GET.get("repository", ""), "every": "1h"}))


def _page(request: HttpRequest, form: FollowForm, status: int = 200) -> HttpResponse:
    rows = queries.follows()
    context = {
        "rows": rows,
        "is_busy": any(row.newest and row.newest.finished_at is None for row in rows),
        "form": form,
        "problems": [error for errors in form.errors.values() for error in errors] if status != 200 else [],
        "intervals": INTERVALS,
        "now": timezone.now(),
    }
    return render_page(request, "follows/follows.html", "rows", context, status)


@require_POST
def follow(request: HttpRequest) -> HttpResponse:
    """Follow, and show how far the first round is."""
    form = FollowForm(request.POST)
    if not form.is_valid():
        return _page(request, form, 400)
    wish = form.cleaned_data["wish"]
    record.follow(wish, timezone.now())
    return redirect("activity", pk=sync_jobs.defer_sync(wish.name).activity_id)


@require_POST
def unfollow(request: HttpRequest, name: str) -> HttpResponse:
    if syncs.unfollow(name):
        messages.info(request, f"{name} is no longer followed. What is stored of it stays.")
    return redirect("follows")


@require_POST
def sync_now(request: HttpRequest, name: str) -> HttpResponse:
    """A round out of turn, of what is followed or stored."""
    return redirect("activity", pk=sync_jobs.defer_sync(name).activity_id)


@require_safe
def follow_list_csv(request: HttpRequest) -> StreamingHttpResponse:
    rows = [_row(row) for row in queries.follows()]
    lists = ("tags", "platforms")
    header = ("repository", *lists, "newest", "every_s", "due_at", *(f"round_{field}" for field in _ROUND))
    return csv_response("follows", header, (tuple(_cell(row[field]) for field in header) for row in rows))


@require_safe
def follow_list_json(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"schema": "cgexplorer.follows/1", "follows": [_row(row) for row in queries.follows()]})


@require_safe
def items_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    found = get_object_or_404(Sync, pk=pk)
    rows = (tuple(_cell(getattr(item, field)) for field in _ITEM) for item in queries.items(found))
    return csv_response(f"{found.name}-sync-{pk}", _ITEM, rows)


@require_safe
def items_json(request: HttpRequest, pk: int) -> JsonResponse:
    found = get_object_or_404(Sync, pk=pk)
    items = [{field: getattr(item, field) for field in _ITEM} for item in queries.items(found)]
    return JsonResponse({"schema": "cgexplorer.sync/1", "repository": found.name, "items": items})


def _row(row: FollowRow) -> dict[str, Any]:
    follow, newest = row.follow, row.newest
    return {
        "repository": follow.name,
        "tags": follow.tags,
        "platforms": follow.platforms,
        "newest": follow.newest,
        "every_s": follow.every_s,
        "due_at": follow.due_at,
        **{f"round_{field}": getattr(newest, field) if newest else None for field in _ROUND},
    }


def _cell(found: Any) -> Any:
    return " ".join(found) if isinstance(found, list) else found
