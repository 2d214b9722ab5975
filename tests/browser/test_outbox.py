"""What was asked is sent exactly once and in order, whatever happened to the line, the page or the server."""

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import PATIENCE, Chat, counted
from tests.browser.conftest import Site
from tests.browser.lines import Frame, Line
from tests.browser.outbox_steps import back_online, conversations, offline, state_of, stored

pytestmark = pytest.mark.browser

Members = Callable[..., BrowserContext]


def test_two_questions_of_a_new_chat_survive_a_reload_and_go_into_one_conversation(
    site: Site, member: Members
) -> None:
    context = member()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    line.cut()
    offline(chat)
    chat.ask("count to 4")
    chat.ask("count to 5")
    expect(chat.questions).to_have_text(["count to 4", "count to 5"])
    expect(state_of(chat, 1)).to_contain_text("Waiting to be sent")
    chat.page.reload()
    expect(chat.questions).to_have_text(["count to 4", "count to 5"])
    line.mend()
    back_online(chat)
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends()
    assert counted(chat) == [1, 2, 3, 4, 5]
    [conversation] = conversations(chat)
    assert stored(chat, conversation["id"]) == ["count to 4", "count to 5"]
    assert line.started() == ["count to 4", "count to 5"]
    chat.named()
    chat.reload()
    expect(chat.questions).to_have_text(["count to 4", "count to 5"])


def test_a_question_whose_acceptance_was_lost_is_not_asked_twice(site: Site, member: Members) -> None:
    context = member()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 3")
    chat.ends()
    lost: list[Frame] = []

    def lose_the_first(frame: Frame) -> Frame | None:
        if frame["type"] == "turn.accepted" and not lost:
            lost.append(frame)
            line.cut()
            return None
        return None if line.is_cut else frame

    line.to_page = lose_the_first
    chat.ask("count to 6")
    offline(chat)
    assert lost
    line.mend()
    back_online(chat)
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 3", "count to 6"])
    assert line.started() == ["count to 3", "count to 6", "count to 6"]
    [conversation] = conversations(chat)
    assert stored(chat, conversation["id"]) == ["count to 3", "count to 6"]


def test_two_tabs_with_one_outbox_send_a_question_once(site: Site, member: Members) -> None:
    context = member()
    line = Line(context)
    first = Chat.open(context, site.base_url)
    first.ask("count to 3")
    first.ends()
    second = Chat.open(context, site.base_url, path=first.named())
    line.cut()
    offline(first)
    offline(second)
    first.ask("count to 7")
    expect(second.questions).to_have_text(["count to 3", "count to 7"])
    line.mend()
    second.page.evaluate("dispatchEvent(new Event('online'))")
    first.page.evaluate("dispatchEvent(new Event('online'))")
    for chat in (first, second):
        expect(chat.answers).to_have_count(2, timeout=PATIENCE)
        chat.ends()
        expect(chat.questions).to_have_text(["count to 3", "count to 7"])
        assert counted(chat) == [1, 2, 3, 4, 5, 6, 7]
    assert line.started() == ["count to 3", "count to 7"]


def test_two_tabs_of_a_browser_without_locks_ask_once_all_the_same(site: Site, member: Members) -> None:
    context = member()
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })")
    line = Line(context)
    first = Chat.open(context, site.base_url)
    first.ask("count to 3")
    first.ends()
    second = Chat.open(context, site.base_url, path=first.named())
    line.cut()
    offline(first)
    offline(second)
    first.ask("count to 7")
    first.ask("count to 8")
    expect(second.questions).to_have_count(3)
    line.mend()
    for chat in (first, second):
        chat.page.evaluate("dispatchEvent(new Event('online'))")
    asked = ["count to 3", "count to 7", "count to 8"]
    for chat in (first, second):
        expect(chat.answers).to_have_count(3, timeout=PATIENCE)
        chat.ends()
        expect(chat.questions).to_have_text(asked)
    [conversation] = conversations(first)
    assert stored(first, conversation["id"]) == asked


def test_a_question_on_a_line_that_has_died_in_silence_is_sent_soon(site: Site, member: Members) -> None:
    context = member()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 3")
    chat.ends()
    died = line.opened
    line.to_server = lambda frame: None if line.opened == died else frame
    chat.ask("count to 5")
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 3", "count to 5"])
    assert line.started() == ["count to 3", "count to 5", "count to 5"]


def test_a_tab_that_is_closed_leaves_its_question_to_another(site: Site, member: Members) -> None:
    context = member()
    line = Line(context)
    other = Chat.open(context, site.base_url)
    chat = Chat.open(context, site.base_url)
    line.cut()
    offline(chat)
    offline(other)
    chat.ask("count to 8")
    expect(chat.questions).to_have_count(1)
    expect(other.page.locator("#unsent")).to_have_text("One message not sent yet")
    chat.page.close()
    line.mend()
    back_online(other)
    expect(other.items).to_have_count(1, timeout=PATIENCE)
    expect(other.page.locator("#unsent")).to_be_hidden()
    other.items.first.locator("a").click()
    other.ends()
    assert counted(other) == list(range(1, 9))


def test_questions_asked_while_the_server_restarts_arrive_once_and_in_order(
    site: Site, member: Members
) -> None:
    chat = Chat.open(member(), site.base_url)
    chat.ask("count to 3")
    chat.ends()
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    asked = ["count to 3"]
    # Some of them before the server notices, some while it drains, some when it is gone.
    for number in range(4, 9):
        chat.ask(f"count to {number}")
        asked.append(f"count to {number}")
        chat.page.wait_for_timeout(150)
    stopping.join()
    chat.ask("count to 9")
    asked.append("count to 9")
    site.start()
    expect(chat.page.locator("html")).to_have_attribute("data-connection", "online", timeout=40_000)
    expect(chat.questions).to_have_text(asked, timeout=60_000)
    chat.ends()
    [conversation] = conversations(chat)
    assert stored(chat, conversation["id"]) == asked
    chat.reload()
    expect(chat.questions).to_have_text(asked)


def test_a_waiting_question_can_be_changed_and_discarded(site: Site, member: Members) -> None:
    context = member()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    line.cut()
    offline(chat)
    chat.ask("count to 400")
    chat.ask("never mind")
    state_of(chat, 1).locator("[data-act=discard]").click()
    state_of(chat).locator("[data-act=edit]").click()
    expect(chat.questions).to_have_count(0)
    expect(chat.page.locator("#greeting")).to_be_visible()
    expect(chat.box).to_have_value("count to 400")
    chat.ask("count to 4")
    line.mend()
    back_online(chat)
    chat.ends()
    assert counted(chat) == [1, 2, 3, 4]
    assert line.started() == ["count to 4"]


@pytest.mark.parametrize(
    "broken",
    [
        "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })",
        "Object.defineProperty(globalThis, 'indexedDB', { get() { throw new Error('forbidden') } })",
        "IDBFactory.prototype.open = () => { throw new DOMException('private mode', 'SecurityError') }",
        "IDBDatabase.prototype.transaction = () => { throw new DOMException('gone', 'InvalidStateError') }",
    ],
    ids=["absent", "forbidden", "private", "failing"],
)
def test_without_indexeddb_the_tab_keeps_the_question(site: Site, member: Members, broken: str) -> None:
    context = member()
    context.add_init_script(broken)
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    line.cut()
    offline(chat)
    chat.ask("count to 6")
    chat.box.fill("a draft")
    chat.page.wait_for_timeout(400)
    chat.page.reload()
    expect(chat.questions).to_have_text(["count to 6"])
    expect(chat.box).to_have_value("a draft")
    line.mend()
    back_online(chat)
    chat.ends()
    assert counted(chat) == [1, 2, 3, 4, 5, 6]
    assert line.started() == ["count to 6"]
    expect(chat.page.locator(".toast")).to_have_count(0)


def test_a_double_enter_asks_once(chat: Chat) -> None:
    chat.box.fill("count to 30")
    chat.box.press("Enter")
    chat.box.press("Enter")
    chat.ends()
    expect(chat.questions).to_have_count(1)


def test_a_waiting_question_is_announced(site: Site, member: Members) -> None:
    context = member()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    line.cut()
    offline(chat)
    chat.ask("hello")
    expect(chat.page.locator("#announcer")).to_have_text("Waiting to be sent")
    expect(chat.page.locator("#announcer")).to_have_attribute("aria-live", "polite")
