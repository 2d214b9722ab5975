"""Questions behind a running answer: seen, changed, withdrawn, in every tab, over a restart."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.chat import PATIENCE, Chat, counted
from tests.browser.conftest import Site
from tests.browser.lines import Line

pytestmark = pytest.mark.browser

Members = Callable[..., BrowserContext]


def queue_of(chat: Chat) -> Locator:
    return chat.page.locator(".queued .queued-text")


def line_of(chat: Chat, text: str) -> Locator:
    return chat.page.locator(".queued").filter(has_text=text)


def stop(chat: Chat) -> None:
    expect(chat.send).to_have_attribute("data-mode", "stop")
    chat.send.click()


def test_questions_behind_a_running_answer_wait_in_order_and_are_answered(chat: Chat) -> None:
    chat.ask("count to 200")
    chat.says("3")
    chat.ask("count to 4")
    chat.ask("count to 5")
    expect(queue_of(chat)).to_have_text(["count to 4", "count to 5"])
    expect(chat.page.locator("#announcer")).to_have_text("Queued. It is sent after the current answer.")
    expect(chat.questions).to_have_count(1)
    chat.running()
    stop(chat)
    expect(chat.answers).to_have_count(3, timeout=PATIENCE)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 200", "count to 4", "count to 5"])
    expect(chat.page.locator("#queue")).to_be_hidden()
    assert counted(chat) == [1, 2, 3, 4, 5]


def test_a_queued_question_is_changed_and_removed_in_both_tabs(site: Site, member: Members) -> None:
    context = member()
    first = Chat.open(context, site.base_url)
    first.ask("count to 250")
    first.says("3")
    second = Chat.open(context, site.base_url, path=first.named())
    first.ask("count to 4")
    first.ask("count to 5")
    expect(queue_of(second)).to_have_text(["count to 4", "count to 5"])
    line_of(second, "count to 4").locator("[data-queue=edit]").click()
    second.page.locator(".queued-editor textarea").fill("count to 6")
    second.page.locator(".queued-editor textarea").press("Enter")
    for chat in (first, second):
        expect(queue_of(chat)).to_have_text(["count to 6", "count to 5"])
    line_of(first, "count to 5").locator("[data-queue=remove]").click()
    for chat in (first, second):
        expect(queue_of(chat)).to_have_text(["count to 6"])
    stop(first)
    for chat in (first, second):
        expect(chat.answers).to_have_count(2, timeout=PATIENCE)
        chat.ends()
        expect(chat.questions).to_have_text(["count to 250", "count to 6"])
        assert counted(chat) == [1, 2, 3, 4, 5, 6]
    first.reload()
    expect(first.questions).to_have_text(["count to 250", "count to 6"])


def test_esc_leaves_the_editor_and_neither_the_question_nor_the_answer(chat: Chat) -> None:
    chat.ask("count to 250")
    chat.says("3")
    chat.ask("count to 4")
    line_of(chat, "count to 4").locator("[data-queue=edit]").click()
    field = chat.page.locator(".queued-editor textarea")
    expect(field).to_be_focused()
    field.fill("something else")
    field.press("Escape")
    expect(field).to_have_count(0)
    expect(queue_of(chat)).to_have_text(["count to 4"])
    chat.running()


def test_what_was_typed_over_a_question_that_has_begun_is_kept(chat: Chat) -> None:
    chat.ask("count to 250")
    chat.says("3")
    chat.ask("count to 4")
    line_of(chat, "count to 4").locator("[data-queue=edit]").click()
    chat.page.locator(".queued-editor textarea").fill("count to 4 and explain")
    stop(chat)
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    expect(chat.questions.last).to_have_text("count to 4")
    expect(chat.box).to_have_value("count to 4 and explain")


def test_while_something_is_typed_stopping_has_a_button_of_its_own(chat: Chat) -> None:
    chat.ask("count to 250")
    chat.says("3")
    expect(chat.page.locator("#stop")).to_be_hidden()
    chat.box.fill("a half sent")
    expect(chat.send).to_have_attribute("data-mode", "send")
    chat.page.locator("#stop").click()
    chat.ends("canceled")
    expect(chat.box).to_have_value("a half sent")
    expect(chat.page.locator("#stop")).to_be_hidden()


def test_the_queue_survives_a_reload_and_a_restart_of_the_server(site: Site, member: Members) -> None:
    chat = Chat.open(member(), site.base_url)
    chat.ask("count to 250")
    chat.says("3")
    chat.ask("count to 4")
    chat.ask("count to 5")
    expect(queue_of(chat)).to_have_text(["count to 4", "count to 5"])
    chat.named()
    chat.reload()
    expect(queue_of(chat)).to_have_text(["count to 4", "count to 5"])
    expect(chat.questions).to_have_text(["count to 250"])
    site.stop()
    site.start()
    expect(chat.page.locator("html")).to_have_attribute("data-connection", "online", timeout=40_000)
    expect(chat.answers).to_have_count(3, timeout=40_000)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 250", "count to 4", "count to 5"])
    assert counted(chat) == [1, 2, 3, 4, 5]


def test_a_question_typed_without_a_line_waits_in_the_same_list(site: Site, member: Members) -> None:
    context = member()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 300")
    chat.says("3")
    line.cut()
    expect(chat.page.locator("html")).not_to_have_attribute("data-connection", "online", timeout=PATIENCE)
    chat.ask("count to 4")
    expect(queue_of(chat)).to_have_text(["count to 4"])
    line_of(chat, "count to 4").locator("[data-queue=edit]").click()
    chat.page.locator(".queued-editor textarea").fill("count to 6")
    chat.page.locator(".queued-editor button[type=submit]").click()
    expect(queue_of(chat)).to_have_text(["count to 6"])
    line.mend()
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    expect(chat.answers).to_have_count(2, timeout=40_000)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 300", "count to 6"])
    assert line.started() == ["count to 300", "count to 6"]


def test_an_interrupted_answer_can_be_gone_on_with(chat: Chat) -> None:
    chat.ask("count to 250")
    chat.says("9")
    stop(chat)
    chat.ends("canceled")
    chat.answers.last.locator("[data-act=continue]").click()
    expect(chat.questions.last).to_have_text("Please go on where you stopped.")
    expect(chat.answers).to_have_count(2)
    chat.ends()
    expect(chat.answers.first.locator("[data-act=continue]")).to_be_hidden()
    chat.reload()
    expect(chat.answers.first.locator("[data-act=continue]")).to_be_hidden()


def test_a_long_queued_question_is_never_changed_into_its_beginning(site: Site, member: Members) -> None:
    context = member()
    asking = Chat.open(context, site.base_url)
    asking.ask("count to 250")
    asking.says("3")
    long = "tell me about " + "雨" * 20_000 + " and the end"
    asking.ask(long)
    expect(line_of(asking, "tell me about")).to_have_count(1)
    reading = Chat.open(context, site.base_url, path=asking.named())
    expect(line_of(reading, "tell me about")).to_have_attribute("data-truncated", "")
    expect(line_of(reading, "tell me about").locator("[data-queue=edit]")).to_be_hidden()
    line_of(asking, "tell me about").locator("[data-queue=edit]").click()
    field = asking.page.locator(".queued-editor textarea")
    assert field.input_value() == long
    field.evaluate("field => { field.value = field.value.replace('the end', 'the very end') }")
    field.press("Enter")
    expect(field).to_have_count(0)
    whole = asking.page.locator(".queued-text").text_content() or ""
    assert whole.endswith("and the very end")
    stop(asking)
    for chat in (asking, reading):
        expect(chat.answers).to_have_count(2, timeout=PATIENCE)
        expect(chat.questions.last).to_contain_text("and the very end")
