"""/images/: what is stored; the tags of one image; where a tag pointed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.store.models import Image, TagMove
from cgexplorer.store.queries import images as queries
from cgexplorer.web import csv_cells
from cgexplorer.web.render import render_page
from cgexplorer.web.words import WORDS

MAX_FILTER_CHARACTERS = 200


@require_safe
def image_list(request: HttpRequest) -> HttpResponse:
    """`q` filters by name, `state` by what needs somebody."""
    text, state = _text(request), request.GET.get("state", "")
    every, chosen = _images(request)
    counted = [(name, sum(row.state == name for row in every)) for name in WORDS]
    context = {
        "text": text,
        "state": state,
        "rows": chosen,
        "total": len(every),
        "states": [(name, count) for name, count in counted if count],
        "query": request.GET.urlencode(),
    }
    return render_page(request, "images/images.html", "rows", context)


@require_safe
def image_list_csv(request: HttpRequest) -> StreamingHttpResponse:
    rows = ((row.name, row.state, row.tags, row.digests, row.moved_at) for row in _images(request)[1])
    return csv_response("images", ("image", "state", "tags", "digests", "moved_at"), rows)


@require_safe
def image_list_json(request: HttpRequest) -> JsonResponse:
    rows = [
        {"image": row.name, "state": row.state, "tags": row.tags, "digests": row.digests, "moved_at": row.moved_at}
        for row in _images(request)[1]
    ]
    return JsonResponse({"schema": "cgexplorer.images/1", "images": rows})


@require_safe
def tag_list(request: HttpRequest, name: str) -> HttpResponse:
    image = _image(name)
    every, rows = _tags(request, image)
    context = {"image": image, "text": _text(request), "rows": rows, "total": len(every)}
    return render_page(request, "images/tags.html", "rows", context)


@require_safe
def tag_list_csv(request: HttpRequest, name: str) -> StreamingHttpResponse:
    rows = (
        (row.name, row.digest, row.state, row.identity, row.platforms, row.packages, row.size, row.moved_at)
        for row in _tags(request, _image(name))[1]
    )
    header = ("tag", "digest", "state", "identity", "platforms", "packages", "bytes", "moved_at")
    return csv_response(name, header, rows)


@require_safe
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
        for row in _tags(request, _image(name))[1]
    ]
    return JsonResponse({"schema": "cgexplorer.tags/1", "image": name, "tags": rows})


@require_safe
def timeline(request: HttpRequest, name: str, tag: str) -> HttpResponse:
    """Every digest that the tag was seen at, newest first."""
    image = _image(name)
    moves = _moves(image, tag)
    older = [*moves[1:], None]
    context = {"image": image, "tag": tag, "moves": list(zip(moves, older, strict=True)), "now": moves[0].manifest}
    return render_page(request, "images/timeline.html", "rows", context)


@require_safe
def timeline_csv(request: HttpRequest, name: str, tag: str) -> StreamingHttpResponse:
    rows = ((move.moved_at, move.manifest.digest, move.manifest.state) for move in _moves(_image(name), tag))
    return csv_response(f"{name}-{tag}", ("moved_at", "digest", "state"), rows)


@require_safe
def timeline_json(request: HttpRequest, name: str, tag: str) -> JsonResponse:
    rows = [
        {"moved_at": move.moved_at, "digest": move.manifest.digest, "state": move.manifest.state}
        for move in _moves(_image(name), tag)
    ]
    return JsonResponse({"schema": "cgexplorer.timeline/1", "image": name, "tag": tag, "digests": rows})


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


def _image(name: str) -> Image:
    found = queries.image(name).first()
    if found is None:
        raise Http404(f"No image {name} is stored. Paste its reference on the first page to fetch it.")
    return found


def _moves(image: Image, tag: str) -> list[TagMove]:
    moves = list(queries.moves(image, tag))
    if not moves:
        raise Http404(f"{image.name} has no stored tag {tag}.")
    return moves
