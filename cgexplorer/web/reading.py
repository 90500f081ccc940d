"""Pages that may be read from a replica: lists and searches, which are as true a few seconds later."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponseBase
from psycopg.errors import QueryCanceled

from cgexplorer.store import replica

# Who has just changed something wants to see it: their next pages are read from the primary.
COOKIE = "just_wrote"
_SAFE = ("GET", "HEAD", "OPTIONS")


def may_be_late[**P, R: HttpResponseBase](
    view: Callable[Concatenate[HttpRequest, P], R],
) -> Callable[Concatenate[HttpRequest, P], R]:
    """Read it from the replica, if there is one that keeps up. One that fails on the way costs a second attempt."""

    @wraps(view)
    def reading(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not replica.is_configured() or COOKIE in request.COOKIES or replica.fault():
            return view(request, *args, **kwargs)
        try:
            with replica.reading_from_replica():
                return view(request, *args, **kwargs)
        except OperationalError as error:
            # A replica also cancels what stands in the way of what it replays: that is an error of another class.
            if type(error.__cause__) is QueryCanceled:
                raise  # by statement_timeout: the primary would take as long
            replica.failed(error)
        return view(request, *args, **kwargs)

    return reading


class JustWroteMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method not in _SAFE and replica.is_configured():
            response.set_cookie(
                COOKIE, "1", max_age=int(settings.REPLICA_MAX_LAG_S) + 1, httponly=True, samesite="Lax",
                secure=settings.SESSION_COOKIE_SECURE,
            )  # fmt: skip
        return response
