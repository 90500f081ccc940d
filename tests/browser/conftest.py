"""A browser before what `make run` starts: its own home, database, worker and sample images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Its address. Without a browser nothing is started."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    from scripts.screenshots import server

    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("URL", raising=False)
        with server() as address:
            yield address


@pytest.fixture(scope="module")
def browser(site: str) -> Iterator[Any]:
    """Ended with the module: Playwright keeps an event loop, and Django refuses the database where one runs."""
    from playwright.sync_api import sync_playwright

    from scripts.screenshots import CHROMIUM_FLAGS

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
