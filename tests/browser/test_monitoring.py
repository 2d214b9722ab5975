"""The monitoring page as staff see it: any width, dark, in Chinese; it renews itself, rests when hidden, and waits for
whoever reads; without JavaScript it is the same page."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("PICTURES", "")


@pytest.fixture(scope="module")
def watcher(site: Site) -> dict[str, Any]:
    """A member of the staff, and a week of turns that were summed up."""
    person = next(site.members)
    site._run("-m", "tests.browser.happenings", person["name"])
    return person


@pytest.fixture
def board(
    site: Site, watcher: dict[str, Any], browser_of: Callable[..., BrowserContext]
) -> Callable[..., Page]:
    def open_page(query: str = "", **options: Any) -> Page:
        context = browser_of(**options)
        context.add_cookies([{"name": "sessionid", "value": watcher["session"], "url": site.base_url}])
        page = context.new_page()
        page.clock.install()
        page.goto(f"{site.base_url}/monitoring/{query}")
        return page

    return open_page


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
@pytest.mark.parametrize("query", ["?range=1h", "?range=30d"])
def test_nothing_sticks_out_at_any_width(board: Callable[..., Page], width: int, query: str) -> None:
    page = board(query, viewport={"width": width, "height": 800}, locale="zh-CN", color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    for summary in page.locator(".plot-table summary").all()[:3]:
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"monitoring-{query[7:]}-{width}-dark-zh.png", full_page=True)


def test_plots_have_names_a_summary_and_a_table(board: Callable[..., Page]) -> None:
    page = board("?range=30d")
    plot = page.get_by_role("img", name="Answers From ")
    expect(plot).to_have_count(1)
    assert page.locator("#plot-of-answers .plot-piece").count() > 5
    assert (page.locator("#plot-of-times .plot-line-1").first.get_attribute("d") or "").startswith("M")
    page.locator("#table-of-answers summary").click()
    expect(page.locator("#table-of-answers tbody tr")).to_have_count(30)
    if PICTURES:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.screenshot(path=Path(PICTURES) / "monitoring-1440.png", full_page=True)


def read_at(page: Page) -> str:
    return page.locator(".board-read").text_content() or ""


def test_it_renews_itself_and_keeps_what_was_opened(board: Callable[..., Page]) -> None:
    page = board()
    before = read_at(page)
    page.locator("#table-of-tokens summary").click()
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    height = page.evaluate("document.documentElement.scrollHeight")
    with page.expect_response("**/monitoring/"):
        page.clock.run_for(10_500)
    expect(page.locator(".board-read")).not_to_have_text(before)
    expect(page.locator("#table-of-tokens")).to_have_attribute("open", "")
    assert page.evaluate("document.documentElement.scrollHeight") == height


def test_it_rests_while_nobody_looks_and_waits_for_whoever_reads(board: Callable[..., Page]) -> None:
    page = board()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.isHidden ?? true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.clock.run_for(60_000)
    assert asked == []

    page.locator("#table-of-answers summary").focus()
    before = read_at(page)
    with page.expect_response("**/monitoring/"):
        page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.run_for(500)
    assert read_at(page) == before
    expect(page.locator("#table-of-answers summary")).to_be_focused()


def test_it_says_so_when_it_cannot_be_renewed(board: Callable[..., Page]) -> None:
    page = board()
    page.route("**/monitoring/", lambda route: route.abort())
    page.clock.run_for(10_500)
    expect(page.locator("#board-note")).to_be_visible()
    page.unroute("**/monitoring/")
    page.clock.run_for(10_500)
    expect(page.locator("#board-note")).to_be_hidden()


def test_without_javascript_it_is_the_same_page(
    site: Site, watcher: dict[str, Any], chromium: Browser
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "sessionid", "value": watcher["session"], "url": site.base_url}])
    page = context.new_page()
    page.goto(f"{site.base_url}/monitoring/")
    page.get_by_role("link", name="30 days").click()
    expect(page.get_by_role("heading", name="In the last 30 days")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()
    expect(page.locator("#board-note")).to_be_hidden()
    context.close()


def test_a_member_finds_nothing_there(site: Site, browser_of: Callable[..., BrowserContext]) -> None:
    person = next(site.members)
    context = browser_of()
    context.add_cookies([{"name": "sessionid", "value": person["session"], "url": site.base_url}])
    page = context.new_page()
    answer = page.goto(f"{site.base_url}/monitoring/")
    assert answer
    assert answer.status == 404
    expect(page.get_by_text("Success rate")).to_have_count(0)
