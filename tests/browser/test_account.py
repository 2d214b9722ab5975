"""Signing up, two people on one machine, two languages, and no JavaScript."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.chat import Chat
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser


def sign_up(page: Page, site: Site, name: str) -> Chat:
    page.goto(site.base_url + "/accounts/signup/")
    page.fill("[name=username]", name)
    page.fill("[name=email]", f"{name}@example.com")
    page.fill("[name=password1]", "a-long-secret-sentence")
    page.fill("[name=password2]", "a-long-secret-sentence")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(site.base_url + "/")
    chat = Chat(page, site.base_url)
    chat.connected()
    return chat


def sign_out(page: Page, *, giving_up: str = "") -> None:
    """Sign out; what was not sent (`giving_up`) is given up in so many words."""
    page.locator("#account-button").click()
    page.locator("[data-logout] button").click()
    if giving_up:
        page.locator("#sign-out-dialog [value=confirm]").click()
    page.wait_for_url("**/accounts/login/**")


def test_two_people_sign_up_and_never_see_each_other(
    site: Site, browser_of: Callable[..., BrowserContext]
) -> None:
    page = browser_of().new_page()
    alice = sign_up(page, site, "alice")
    alice.ask("my name is Alice, the secret word is zebra")
    alice.ends()
    alice.box.fill("a draft of Alice's")
    path = alice.named()
    sign_out(page, giving_up="a draft")
    bob = sign_up(page, site, "bob")
    expect(bob.items).to_have_count(0)
    expect(bob.box).to_have_value("")
    bob.ask("what is the secret word?")
    bob.ends()
    expect(bob.answer).not_to_contain_text("zebra")
    response = page.goto(site.base_url + path)
    assert response is not None
    assert response.status == 404


def test_the_language_changes_everywhere_and_the_draft_stays(chat: Chat) -> None:
    chat.box.fill("half a sentence")
    chat.page.locator("#account-button").click()
    chat.page.locator("[data-language] button").click()
    chat.connected()
    expect(chat.page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(chat.page.locator(".sidebar-new a[data-new]")).to_have_text("新对话")
    expect(chat.box).to_have_attribute("placeholder", "发消息，Enter 发送，Shift+Enter 换行")
    expect(chat.box).to_have_value("half a sentence")
    chat.page.locator("#account-button").click()
    chat.page.locator("[data-language] button").click()
    expect(chat.page.locator(".sidebar-new a[data-new]")).to_have_text("New chat")


def test_the_log_in_page_speaks_the_browsers_language(
    site: Site, browser_of: Callable[..., BrowserContext]
) -> None:
    page = browser_of(locale="zh-CN").new_page()
    page.goto(site.base_url + "/")
    expect(page.locator("h1")).to_have_text("欢迎回来")
    page.locator("[data-language] button").click()
    expect(page.locator("h1")).to_have_text("Welcome back")


def test_signing_out_in_one_tab_hides_the_other(site: Site, chat: Chat) -> None:
    chat.ask("count to 3")
    chat.ends()
    other = Chat.open(chat.page.context, site.base_url, path=chat.named())
    sign_out(chat.page)
    expect(other.page.locator("#signed-out-dialog")).to_be_visible()
    expect(other.answer).to_be_hidden()


def test_past_conversations_can_be_read_without_javascript(site: Site, chat: Chat, chromium: Browser) -> None:
    chat.ask("show me code")
    chat.ends()
    path = chat.named()
    state = chat.page.context.storage_state()
    bare = chromium.new_context(
        java_script_enabled=False, storage_state=state, viewport={"width": 360, "height": 740}
    )
    page = bare.new_page()
    page.goto(site.base_url + path)
    expect(page.locator(".message-user .bubble")).to_have_text("show me code")
    expect(page.locator(".message-assistant .finished")).to_contain_text("fibonacci")
    expect(page.locator(".conversation-link")).to_be_visible()
    bare.close()
