"""What a person sees when there is nothing to show."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "error.html", {"title": "This request cannot be read", "why": ""}, status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Views raise Http404 with a sentence; the sentences of Django's own are for programmers."""
    said = str(exception.args[0]) if exception.args and isinstance(exception.args[0], str) else ""
    why = said if said.endswith(".") and "matches the given query" not in said else "Nothing stored has this address."
    return render(request, "error.html", {"title": "Not found", "why": why}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Nothing may fail a second time here: no database, no session."""
    text = loader.render_to_string("error_500.html")
    return HttpResponse(text, status=500)
