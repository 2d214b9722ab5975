"""The list of conversations: renaming, deleting, drafts that belong to each."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import Chat
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def begun(chat: Chat) -> Chat:
    """A member in a conversation with one answer."""
    chat.ask("count to 3")
    chat.ends()
    return chat


def test_a_new_title_stays_and_reaches_the_other_tab(site: Site, begun: Chat) -> None:
    other = Chat.open(begun.page.context, site.base_url)
    begun.menu("rename")
    begun.page.keyboard.type("Counting 数数")
    begun.page.keyboard.press("Enter")
    expect(begun.page.locator("#title")).to_have_text("Counting 数数")
    expect(other.items.first.locator("a")).to_have_text("Counting 数数")
    begun.reload()
    expect(begun.items.first.locator("a")).to_have_text("Counting 数数")


def test_escape_and_blank_keep_the_old_title(begun: Chat) -> None:
    before = begun.items.first.locator("a").inner_text()
    begun.menu("rename")
    begun.page.keyboard.type("something else")
    begun.page.keyboard.press("Escape")
    expect(begun.items.first.locator("a")).to_have_text(before)
    begun.menu("rename")
    begun.page.keyboard.press("Backspace")
    begun.page.keyboard.press("Enter")
    begun.page.keyboard.press("Escape")
    expect(begun.items.first.locator("a")).to_have_text(before)


def test_a_deleted_conversation_is_gone_in_every_tab(site: Site, begun: Chat) -> None:
    path = begun.named()
    other = Chat.open(begun.page.context, site.base_url, path=path)
    begun.menu("delete")
    begun.page.locator("#delete-dialog [value=confirm]").click()
    expect(begun.items).to_have_count(0)
    begun.page.wait_for_url(site.base_url + "/")
    other.page.wait_for_url(site.base_url + "/")
    expect(other.items).to_have_count(0)
    expect(other.page.locator("#greeting")).to_be_visible()
    response = begun.page.goto(site.base_url + path)
    assert response is not None
    assert response.status == 404


def test_cancelling_the_dialog_deletes_nothing(begun: Chat) -> None:
    begun.menu("delete")
    begun.page.keyboard.press("Escape")
    expect(begun.page.locator("#delete-dialog")).to_be_hidden()
    begun.reload()
    expect(begun.items).to_have_count(1)


def test_each_conversation_keeps_its_own_draft_over_a_reload(begun: Chat) -> None:
    begun.box.fill("unfinished thought")
    begun.page.locator("[data-new]").first.click()
    expect(begun.box).to_have_value("")
    begun.box.fill("another one")
    begun.reload()
    expect(begun.box).to_have_value("another one")
    begun.items.first.locator("a").click()
    expect(begun.box).to_have_value("unfinished thought")


def test_a_sent_draft_does_not_come_back(begun: Chat) -> None:
    begun.ask("count to 4")
    expect(begun.answers).to_have_count(2)
    begun.ends()
    begun.reload()
    expect(begun.box).to_have_value("")


def test_back_and_forward_walk_through_the_conversations(site: Site, begun: Chat) -> None:
    path = begun.named()
    begun.page.locator("[data-new]").first.click()
    expect(begun.page.locator("#greeting")).to_be_visible()
    begun.page.go_back()
    begun.page.wait_for_url(site.base_url + path)
    expect(begun.answer).to_have_text("1 2 3")


def test_on_a_phone_the_list_is_an_overlay_that_escape_closes(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    chat = Chat.open(member(viewport={"width": 360, "height": 740}), site.base_url)
    sidebar = chat.page.locator("#sidebar")
    expect(sidebar).to_be_hidden()
    chat.page.locator("#sidebar-open").click()
    expect(sidebar).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(sidebar).to_be_hidden()
    expect(chat.page.locator("#sidebar-open")).to_be_focused()


def test_on_a_phone_a_conversation_is_renamed_from_its_header(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    chat = Chat.open(member(viewport={"width": 360, "height": 740}), site.base_url)
    chat.ask("count to 3")
    chat.ends()
    chat.page.locator("#conversation-more").click()
    chat.page.locator("#conversation-menu [data-act=rename]").click()
    chat.page.keyboard.type("On the phone")
    chat.page.keyboard.press("Enter")
    expect(chat.page.locator("#title")).to_have_text("On the phone")


@pytest.mark.parametrize("width", [320, 360, 768, 1440, 3840])
def test_the_page_never_scrolls_sideways(
    site: Site, member: Callable[..., BrowserContext], width: int
) -> None:
    chat = Chat.open(member(viewport={"width": width, "height": 800}), site.base_url)
    chat.ask("a table and code https://example.com/" + "very" * 60)
    chat.ends()
    assert chat.page.evaluate("document.documentElement.scrollWidth") <= width
    assert chat.page.evaluate("document.querySelector('#thread-scroll').scrollWidth") <= width
