"""Whose page it is: signed out, signed in again, somebody else at the same browser, back from sleep."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.chat import PATIENCE, Chat, counted
from tests.browser.conftest import CHROMIUM, FLAGS, Site
from tests.browser.lines import Line
from tests.browser.test_account import sign_out, sign_up

pytestmark = pytest.mark.browser

Profiles = Callable[..., BrowserContext]


def conversations(page: Page, site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.request.get(site.base_url + "/api/conversations/").json()["items"]
    return found


def offline(chat: Chat) -> None:
    expect(chat.page.locator("html")).not_to_have_attribute("data-connection", "online", timeout=PATIENCE)


def log_in(page: Page, name: str) -> None:
    page.fill("[name=login]", name)
    page.fill("[name=password]", "a-long-secret-sentence")
    page.locator("main form button[type=submit]").click()


def signed_out(chat: Chat, line: Line) -> None:
    """The session ends somewhere else; a question and a draft are here."""
    line.cut()
    offline(chat)
    chat.ask("count to 6")
    chat.box.fill("a draft of mine")
    chat.page.wait_for_timeout(400)
    chat.page.context.clear_cookies()
    line.mend()
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    expect(chat.page.locator("#signed-out-dialog")).to_be_visible()
    expect(chat.page.locator("#thread")).to_be_hidden()


def test_signing_in_again_sends_what_waited(site: Site, browser_of: Profiles) -> None:
    context = browser_of()
    line = Line(context)
    chat = sign_up(context.new_page(), site, "carol")
    chat.ask("count to 3")
    chat.ends()
    path = chat.named()
    signed_out(chat, line)
    chat.page.locator("[data-sign-in]").click()
    log_in(chat.page, "carol")
    chat.page.wait_for_url(site.base_url + path)
    chat.connected()
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends()
    assert counted(chat) == [1, 2, 3, 4, 5, 6]
    expect(chat.box).to_have_value("a draft of mine")
    assert line.started() == ["count to 3", "count to 6"]


def test_another_person_neither_sees_nor_sends_what_waited(site: Site, browser_of: Profiles) -> None:
    bobs = sign_up(browser_of().new_page(), site, "bertram")
    context = browser_of()
    line = Line(context)
    chat = sign_up(context.new_page(), site, "dora")
    signed_out(chat, line)
    chat.page.locator("[data-sign-in]").click()
    log_in(chat.page, "bertram")
    chat.page.wait_for_url(site.base_url + "/")
    chat.connected()
    chat.page.wait_for_timeout(1_000)
    expect(chat.questions).to_have_count(0)
    expect(chat.box).to_have_value("")
    expect(chat.page.locator("#unsent")).to_be_hidden()
    assert conversations(chat.page, site) == []
    assert line.started() == []
    bobs.reload()
    expect(bobs.items).to_have_count(0)
    sign_out(chat.page)
    log_in(chat.page, "dora")
    chat.page.wait_for_url("**/c/**")
    chat.connected()
    chat.ends()
    assert counted(chat) == [1, 2, 3, 4, 5, 6]
    assert len(conversations(chat.page, site)) == 1


def test_a_signed_out_tab_comes_back_when_the_same_person_signs_in_elsewhere(
    site: Site, browser_of: Profiles
) -> None:
    context = browser_of()
    line = Line(context)
    chat = sign_up(context.new_page(), site, "edith")
    chat.ask("count to 3")
    chat.ends()
    chat.named()
    signed_out(chat, line)
    other = context.new_page()
    other.goto(site.base_url)
    log_in(other, "edith")
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends()
    expect(chat.page.locator("#signed-out-dialog")).to_be_hidden()


def test_signing_out_warns_before_it_deletes_what_waits(site: Site, browser_of: Profiles) -> None:
    context = browser_of()
    line = Line(context)
    chat = sign_up(context.new_page(), site, "frieda")
    line.cut()
    offline(chat)
    chat.ask("count to 6")
    chat.page.locator("#account-button").click()
    chat.page.locator("[data-logout] button").click()
    dialog = chat.page.locator("#sign-out-dialog")
    expect(dialog).to_be_visible()
    dialog.locator("[value=cancel]").click()
    expect(chat.questions).to_have_text(["count to 6"])
    chat.page.locator("#account-button").click()
    chat.page.locator("[data-logout] button").click()
    dialog.locator("[value=confirm]").click()
    chat.page.wait_for_url("**/accounts/login/**")
    line.mend()
    log_in(chat.page, "frieda")
    chat.page.wait_for_url(site.base_url + "/")
    chat.connected()
    expect(chat.questions).to_have_count(0)
    assert line.started() == []


# Loopback counts as a private network, which a page that a test has touched may not call without asking.
CACHING = [*FLAGS, "--disable-features=LocalNetworkAccessChecks"]


@pytest.fixture
def caching(site: Site, chromium: Browser) -> Iterator[BrowserContext]:
    """A member's browser that keeps left pages whole (bfcache), also those that forbid it with no-store."""
    browser = chromium.browser_type.launch(
        executable_path=CHROMIUM, args=CACHING, ignore_default_args=["--disable-back-forward-cache"]
    )
    context = browser.new_context(locale="en-US")
    session = next(site.members)["session"]
    context.add_cookies([{"name": "sessionid", "value": session, "url": site.base_url}])

    def let_it_be_kept(route: Route) -> None:
        answer = route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "cache-control"}
        route.fulfill(response=answer, headers=headers)

    context.route(site.base_url + "/", let_it_be_kept)
    yield context
    browser.close()


def session_cookies(context: BrowserContext) -> list[Any]:
    cookies = context.cookies()
    return [{"name": each["name"], "value": each["value"]} for each in cookies if each["name"] == "sessionid"]


def leave(chat: Chat) -> None:
    chat.page.evaluate("globalThis.isTheSamePage = true")
    chat.page.goto(chat.base_url + "/accounts/profile/")


def go_back(chat: Chat) -> None:
    chat.page.go_back(wait_until="commit")


def test_a_page_from_the_browsers_cache_catches_up(
    site: Site, caching: BrowserContext, browser_of: Profiles
) -> None:
    # Another device: what a tab of the same browser says would end the page in the cache.
    device = browser_of()
    device.add_cookies([{**cookie, "url": site.base_url} for cookie in session_cookies(caching)])
    chat = Chat.open(caching, site.base_url)
    chat.ask("count to 3")
    chat.ends()
    path = chat.named()
    leave(chat)
    other = Chat.open(device, site.base_url, path=path)
    other.ask("count to 5")
    expect(other.answers).to_have_count(2)
    other.ends()
    go_back(chat)
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    assert chat.page.evaluate("globalThis.isTheSamePage")
    expect(chat.answer).to_have_text("1 2 3 4 5")
    chat.ask("count to 4")
    expect(chat.answers).to_have_count(3)
    chat.ends()


def test_a_page_from_the_cache_shows_and_sends_nothing_when_somebody_else_has_signed_in(
    site: Site, caching: BrowserContext
) -> None:
    chat = Chat.open(caching, site.base_url)
    chat.ask("my secret word is zebra")
    chat.ends()
    caching.set_offline(True)
    chat.page.evaluate("dispatchEvent(new Event('offline'))")
    offline(chat)
    chat.ask("what is my secret word?")
    chat.page.wait_for_timeout(300)
    caching.set_offline(False)
    # Too soon for a new line: the page is left before its turn to try again has come.
    leave(chat)
    bobs = next(site.members)["session"]
    caching.add_cookies([{"name": "sessionid", "value": bobs, "url": site.base_url}])
    heard: list[str] = []
    chat.page.on("websocket", lambda socket: socket.on("framesent", lambda text: heard.append(str(text))))
    go_back(chat)
    expect(chat.page.locator("#greeting")).to_be_visible(timeout=PATIENCE)
    chat.connected()
    assert chat.page.url == site.base_url + "/"
    assert not chat.page.evaluate("globalThis.isTheSamePage")
    expect(chat.questions).to_have_count(0)
    expect(chat.items).to_have_count(0)
    assert conversations(chat.page, site) == []
    assert heard
    assert all(json.loads(text)["type"] == "ping" for text in heard)


def test_a_page_hears_nothing_before_it_is_known_whose_line_it_has(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    """Somebody else may have signed in meanwhile: then what comes before the greeting is theirs."""
    context = member()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    chat.connected()
    line.cut()
    offline(chat)
    line.to_page = lambda frame: None
    opened = line.opened
    line.mend()
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    while line.opened == opened:
        chat.page.wait_for_timeout(50)
    now = "2026-01-01T00:00:00+00:00"
    theirs = {
        "id": str(uuid.uuid4()),
        "title": "a secret",
        "created_at": now,
        "updated_at": now,
        "running": False,
    }
    line.reply({"type": "conversation.updated", "conversation": theirs})
    chat.page.wait_for_timeout(500)
    expect(chat.items).to_have_count(0)


def test_reconnecting_is_spread_over_the_whole_time(chat: Chat) -> None:
    waits = chat.page.evaluate(
        """async () => {
          const files = performance.getEntriesByType("resource").map(({ name }) => name);
          const { backoff } = await import(files.find((name) => /\\/socket[.\\w]*\\.js$/.test(name)));
          const of = (attempt) => Array.from({ length: 400 }, () => backoff(attempt));
          return [0, 1, 3, 5, 60].map(of);
        }"""
    )
    limits = [1_000, 2_000, 8_000, 30_000, 30_000]
    for drawn, limit in zip(waits, limits, strict=True):
        assert min(drawn) >= 500
        assert max(drawn) <= limit
        tenth = (limit - 500) / 10
        parts = {int((wait - 500) // tenth) for wait in drawn}
        assert parts >= set(range(10)), "some part of the time is never drawn"


def falsified(frame: dict[str, Any], *, digest: str) -> dict[str, Any]:
    if frame["type"] == "turn.delta":
        return {**frame, "content": frame["content"].replace("7", "8")}
    if frame["type"] == "turn.html":
        return {**frame, "html": frame["html"].replace("7", "8")}
    if frame["type"] == "turn.completed":
        return {**frame, "digest": digest}
    return frame


def test_a_changed_answer_is_noticed_by_its_digest_and_made_good(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    context = member()
    line = Line(context)
    right = "1 2 3 4 5 6 7 8 9"
    digest = hashlib.sha256(right.encode()).hexdigest()
    line.to_page = lambda frame: falsified(frame, digest=digest)
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 9")
    chat.ends()
    expect(chat.page.locator("#thread")).to_have_attribute("data-mismatches", "1")
    expect(chat.answer).to_have_text(right)
