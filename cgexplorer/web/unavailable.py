"""503 while the database is away, and when it takes too long for one question."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from psycopg.errors import QueryCanceled

from cgexplorer.web import problems

logger = logging.getLogger(__name__)
RETRY_AFTER_S = 5


class DatabaseUnavailableMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OperationalError):
            return None
        if isinstance(exception.__cause__, QueryCanceled):
            logger.warning("Given up after statement_timeout: %s", request.get_full_path()[:500])
            if problems.is_wanted(request):
                return problems.response(503, "The database took too long for this question; ask for less.")
            return HttpResponse(loader.render_to_string("error_too_long.html"), status=503)
        logger.error("The database does not answer: %s", str(exception).splitlines()[0][:300] if str(exception) else "")
        if problems.is_wanted(request):
            response = problems.response(503, "The database does not answer; try again in some seconds.")
        else:
            response = HttpResponse(loader.render_to_string("error_503.html"), status=503)
        response["Retry-After"] = str(RETRY_AFTER_S)
        return response
