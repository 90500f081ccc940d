"""The URL of a component, for every page that names a package."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.urls import reverse

NO_TYPE = "-"  # in a URL, for packages of which the document gives no purl


def component_path(ecosystem: str, namespace: str, name: str, version: str = "") -> str:
    """Path of a component's page. A version that a path cannot hold leads to the page of all versions.

    Browsers resolve `./` in an address, also when it is quoted: such a name is searched for instead.
    """
    whole = f"{namespace}/{name}" if namespace else name
    if {"", ".", ".."} & {*whole.split("/")}:
        return f"{reverse('package-search')}?{urlencode({'q': name})}"
    if version and "/" not in version and "@" not in version:
        whole = f"{whole}@{version}"
    root = reverse("package-search")
    return f"{root}{quote(ecosystem or NO_TYPE, safe='')}/{quote(whole, safe='/@:+')}"
