"""Usage and balance as people walk through them: without JavaScript, narrow, dark, in Chinese, in forced colours."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser
PATHS = ["/accounts/usage/", "/accounts/usage/?range=24h&by=key", "/accounts/balance/"]


@pytest.fixture(scope="module")
def spender(site: Site) -> dict[str, Any]:
    """A member with three hundred calls."""
    person = next(site.members)
    site._run("-m", "tests.browser.ledgers", person["name"], "300")
    return person


@pytest.fixture
def spenders(
    site: Site, spender: dict[str, Any], browser_of: Callable[..., BrowserContext]
) -> Callable[..., Page]:
    def open_page(path: str, **options: Any) -> Page:
        context = browser_of(**options)
        cookie = {"name": "sessionid", "value": spender["session"], "url": site.base_url}
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(site.base_url + path)
        return page

    return open_page


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_sticks_out_at_any_width(spenders: Callable[..., Page], width: int, path: str) -> None:
    page = spenders(path, viewport={"width": width, "height": 800}, locale="zh-CN", color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if "usage" in path:
        page.locator(".plot-table summary").click()
        page.locator(".filters summary").last.click()
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_bar_leads_to_its_calls_and_a_call_to_its_price(spenders: Callable[..., Page]) -> None:
    page = spenders("/accounts/usage/")
    total = page.locator(".plot-bar").last.locator("title").text_content() or ""
    day = total.partition(":")[0].strip()
    page.locator(".plot-bar").last.locator(".plot-piece").first.click()
    expect(page.locator("#log-title")).to_have_text(re.compile(rf"Calls of {day}"))
    expect(page.locator(".plot-chosen")).to_have_count(1)
    for time in page.locator(".lines-time time").all():
        assert (time.text_content() or "").startswith(day)
    first = page.locator("a.lines-id").first
    name = first.text_content() or ""
    first.click()
    expect(page.locator("h1")).to_have_text(name.strip())
    expect(page.locator(".facts").last).to_contain_text("Output, for 1000 tokens")


def test_it_all_works_without_javascript(
    site: Site, spender: dict[str, Any], chromium: Browser, tmp_path: Path
) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": spender["session"], "url": site.base_url}])
    page = context.new_page()
    page.goto(site.base_url + "/accounts/usage/")
    page.get_by_role("link", name="by key").click()
    page.get_by_text("Filter", exact=True).click()
    page.get_by_role("checkbox", name="production").check()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Filter: production")).to_be_visible()
    expect(page.locator(".plot-name")).to_have_text(["production"])
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    file = tmp_path / "usage.csv"
    download.value.save_as(file)
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    assert f"{len(lines) - 1:,}" in (page.locator(".figures div").nth(1).text_content() or "")
    assert all(",production," in line for line in lines[1:])
    page.goto(site.base_url + "/accounts/balance/")
    page.get_by_label("Credits", exact=True).fill("50")
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator(".wishes .badge")).to_have_text("open")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator(".wishes .badge")).to_have_text("withdrawn")
    context.close()


def fills(page: Page) -> list[str]:
    """How each series of the legend is filled: colour of its ground."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.plot-fill')].map(one => getComputedStyle(one).fill)"
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_series_differ_in_colour_and_in_pattern(spenders: Callable[..., Page], scheme: str) -> None:
    page = spenders("/accounts/usage/", color_scheme=scheme)
    assert len(set(fills(page))) == 7
    patterns = page.evaluate(
        "[...document.querySelectorAll('pattern')].map(one => one.lastElementChild.outerHTML)"
    )
    assert len({re.sub(r"plot-fill-\d", "", pattern) for pattern in patterns}) == 7
    drawn = page.locator(".plot-legend rect").evaluate_all("all => all.map(one => one.getAttribute('fill'))")
    assert len(drawn) == len(set(drawn)) == 7
    expect(page.locator(".plot-legend li").last).to_contain_text("no data")


def test_forced_colours_leave_patterns_in_the_users_colours(spenders: Callable[..., Page]) -> None:
    page = spenders("/accounts/usage/", forced_colors="active")
    ink, *grounds = fills(page)
    assert len(set(grounds)) == 1
    assert ink != grounds[0]
    strokes = page.locator("pattern .plot-lines").evaluate_all(
        "all => all.map(one => getComputedStyle(one).stroke)"
    )
    assert set(strokes) == {ink}


def test_the_table_says_what_the_plot_shows_to_who_only_has_a_keyboard(spenders: Callable[..., Page]) -> None:
    page = spenders("/accounts/usage/")
    page.locator(".plot-table summary").focus()
    page.keyboard.press("Enter")
    rows = page.locator(".plot-table tbody tr")
    expect(rows).to_have_count(30)
    expect(rows.filter(has_text="no data")).to_have_count(2)
    rows.last.locator("a").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#log-title")).to_contain_text("Calls of")
