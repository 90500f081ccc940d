"""/images/: what is stored, and the tags of one image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.store.models import Image
from cgexplorer.store.queries import history
from cgexplorer.store.queries import images as queries
from cgexplorer.web import csv_cells
from cgexplorer.web.paging import page
from cgexplorer.web.reading import may_be_late
from cgexplorer.web.render import render_page
from cgexplorer.web.words import WORDS

MAX_FILTER_CHARACTERS = 200
PAGE_SIZE = 100  # images, or tags; downloads have all


@require_safe
@may_be_late
def image_list(request: HttpRequest) -> HttpResponse:
    """`q` filters by name, `state` by what needs somebody."""
    text, state = _text(request), request.GET.get("state", "")
    every, chosen = _images(request)
    counted = [(name, sum(row.state == name for row in every)) for name in WORDS]
    context = {
        "text": text,
        "state": state,
        "page": page(chosen, request.GET, PAGE_SIZE),
        "total": len(every),
        "states": [(name, count) for name, count in counted if count],
        "query": request.GET.urlencode(),
    }
    return render_page(request, "images/images.html", "rows", context)


@require_safe
@may_be_late
def image_list_csv(request: HttpRequest) -> StreamingHttpResponse:
    rows = ((row.name, row.state, row.tags, row.digests, row.moved_at) for row in _images(request)[1])
    return csv_response("images", ("image", "state", "tags", "digests", "moved_at"), rows)


@require_safe
@may_be_late
def image_list_json(request: HttpRequest) -> JsonResponse:
    rows = [
        {"image": row.name, "state": row.state, "tags": row.tags, "digests": row.digests, "moved_at": row.moved_at}
        for row in _images(request)[1]
    ]
    return JsonResponse({"schema": "cgexplorer.images/1", "images": rows})


@require_safe
@may_be_late
def tag_list(request: HttpRequest, name: str) -> HttpResponse:
    image = image_named(name)
    every, rows = _tags(request, image)
    text = _text(request)
    gone = [change for change in history.gone(image) if text in change.tag]
    shown = page(rows, request.GET, PAGE_SIZE)
    context = {"image": image, "text": text, "page": shown, "total": len(every), "gone": gone[:PAGE_SIZE]}
    return render_page(request, "images/tags.html", "rows", context)


@require_safe
@may_be_late
def tag_list_csv(request: HttpRequest, name: str) -> StreamingHttpResponse:
    rows = (
        (row.name, row.digest, row.state, row.identity, row.platforms, row.packages, row.size, row.moved_at)
        for row in _tags(request, image_named(name))[1]
    )
    header = ("tag", "digest", "state", "identity", "platforms", "packages", "bytes", "moved_at")
    return csv_response(name, header, rows)


@require_safe
@may_be_late
def tag_list_json(request: HttpRequest, name: str) -> JsonResponse:
    rows = [
        {
            "tag": row.name,
            "digest": row.digest,
            "state": row.state,
            "identity": row.identity,
            "platforms": row.platforms,
            "packages": row.packages,
            "bytes": row.size,
            "moved_at": row.moved_at,
        }
        for row in _tags(request, image_named(name))[1]
    ]
    return JsonResponse({"schema": "cgexplorer.tags/1", "image": name, "tags": rows})


def csv_response(name: str, header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> StreamingHttpResponse:
    """A download that is written while it is read."""
    response = StreamingHttpResponse(csv_cells.lines(header, rows), content_type="text/csv; charset=utf-8")
    safe = "".join(character if character.isalnum() or character in "-._" else "-" for character in name)
    response["Content-Disposition"] = f'attachment; filename="{safe}.csv"'
    return response


def _text(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip().replace("\0", "")[:MAX_FILTER_CHARACTERS]


def _images(request: HttpRequest) -> tuple[list[queries.ImageRow], list[queries.ImageRow]]:
    """Those with the name, and of these the ones in the state asked for."""
    every, state = queries.images(_text(request)), request.GET.get("state", "")
    return every, [row for row in every if state in ("", row.state)]


def _tags(request: HttpRequest, image: Image) -> tuple[list[queries.TagRow], list[queries.TagRow]]:
    """All, and those whose name contains the text asked for."""
    every, text = queries.tags(image), _text(request)
    return every, [row for row in every if text in row.name]


def image_named(name: str) -> Image:
    found = queries.image(name).first()
    if found is None:
        raise Http404(f"No image {name} is stored. Paste its reference on the first page to fetch it.")
    return found
