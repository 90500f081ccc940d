"""Photograph every page at two widths and in two themes: `make screenshots`, or against a running server with URL=…"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

OUTPUT = Path("screenshots")
WIDTHS = (1280, 390)  # px
THEMES = ("light", "dark")
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
NGINX, PYTHON = "samples.example/nginx", "samples.example/python"
PAGES = {
    "home": "/",
    "images": "/images/",
    "tags": f"/images/{NGINX}",
    "tag": f"/images/{NGINX}:latest",
    "digest": "digest of nginx:latest",
    "digest-not-allowed": "digest of python:3.14-fork",
    "digest-unsigned": "digest of python:3.14-local",
    "packages": "digest of nginx:latest/-/packages",
    "package": "digest of nginx:latest/-/packages/1",
    "tree": "digest of nginx:latest/-/tree",
    "branch": "digest of nginx:latest/-/tree/1",
    "files": "digest of nginx:latest/-/files",
    "licenses-of-a-digest": "digest of nginx:latest/-/licenses",
    "attestations": "digest of nginx:latest/-/attestations",
    "tags-of-a-digest": "digest of nginx:latest/-/tags",
    "provenance": "digest of nginx:latest/-/provenance",
    "config": "digest of nginx:latest/-/config",
    "verification": "digest of nginx:latest/-/verification",
    "verification-not-allowed": "digest of python:3.14-fork/-/verification",
    "search": "/packages/?q=openssl&v=%3C3.6.3",
    "search-empty": "/packages/?q=log4j-core",
    "search-bad": "/packages/?q=openssl&v=%3C%3C3",
    "component": "/packages/apk/wolfi/libssl3",
    "compare": f"/compare/?from={NGINX}:1.29.8&to={NGINX}:latest&platform=linux/amd64",
    "compare-form": "/compare/",
    "builds": f"/compare/builds?of={NGINX}:latest",
    "identities": "/identities/",
    "licenses": "/licenses/",
    "policies": "/policies/",
    "policy-new": (
        "/policies/new?name=private&match=samples.example/*&signer=chainguard&require_type=slsa&require_type=spdx"
        "&image_syncer=720909c9f5279097/b6461e99e132298f&custom_image_builder=720909c9f5279097/af12bc34e132298f"
    ),
    "registries": "/registries/",
    "searches": "/searches/",
    "follows": "/follows/",
    "work": "/activities/",
    "trust-roots": "/trust-roots/",
    "states": "/states/",
    "api": "/api/docs",
    "not-stored": "/jump?q=registry.example/app:1",
    "not-found": "/images/samples.example/nothing-here",
}


@contextmanager
def server() -> Iterator[str]:
    """URL of a server with the sample images: the one in URL, or one of our own in a throw-away home."""
    if url := os.environ.get("URL"):
        yield url.rstrip("/")
        return
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        environment = {**os.environ, "CGEXPLORER_HOME": home, "PORT": "8900"}
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        found = None
        for line in process.stdout:
            if found := re.search(r"is ready: (http\S+)/", line):
                break
        try:
            if found is None:
                sys.exit("the server did not start")
            yield found[1]
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


def address(page: Page, url: str, target: str) -> str:
    """`digest of nginx:latest/-/tree` → the permalink, read off the tag's own page."""
    found = re.fullmatch(r"digest of (\w+):([\w.-]+)(/-/.*)?", target)
    if found is None:
        return url + target
    page.goto(f"{url}/images/samples.example/{found[1]}:{found[2]}.json")
    index = re.search(r"sha256:[0-9a-f]{64}", page.content())
    assert index is not None, target
    page.goto(f"{url}/images/samples.example/{found[1]}@{index[0]}")
    digest = re.search(r'@(sha256:[0-9a-f]{64})">linux/amd64', page.content())
    assert digest is not None, target
    return f"{url}/images/samples.example/{found[1]}@{digest[1]}{found[3] or ''}"


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("screenshots need Chromium: apt install chromium")
    OUTPUT.mkdir(exist_ok=True)
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        for width in WIDTHS:
            for theme in THEMES:
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
                page = context.new_page()
                for name, target in PAGES.items():
                    page.goto(address(page, url, target))
                    page.screenshot(path=OUTPUT / f"{name}-{width}-{theme}.png", full_page=width > 1000)
                context.close()
        browser.close()
    print(f"{len(PAGES) * len(WIDTHS) * len(THEMES)} pictures in {OUTPUT}/")


if __name__ == "__main__":
    main()
