"""Asking, reading along, stopping, coming back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import Chat, counted
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser


def test_an_answer_appears_word_by_word_and_ends_complete(chat: Chat) -> None:
    chat.ask("count to 60")
    expect(chat.questions).to_have_text("count to 60")
    chat.says("3")
    assert counted(chat)[-1] < 60
    chat.running()
    chat.ends()
    assert counted(chat) == list(range(1, 61))


def test_a_new_chat_gets_an_address_and_stands_in_the_list(chat: Chat) -> None:
    chat.ask("hello")
    path = chat.named()
    expect(chat.items.first.locator("a")).to_have_attribute("href", path)
    expect(chat.items).to_have_count(1)


def test_the_assistant_remembers_what_was_said_before(chat: Chat) -> None:
    chat.ask("你好,我叫张三,我25岁")
    chat.ends()
    chat.ask("我叫什么名字?我多大?")
    expect(chat.answers).to_have_count(2)
    chat.says("张三")
    chat.says("25")


def test_markdown_becomes_headings_tables_and_code(chat: Chat) -> None:
    chat.ask("show me a table, some code and some math")
    chat.ends()
    expect(chat.answer.locator("table td").first).to_have_text("Oslo")
    expect(chat.answer.locator("figure.code figcaption")).to_contain_text("python")
    assert chat.answer.locator("math").count() > 0
    expect(chat.answer.locator(".live")).to_be_empty()


def test_markup_in_a_question_stays_text(chat: Chat) -> None:
    chat.ask("<img src=x onerror=alert(1)> **bold** & <b>x</b>")
    expect(chat.questions).to_have_text("<img src=x onerror=alert(1)> **bold** & <b>x</b>")
    chat.ends()
    assert chat.page.locator("#thread img, #thread .bubble b").count() == 0


def test_a_reload_in_mid_answer_shows_all_of_it_and_goes_on(chat: Chat) -> None:
    chat.ask("count to 120")
    chat.says("20")
    chat.reload()
    chat.says("25")
    chat.ends()
    assert counted(chat) == list(range(1, 121))
    expect(chat.answers).to_have_count(1)


def test_stop_keeps_what_was_written_also_after_a_reload(chat: Chat) -> None:
    chat.ask("count to 2000")
    chat.says("20")
    chat.send.click()
    chat.ends("canceled")
    expect(chat.send).to_have_attribute("data-mode", "send")
    kept = counted(chat)
    assert kept == list(range(1, len(kept) + 1))
    chat.reload()
    assert counted(chat) == kept
    expect(chat.answers.last).to_contain_text("Stopped")


def test_a_double_click_on_send_sends_one_question_and_does_not_stop_it(chat: Chat) -> None:
    chat.box.fill("count to 30")
    chat.send.dblclick()
    chat.ends()
    expect(chat.questions).to_have_count(1)
    assert counted(chat) == list(range(1, 31))


def test_escape_stops_the_answer(chat: Chat) -> None:
    chat.ask("count to 2000")
    chat.says("5")
    chat.page.keyboard.press("Escape")
    chat.ends("canceled")


def test_after_a_stop_the_next_question_works(chat: Chat) -> None:
    chat.ask("count to 60")
    chat.says("5")
    chat.send.click()
    chat.ends("canceled")
    chat.ask("count to 7")
    expect(chat.answers).to_have_count(2)
    chat.ends()
    assert counted(chat) == list(range(1, 8))


def test_two_tabs_show_the_same_and_either_can_stop(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    context = member()
    first = Chat.open(context, site.base_url)
    first.ask("count to 5")
    first.ends()
    second = Chat.open(context, site.base_url, path=first.named())
    first.ask("count to 2000")
    expect(second.questions).to_have_count(2)
    second.says("15")
    second.send.click()
    first.ends("canceled")
    second.ends("canceled")
    assert counted(first) == counted(second)


def test_another_chat_and_back_finds_the_answer_still_growing(chat: Chat) -> None:
    chat.ask("count to 5")
    chat.ends()
    chat.page.locator("[data-new]").first.click()
    chat.ask("count to 150")
    chat.says("15")
    chat.items.nth(1).locator("a").click()
    expect(chat.answers).to_have_count(1)
    expect(chat.answer).to_have_text("1 2 3 4 5")
    chat.items.nth(0).locator("a").click()
    chat.says("30")
    chat.running()
    chat.ends()
    assert counted(chat) == list(range(1, 151))


def test_a_question_of_the_flow_is_answered_by_the_next_message(chat: Chat) -> None:
    chat.ask("ask me a question")
    chat.ends("requires_action")
    chat.ask("tea")
    expect(chat.answers).to_have_count(2)
    chat.says("tea")
    chat.ends()


def test_code_is_copied_exactly(site: Site, member: Callable[..., BrowserContext]) -> None:
    chat = Chat.open(member(permissions=["clipboard-read", "clipboard-write"]), site.base_url)
    chat.ask("show me code")
    chat.ends()
    chat.answer.locator(".code-copy").click()
    expect(chat.answer.locator(".code-copy")).to_contain_text("Copied")
    copied = chat.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("from collections.abc import Iterator\n\n\ndef fibonacci")
    assert copied.endswith("55, 89]")


def test_enter_that_picks_a_candidate_does_not_send(chat: Chat) -> None:
    chat.box.fill("nihao")
    for event in ("{isComposing: true}", "{keyCode: 229}"):
        chat.box.evaluate(
            f"box => box.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true, ...{event}}}))"
        )
    expect(chat.questions).to_have_count(0)
    expect(chat.box).to_have_value("nihao")


def test_shift_enter_breaks_the_line_and_blank_text_is_not_sent(chat: Chat) -> None:
    expect(chat.send).to_be_disabled()
    chat.ask("   ")
    expect(chat.questions).to_have_count(0)
    chat.box.fill("one")
    chat.box.press("Shift+Enter")
    chat.box.press_sequentially("two")
    expect(chat.box).to_have_value("one\ntwo")


def test_a_suggestion_starts_the_conversation(chat: Chat) -> None:
    suggestion = chat.page.locator(".suggestion").first
    words = suggestion.inner_text().strip()
    suggestion.click()
    expect(chat.questions).to_have_text(words)
    chat.ends()


def test_only_the_reader_at_the_end_follows_new_text(chat: Chat) -> None:
    chat.ask("write a long text")
    scroll = chat.page.locator("#thread-scroll")
    chat.says("3. The first word")
    assert scroll.evaluate("box => box.scrollHeight - box.clientHeight - box.scrollTop") < 30
    scroll.hover()
    chat.page.mouse.wheel(0, -240)
    chat.page.wait_for_timeout(100)
    place = scroll.evaluate("box => box.scrollTop")
    chat.page.wait_for_timeout(600)
    assert scroll.evaluate("box => box.scrollTop") == place
    chat.page.locator("#to-end").click()
    assert scroll.evaluate("box => box.scrollHeight - box.clientHeight - box.scrollTop") < 30
