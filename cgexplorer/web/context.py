"""What every page shows around its contents."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from cgexplorer import __version__

NAV = (
    ("images", "Images"),
    ("follows", "Followed"),
    ("package-search", "Packages"),
    ("compare", "Compare"),
    ("identities", "Identities"),
    ("drift", "Drift"),
    ("licenses", "Licences"),
    ("policies", "Policies"),
)
_SECTION = {
    "image": "images",
    "tag": "images",
    "digest": "images",
    "component": "package-search",
    "searches": "package-search",
    "trust-roots": "policies",
}


def frame(request: HttpRequest) -> dict[str, Any]:
    """`nav`, `here` (the section of this page) and `version`."""
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    here = name if any(name == entry for entry, _ in NAV) else _SECTION.get(name, "")
    if not here and match and "digest" in match.kwargs:
        here = "images"
    return {"nav": NAV, "here": here, "version": __version__}
