"""Talking without an account: a visitor in each tab, gone with it, and how to keep what was said."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chat import PATIENCE, Chat
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser

PASSWORD = "a-long-secret-sentence"
ME = "hello, my name is Sam and I am 25"


def visit(context: BrowserContext, site: Site) -> Chat:
    return Chat.open(context, site.base_url, path="/visit/")


def pass_of(chat: Chat) -> Any:
    return chat.page.evaluate("sessionStorage.getItem('cozechat:visit')")


def talk(chat: Chat, text: str = ME) -> str:
    chat.ask(text)
    chat.ends()
    return chat.named()


def fill_sign_up(page: Page, name: str) -> None:
    page.fill("[name=username]", name)
    page.fill("[name=email]", f"{name}@example.com")
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    page.locator("main form button[type=submit]").click()


def test_somebody_without_an_account_tries_it_from_the_entrance(
    site: Site, browser_of: Callable[..., BrowserContext]
) -> None:
    context = browser_of()
    page = context.new_page()
    page.goto(site.base_url + "/")
    page.get_by_role("link", name="Try it without an account").click()
    chat = Chat(page, site.base_url)
    chat.connected()
    expect(page.locator("h1").last).to_have_text("What would you like to talk about?")
    assert talk(chat).startswith("/visit/c/")
    chat.ask("what is my name?")
    chat.says("Sam")
    # No cookie says who it is.
    assert {cookie["name"] for cookie in context.cookies()} <= {"csrftoken"}


def test_two_tabs_are_two_visitors(site: Site, browser_of: Callable[..., BrowserContext]) -> None:
    context = browser_of()
    first, second = visit(context, site), visit(context, site)
    path = talk(first)
    second.ask("what is my name?")
    second.ends()
    expect(second.answer).not_to_contain_text("Sam")
    expect(second.items).to_have_count(1)
    # The other tab's address opens nothing here.
    stranger = Chat.open(context, site.base_url, path=path)
    stranger.page.wait_for_url(site.base_url + "/visit/")
    expect(stranger.questions).to_have_count(0)
    expect(stranger.items).to_have_count(0)


def test_a_reload_is_the_same_visitor(site: Site, browser_of: Callable[..., BrowserContext]) -> None:
    chat = visit(browser_of(), site)
    talk(chat)
    before = pass_of(chat)
    chat.box.fill("half a sentence")
    chat.reload()
    assert pass_of(chat) == before
    expect(chat.questions).to_have_text([ME])
    expect(chat.items).to_have_count(1)
    expect(chat.items).to_have_attribute("data-current", "")
    expect(chat.box).to_have_value("half a sentence")
    chat.ask("what is my name?")
    chat.says("Sam")


def test_a_duplicated_tab_is_another_visitor(site: Site, browser_of: Callable[..., BrowserContext]) -> None:
    context = browser_of()
    first = visit(context, site)
    talk(first)
    # What browsers copy when a tab is duplicated, or opened by a page.
    shown = pass_of(first)
    page = context.new_page()
    page.add_init_script(
        f"if (!sessionStorage.getItem('copied')) {{ sessionStorage.setItem('cozechat:visit', '{shown}');"
        " sessionStorage.setItem('copied', '1'); }"
    )
    page.goto(first.page.url)
    copy = Chat(page, site.base_url)
    copy.connected()
    page.wait_for_url(site.base_url + "/visit/")
    assert pass_of(copy) != shown
    expect(copy.items).to_have_count(0)
    first.ask("what is my name?")
    first.says("Sam")


def test_a_member_s_tabs_and_a_visitor_s_live_side_by_side(site: Site, chat: Chat) -> None:
    talk(chat, "the secret word is zebra")
    beside = visit(chat.page.context, site)
    expect(beside.items).to_have_count(0)
    talk(beside)
    chat.reload()
    expect(chat.items).to_have_count(1)
    expect(chat.questions).to_have_text(["the secret word is zebra"])


def test_who_signs_up_keeps_the_chat_and_its_memory(
    site: Site, browser_of: Callable[..., BrowserContext]
) -> None:
    chat = visit(browser_of(), site)
    path = talk(chat)
    chat.page.get_by_role("link", name="Keep these chats").click()
    expect(chat.page.locator("#visit-kept")).to_be_visible()
    fill_sign_up(chat.page, "visitorsam")
    chat.page.wait_for_url(site.base_url + path.removeprefix("/visit"), timeout=PATIENCE)
    expect(chat.questions).to_have_text([ME])
    chat.ask("what is my name?")
    chat.says("Sam")
    assert pass_of(chat) is None
    chat.reload()
    expect(chat.items).to_have_count(1)


def test_who_signs_in_keeps_the_chat_too(site: Site, browser_of: Callable[..., BrowserContext]) -> None:
    context = browser_of()
    page = context.new_page()
    page.goto(site.base_url + "/accounts/signup/")
    fill_sign_up(page, "oldsam")
    page.wait_for_url(site.base_url + "/")
    context.clear_cookies()
    page.close()

    chat = visit(context, site)
    path = talk(chat)
    chat.page.locator("#account-button").click()
    chat.page.get_by_role("link", name="Sign in and keep the chats").click()
    expect(chat.page.locator("#visit-kept")).to_be_visible()
    chat.page.fill("[name=login]", "oldsam")
    chat.page.fill("[name=password]", PASSWORD)
    chat.page.locator("main form button[type=submit]").click()
    chat.page.wait_for_url(site.base_url + path.removeprefix("/visit"), timeout=PATIENCE)
    chat.connected()
    expect(chat.questions).to_have_text([ME])
    chat.ask("what is my name?")
    chat.says("Sam")
    assert pass_of(chat) is None


def test_signing_in_in_a_visitors_tab_without_wanting_to_keep_takes_nothing(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    chat = visit(member(), site)
    talk(chat)
    chat.page.goto(site.base_url + "/")
    chat.connected()
    expect(chat.items).to_have_count(0)


def test_a_visitor_ends_the_visit(site: Site, browser_of: Callable[..., BrowserContext]) -> None:
    chat = visit(browser_of(), site)
    path, before = talk(chat), pass_of(chat)
    chat.page.locator("#account-button").click()
    chat.page.locator("#visit-end").click()
    chat.page.wait_for_url(site.base_url + "/visit/")
    chat.connected()
    expect(chat.items).to_have_count(0)
    assert pass_of(chat) != before
    status = chat.page.evaluate(
        "([path, shown]) => fetch(path, {headers: {Authorization: `Visit ${shown}`}}).then(({status}) => status)",
        [f"/api/conversations/{path.split('/')[3]}/", before],
    )
    assert status == 401


def test_a_visit_that_is_over_says_so_and_begins_anew(
    site: Site, browser_of: Callable[..., BrowserContext]
) -> None:
    chat = visit(browser_of(), site)
    talk(chat)
    chat.page.evaluate(
        "shown => fetch('/api/visit', {method: 'DELETE', headers: {Authorization: `Visit ${shown}`}})",
        pass_of(chat),
    )
    expect(chat.page.locator("#signed-out-dialog")).to_be_visible(timeout=PATIENCE)
    expect(chat.answer).to_be_hidden()
    chat.page.get_by_role("link", name="Begin anew").click()
    chat.page.wait_for_url("**/visit/**")
    chat.connected()
    expect(chat.items).to_have_count(0)


def test_rubbish_in_the_tab_s_storage_is_replaced(
    site: Site, browser_of: Callable[..., BrowserContext]
) -> None:
    chat = visit(browser_of(), site)
    chat.page.evaluate("sessionStorage.setItem('cozechat:visit', 'rubbish \\u0000 é')")
    chat.reload()
    talk(chat)
