"""What a person does: paste, open, filter, compare, verify again; with keys, on a telephone, and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

NGINX, PYTHON = "samples.example/nginx", "samples.example/python"
PATHS = ("/", "/images/", f"/images/{NGINX}", f"/images/{NGINX}:latest", "/packages/?q=openssl", "/policies/",
         "/packages/?q=log4j-core", "/packages/apk/wolfi/libssl3", "/identities/", "/licenses/", "/registries/",
         "/states/", "/searches/", "/api/docs", "/compare/",
         f"/compare/?from={NGINX}:1.29.8&to={NGINX}:latest&platform=linux/amd64")  # fmt: skip
OF_A_DIGEST = ("", "/-/packages", "/-/packages/1", "/-/tree", "/-/licenses", "/-/files", "/-/config", "/-/provenance",
               "/-/attestations", "/-/verification")  # fmt: skip


@pytest.fixture
def page(browser: Any, site: str) -> Iterator[Any]:
    """A tab at a laptop's size. What the browser complains of fails the test: a CSP violation is such a complaint."""
    yield from _tab(browser, site, viewport={"width": 1280, "height": 900})


@pytest.fixture
def telephone(browser: Any, site: str) -> Iterator[Any]:
    yield from _tab(browser, site, viewport={"width": 390, "height": 844}, color_scheme="dark")


@pytest.fixture
def plain(browser: Any, site: str) -> Iterator[Any]:
    yield from _tab(browser, site, java_script_enabled=False)


def _tab(browser: Any, site: str, **options: Any) -> Iterator[Any]:
    context = browser.new_context(base_url=site, **options)
    context.set_default_timeout(10_000)  # ms
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    # A page that offers to fetch what is not stored is itself a 404.
    assert [text for text in complaints if "status of 404" not in text] == []


def open_digest(tab: Any, image: str = NGINX, platform: str = "linux/amd64") -> str:
    tab.goto("/")
    tab.get_by_label("Reference, digest or package URL").fill(f"{image}:latest")
    tab.get_by_role("button", name="Open").click()
    tab.get_by_role("group", name="Platform").get_by_role("link", name=platform).click()
    tab.wait_for_load_state()
    return tab.url


def test_from_the_box_to_one_package(page: Any) -> None:
    open_digest(page)
    assert "Verified." in page.get_by_label("Verdict").inner_text()
    page.get_by_label("Filter packages by name").fill("libssl")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**q=libssl**")
    assert page.locator("#rows tbody tr").count() == 1
    page.get_by_role("link", name="libssl3").first.click()
    page.wait_for_url("**/-/packages/*")
    assert page.get_by_text("pkg:apk/").first.is_visible()


def test_back_shows_the_whole_page_again(page: Any) -> None:
    address = open_digest(page)
    page.get_by_label("Filter packages by name").fill("libssl")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**q=libssl**")
    page.go_back()
    page.wait_for_url(address)
    page.wait_for_function("document.querySelectorAll('#rows tbody tr').length > 1")
    assert page.get_by_role("navigation", name="Main").is_visible()


def test_a_branch_of_the_tree_opens_in_its_place(page: Any) -> None:
    page.goto(open_digest(page, PYTHON) + "/-/tree")
    closed = page.locator("details:has(> summary[hx-get])").first
    closed.locator("> summary").click()
    closed.locator("> ul a[href*='/-/packages/'], > ul details").first.wait_for()
    assert page.locator("h1").count() == 1


def test_two_marked_tags_are_compared_by_keys(page: Any) -> None:
    page.goto(f"/images/{NGINX}")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("c")
    page.wait_for_url("**/compare/?mark=**")
    assert page.locator("h1").inner_text()


def test_keys_can_be_switched_off(page: Any) -> None:
    page.goto("/images/")
    page.keyboard.press("?")
    page.get_by_label("switch these keys off").check()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.tagName") != "INPUT"


def test_a_slash_goes_to_the_search_field(page: Any) -> None:
    page.goto("/images/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"


def test_verify_again_shows_its_progress(page: Any) -> None:
    open_digest(page)
    page.get_by_role("button", name="Re-verify").click()
    page.wait_for_url("**/activities/*")
    assert NGINX in page.locator("main").inner_text()
    page.get_by_role("link", name="Read the report of run").click()
    page.wait_for_url("**/-/verification/*")
    assert "Verified." in page.locator("main").inner_text()


def test_v_verifies_again_from_the_report_too(page: Any) -> None:
    page.goto(open_digest(page) + "/-/verification")
    page.keyboard.press("v")
    page.wait_for_url("**/activities/*")


def test_y_turns_the_tag_into_its_digest(page: Any) -> None:
    page.goto(f"/images/{NGINX}:latest")
    page.keyboard.press("y")
    assert f"/images/{NGINX}@sha256:" in page.url


def test_a_shortened_digest_is_copied_in_full(page: Any) -> None:
    digest = open_digest(page).rpartition("@")[2]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(f"button[data-copy='{digest}']").first.click()
    page.get_by_text("Copied", exact=True).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == digest


def test_a_search_leads_to_an_image_that_holds_the_package(page: Any) -> None:
    page.goto("/packages/?q=openssl&v=%3C3.6.3")
    page.locator("main tbody a[href*='@sha256:']").first.click()
    page.wait_for_url("**@sha256:**")
    assert page.get_by_label("Verdict").is_visible()


def test_a_search_is_saved_and_removed_again_without_javascript_and_on_a_telephone(plain: Any, telephone: Any) -> None:
    for tab, name in ((plain, "old openssl"), (telephone, "<b>old openssl</b> " + "x" * 70)):
        tab.goto("/packages/?q=openssl&v=%3C3.6.3")
        tab.get_by_label("Name", exact=True).fill(name)
        tab.get_by_role("button", name="Save", exact=True).click()
        assert tab.url.endswith("/searches/")
        assert "2 images, 6 digests" in tab.get_by_role("row").filter(has_text=name).inner_text()
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tab.get_by_role("link", name=name).click()
        assert "q=openssl&v=%3C3.6.3" in tab.url
        tab.goto("/searches/")
        tab.get_by_role("button", name=f"Remove {name}").click()
        assert tab.get_by_role("link", name=name).count() == 0


def test_an_unknown_reference_can_be_fetched(page: Any, site: str) -> None:
    page.goto("/images/")
    page.get_by_label("Jump to an image, digest or package").fill("registry.invalid/app:1")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Fetch").click()
    page.wait_for_url("**/activities/*")
    assert "registry.invalid/app:1" in page.locator("main").inner_text()


def too_wide(tab: Any, width: int) -> list[str]:
    """Pages that scroll sideways: of an image that is verified, and of one whose signer is not allowed."""
    digest = open_digest(tab)
    tab.goto(f"/images/{PYTHON}:3.14-fork")
    fork = tab.locator("a[href*='@sha256:']").first.get_attribute("href")
    wide = []
    for path in (*PATHS, *(digest + topic for topic in OF_A_DIGEST), fork, f"{fork}/-/verification"):
        tab.goto(path)
        if tab.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
    return wide


def test_no_page_scrolls_sideways_on_a_telephone(telephone: Any) -> None:
    assert too_wide(telephone, 390) == []


def test_no_page_scrolls_sideways_on_a_laptop(page: Any) -> None:
    assert too_wide(page, 1280) == []


def test_everything_works_without_javascript(plain: Any) -> None:
    digest = open_digest(plain)
    plain.get_by_label("Filter packages by name").fill("libssl")
    plain.get_by_role("button", name="Apply").click()
    plain.wait_for_url("**q=libssl**")  # until it is loaded: a count does not wait
    assert plain.locator("#rows tbody tr").count() == 1
    plain.goto(open_digest(plain, PYTHON) + "/-/tree")
    plain.goto(plain.locator("a[href*='/-/tree/']").first.get_attribute("href"))
    assert plain.locator("main .tree a[href*='/-/packages/']").count()
    plain.goto(f"/images/{NGINX}")
    marks = plain.locator("input[name=mark]")
    marks.nth(0).check()
    marks.nth(2).check()
    plain.get_by_role("button", name="Compare").click()
    assert "/compare/?mark=" in plain.url
    plain.goto(digest)
    plain.get_by_role("button", name="Re-verify").click()
    assert "/activities/" in plain.url


def test_a_page_is_one_document_one_style_sheet_and_two_scripts(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.resource_type))
    address = open_digest(page)
    for path in (*PATHS, *(address + more for more in OF_A_DIGEST)):
        asked.clear()
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert sorted(set(asked) - {"other"}) == ["document", "script", "stylesheet"], path
        assert (asked.count("script"), len(asked) - asked.count("other")) == (2, 4), path  # htmx, and ours


def test_every_picture_is_one_of_the_pages_own(page: Any) -> None:
    address = open_digest(page)
    for path in (*PATHS, *(address + more for more in OF_A_DIGEST)):
        page.goto(path)
        shown = page.eval_on_selector_all("svg.i use", "all => all.map(one => one.href.baseVal)")
        assert shown
        assert [name for name in set(shown) if not page.locator(f"symbol{name}").count()] == [], path
    assert page.locator("svg.i use").first.evaluate("one => one.getBBox().width") > 0
