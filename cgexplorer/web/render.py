"""A whole page, or the one part of it that htmx asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails


def render_page(
    request: HttpRequest, template: str, partial: str, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    """The template, or only its partial when htmx wants to replace the element with that id.

    A partial for one of many elements is named `branch-contents-7`: the template calls it `branch`.

    When htmx restores a page from history it needs all of it.
    """
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    is_part = bool(htmx) and not htmx.history_restore_request and htmx.target == partial
    response = render(
        request, f"{template}#{partial.partition('-')[0]}" if is_part else template, dict(context), status=status
    )
    # Without this a cache would hand the fragment to somebody who asks for the page.
    patch_vary_headers(response, ("HX-Request", "HX-Target", "HX-History-Restore-Request"))
    return response
