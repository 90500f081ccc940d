"""What a person sees when there is nothing to show."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

from cgexplorer.web import problems

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if problems.is_wanted(request):
        return problems.response(400, "This request cannot be read.")
    return render(request, "error.html", {"title": "This request cannot be read", "why": ""}, status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Views raise Http404 with a sentence; the sentences of Django's own are for programmers."""
    why = sentence(exception)
    if problems.is_wanted(request):
        return problems.response(404, why)
    return render(request, "error.html", {"title": "Not found", "why": why}, status=404)


def sentence(exception: Exception) -> str:
    """Why something is not found."""
    said = str(exception.args[0]) if exception.args and isinstance(exception.args[0], str) else ""
    return said if said.endswith(".") and "matches the given query" not in said else "Nothing stored has this address."


def server_error(request: HttpRequest) -> HttpResponse:
    """Nothing may fail a second time here: no database, no session."""
    if problems.is_wanted(request):
        return problems.response(500, "Something went wrong here; it is in the log of the server.")
    text = loader.render_to_string("error_500.html")
    return HttpResponse(text, status=500)
