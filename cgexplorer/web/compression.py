"""Text is sent compressed to who can read it so. Decision 14 says why that gives no secret away."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

COMPRESSED_ALREADY = ("application/zip",)  # a second time costs seconds of CPU and saves nothing


class CompressionMiddleware(GZipMiddleware):
    """Django's, with its blanks of random length in front of the page."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.get("Content-Type", "").startswith(COMPRESSED_ALREADY):
            return response
        return super().process_response(request, response)
