"""Where the name of a package leads, whatever the name is."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from django.urls import resolve

from cgexplorer.web.component_path import component_path


@pytest.mark.parametrize(
    ("namespace", "name"), [("wolfi", "openssl"), ("github.com/spf13", "cobra"), ("@angular", "core"), ("", "a b?#%")]
)
def test_a_name_leads_to_the_page_of_its_component(namespace: str, name: str) -> None:
    assert resolve(component_path("apk", namespace, name).partition("?")[0].replace("%23", "#")).url_name == "component"


@pytest.mark.parametrize("name", ["./.github/workflows/ci.yml", "../../x", "/usr/bin/a", "a//b", ".", "a/.."])
def test_a_name_that_a_browser_would_rewrite_is_searched_for(name: str) -> None:
    path = component_path("", "", name)
    assert path.startswith("/packages/?q=")
    assert urljoin("http://host/images/x", path) == f"http://host{path}"
