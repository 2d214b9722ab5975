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
    expect(begun.items).to_have_count(0)
    begun.page.wait_for_url(site.base_url + "/")
    other.page.wait_for_url(site.base_url + "/")
    expect(other.items).to_have_count(0)
    expect(other.page.locator("#greeting")).to_be_visible()
    response = begun.page.goto(site.base_url + path)
    assert response is not None
    assert response.status == 404


def test_undo_brings_a_deleted_conversation_back_in_every_tab(site: Site, begun: Chat) -> None:
    path = begun.named()
    other = Chat.open(begun.page.context, site.base_url)
    begun.menu("delete")
    expect(other.items).to_have_count(0)
    begun.page.locator(".toast button").click()
    begun.page.wait_for_url(site.base_url + path)
    expect(begun.answer).to_have_text("1 2 3")
    expect(begun.items).to_have_count(1)
    expect(other.items).to_have_count(1)


def test_pins_and_the_archive_are_the_same_in_every_tab(site: Site, begun: Chat) -> None:
    other = Chat.open(begun.page.context, site.base_url)
    begun.menu("pin")
    expect(other.page.locator(".conversations-group").first).to_have_text("Pinned")
    begun.menu("archive")
    expect(other.items).to_have_count(0)
    expect(begun.items).to_have_count(0)
    other.page.locator(".place", has_text="Archive").click()
    other.connected()
    expect(other.items).to_have_count(1)
    begun.page.locator(".toast button").click()
    expect(begun.items).to_have_count(1)
    expect(other.items).to_have_count(0)


def test_several_are_picked_with_shift_and_deleted_together(begun: Chat) -> None:
    for number in (4, 5):
        begun.page.locator("[data-new]").first.click()
        begun.ask(f"count to {number}")
        begun.ends()
    expect(begun.items).to_have_count(3)
    begun.items.nth(0).locator("a").click()
    begun.items.nth(1).locator("a").click(modifiers=["Shift"])
    expect(begun.page.locator("#picked-count")).to_have_text("2 chosen")
    begun.page.locator("#picked [data-act=delete]").click()
    expect(begun.items).to_have_count(1)
    expect(begun.page.locator("#greeting")).to_be_visible()
    begun.page.locator(".toast button").click()
    expect(begun.items).to_have_count(3)


def test_a_conversation_is_moved_into_a_new_folder(begun: Chat) -> None:
    begun.menu("move")
    begun.page.locator("#folder-name").fill("Numbers 数字")
    begun.page.locator("#folder-dialog [type=submit]").click()
    begun.page.locator(".place", has_text="Numbers 数字").click()
    begun.connected()
    expect(begun.items).to_have_count(1)
    begun.page.locator("#folder-acts [data-act=delete]").click()
    expect(begun.page.locator(".place", has_text="Numbers 数字")).to_have_count(0)
    expect(begun.items).to_have_count(1)


def test_the_search_leads_to_the_message(begun: Chat) -> None:
    begun.page.locator("[data-new]").first.click()
    begun.page.keyboard.press("Control+k")
    begun.page.locator("#search-input").fill("count")
    hit = begun.page.locator(".search-hit")
    expect(hit.locator("mark").first).to_have_text("count", ignore_case=True)
    begun.page.keyboard.press("Enter")
    expect(begun.page.locator(".message[data-found]")).to_contain_text("count to 3")
    begun.page.keyboard.press("Control+k")
    begun.page.locator("#search-input").fill("nowhere")
    expect(begun.page.locator("#search-note")).to_contain_text("Nothing was found")


def test_an_answer_that_ends_elsewhere_is_marked_until_it_is_looked_at(site: Site, begun: Chat) -> None:
    other = Chat.open(begun.page.context, site.base_url)
    path = begun.named()
    begun.ask("count to 30 slowly")
    begun.running()
    begun.page.locator("[data-new]").first.click()
    unread = ".conversation[data-unread]"
    expect(begun.page.locator(".toast")).to_contain_text("has a new answer", timeout=20_000)
    expect(begun.page.locator(unread)).to_have_count(1)
    expect(other.page.locator(unread)).to_have_count(1)
    begun.page.locator(".toast button").click()
    begun.page.wait_for_url(site.base_url + path)
    expect(begun.page.locator(unread)).to_have_count(0)
    expect(other.page.locator(unread)).to_have_count(0)


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
