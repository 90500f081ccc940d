"""What a program is told instead of an answer: problem details (RFC 9457), with a sentence for a person."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from django.http import HttpRequest, HttpResponse

PREFIX = "/api/"
MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457. `detail` says what happened and what to do."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"


def is_wanted(request: HttpRequest) -> bool:
    """Whether a program asked."""
    return request.path.startswith(PREFIX)


def response(status: int, detail: str) -> HttpResponse:
    body = msgspec.json.encode(Problem(HTTPStatus(status).phrase, status, detail))
    return HttpResponse(body, content_type=MEDIA_TYPE, status=status)
