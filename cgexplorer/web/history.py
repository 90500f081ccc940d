"""…:<tag> and …@<digest>/-/tags: where a tag pointed when, and which tags pointed to a digest."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cgexplorer.store.models import Image
from cgexplorer.store.queries import history as queries
from cgexplorer.store.queries import manifests
from cgexplorer.store.queries.history import TagChange
from cgexplorer.web.images import csv_response, image_named
from cgexplorer.web.render import render_page

_FIELDS = ("tag", "kind", "digest", "state", "first_seen_at", "last_seen_at", "previous_digest", "signed_at")


@require_safe
def timeline(request: HttpRequest, name: str, tag: str) -> HttpResponse:
    """Every digest that the tag was seen at, newest first."""
    image = image_named(name)
    changes = _timeline(image, tag)
    digests = len({change.digest for change in changes if change.digest})
    context = {"image": image, "tag": tag, "changes": changes, "now": changes[0], "digests": digests}
    return render_page(request, "images/timeline.html", "rows", context)


@require_safe
def timeline_csv(request: HttpRequest, name: str, tag: str) -> StreamingHttpResponse:
    return _csv(f"{name}-{tag}", _timeline(image_named(name), tag))


@require_safe
def timeline_json(request: HttpRequest, name: str, tag: str) -> JsonResponse:
    rows = [_row(change) | {"moved_at": change.first_seen_at} for change in _timeline(image_named(name), tag)]
    return JsonResponse({"schema": "cgexplorer.timeline/1", "image": name, "tag": tag, "digests": rows})


@require_safe
def digest_tags(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    """The tags that pointed here, or to an index that names this digest."""
    manifest = manifests.manifest(name, digest)
    return render(request, "digests/tags.html", {"manifest": manifest, "changes": queries.tags_of(manifest)})


@require_safe
def digest_tags_csv(request: HttpRequest, name: str, digest: str) -> StreamingHttpResponse:
    return _csv(f"{name}-{digest[7:19]}-tags", queries.tags_of(manifests.manifest(name, digest)))


@require_safe
def digest_tags_json(request: HttpRequest, name: str, digest: str) -> JsonResponse:
    rows = [_row(change) for change in queries.tags_of(manifests.manifest(name, digest))]
    return JsonResponse({"schema": "cgexplorer.digest-tags/1", "image": name, "digest": digest, "tags": rows})


def _timeline(image: Image, tag: str) -> list[TagChange]:
    changes = queries.timeline(image, tag)
    if not changes:
        raise Http404(f"{image.name} has no stored tag {tag}.")
    return changes


def _row(change: TagChange) -> dict[str, Any]:
    return {field: getattr(change, field) for field in _FIELDS}


def _csv(name: str, changes: list[TagChange]) -> StreamingHttpResponse:
    return csv_response(name, _FIELDS, (tuple(_row(change).values()) for change in changes))
