"""What a person does with single messages: asks otherwise, asks again, looks at versions, deletes, clears the context."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chat import Chat

pytestmark = pytest.mark.browser

EDITOR = ".question-editor textarea"


def question(chat: Chat, number: int) -> Locator:
    return chat.page.locator(".message-user").nth(number)


def press(chat: Chat, act: str, message: Locator) -> None:
    message.hover()
    message.locator(f".message-actions [data-act={act}]").click()


def say(chat: Chat, text: str) -> None:
    """Ask, and wait for the whole answer."""
    count = chat.questions.count()
    chat.ask(text)
    expect(chat.questions).to_have_count(count + 1)
    expect(chat.answers).to_have_count(count + 1)
    chat.ends()


def reads(chat: Chat, *questions: str) -> None:
    expect(chat.questions).to_have_text(list(questions))


def test_a_question_is_worded_anew_and_both_versions_keep_what_follows(chat: Chat) -> None:
    say(chat, "the secret word is zebra")
    say(chat, "what is the secret word?")
    press(chat, "revise", question(chat, 0))
    field = chat.page.locator(EDITOR)
    expect(field).to_have_value("the secret word is zebra")
    expect(field).to_be_focused()

    field.fill("nothing of this is sent")
    field.press("Escape")
    reads(chat, "the secret word is zebra", "what is the secret word?")
    expect(question(chat, 0).locator("[data-act=revise]")).to_be_focused()

    press(chat, "revise", question(chat, 0))
    field.fill("the secret word is heron")
    field.press("Enter")
    reads(chat, "the secret word is heron")
    chat.ends()
    say(chat, "what is the secret word?")
    chat.says("heron")
    expect(question(chat, 0).locator(".versions-at")).to_have_text("2/2")

    question(chat, 0).locator("[data-version=previous]").click()
    reads(chat, "the secret word is zebra", "what is the secret word?")
    chat.says("zebra")
    expect(question(chat, 0).locator(".versions-at")).to_have_text("1/2")
    expect(question(chat, 0).locator("[data-version=next]")).to_be_focused()

    chat.page.keyboard.press("Enter")
    reads(chat, "the secret word is heron", "what is the secret word?")
    chat.reload()
    reads(chat, "the secret word is heron", "what is the secret word?")


def test_an_answer_is_asked_for_again_and_every_tab_shows_the_version_that_was_chosen(chat: Chat) -> None:
    say(chat, "hello")
    other = Chat.open(chat.page.context, chat.base_url, path=chat.named())
    first = chat.answers.last.get_attribute("data-turn") or ""
    press(chat, "regenerate", chat.answers.last)
    for each in (chat, other):
        expect(each.answers.last.locator(".versions-at")).to_have_text("2/2")
        each.ends()
        expect(each.questions).to_have_count(1)
        expect(each.answers).to_have_count(1)
    other.answers.last.locator("[data-version=previous]").click()
    for each in (chat, other):
        expect(each.answers.last).to_have_attribute("data-turn", first)
        expect(each.answers.last.locator(".versions-at")).to_have_text("1/2")
    say(other, "and this follows the first")
    reads(chat, "hello", "and this follows the first")


def test_up_in_an_empty_box_opens_the_last_question_and_escape_leads_back(chat: Chat) -> None:
    say(chat, "hello")
    say(chat, "the last one")
    chat.box.fill("a draft")
    chat.box.press("ArrowUp")
    expect(chat.page.locator(EDITOR)).to_have_count(0)
    chat.box.fill("")
    chat.box.press("ArrowUp")
    expect(chat.page.locator(EDITOR)).to_have_value("the last one")
    chat.page.keyboard.press("Escape")
    expect(chat.box).to_be_focused()
    reads(chat, "hello", "the last one")


def test_a_question_that_is_edited_while_its_answer_runs_stops_it(chat: Chat) -> None:
    chat.ask("count to 300 slowly")
    chat.says("3")
    press(chat, "revise", question(chat, 0))
    chat.page.locator(EDITOR).fill("hello")
    chat.page.locator(EDITOR).press("Enter")
    reads(chat, "hello")
    chat.ends()
    question(chat, 0).locator("[data-version=previous]").click()
    reads(chat, "count to 300 slowly")
    chat.ends("canceled")


def test_a_stopped_answer_goes_on_or_is_tried_again(chat: Chat) -> None:
    chat.ask("count to 40 slowly")
    chat.says("3")
    chat.page.keyboard.press("Escape")
    chat.ends("canceled")
    chat.answers.last.locator("[data-act=again]").click()
    expect(chat.answers.last.locator(".versions-at")).to_have_text("2/2")
    expect(chat.questions).to_have_count(1)
    chat.says("3")
    chat.page.keyboard.press("Escape")
    chat.ends("canceled")
    chat.answers.last.locator("[data-act=continue]").click()
    reads(chat, "count to 40 slowly", "Please go on where you stopped.")
    chat.ends()


def test_a_deletion_is_asked_about_once_and_can_be_undone(chat: Chat) -> None:
    for text in ("one", "two", "three"):
        say(chat, text)
    press(chat, "more", question(chat, 1))
    chat.page.locator("#message-menu [data-act=remove]").click()
    dialog = chat.page.locator("#delete-turn-dialog")
    expect(dialog).to_contain_text("two")
    dialog.locator("[value=cancel]").click()
    reads(chat, "one", "two", "three")

    other = Chat.open(chat.page.context, chat.base_url, path=chat.named())
    press(chat, "more", question(chat, 1))
    chat.page.locator("#message-menu [data-act=remove]").click()
    dialog.locator("[value=confirm]").click()
    for each in (chat, other):
        reads(each, "one", "three")
    chat.page.locator(".toast button").click()
    for each in (chat, other):
        reads(each, "one", "two", "three")


def test_the_context_is_cut_with_a_line_and_a_way_back(chat: Chat) -> None:
    say(chat, "the secret word is zebra")
    chat.menu("clear")
    cut = chat.page.locator(".cut:not([hidden])")
    expect(cut).to_contain_text("Earlier messages are no longer used")
    say(chat, "what is the secret word?")
    expect(chat.answer).not_to_contain_text("zebra")
    chat.reload()
    cut.locator("button").click()
    expect(cut).to_have_count(0)
    say(chat, "what is the secret word?")
    chat.says("zebra")


def test_everything_is_done_by_keyboard(chat: Chat) -> None:
    say(chat, "hello")
    more = question(chat, 0).locator("[data-act=more]")
    more.focus()
    expect(question(chat, 0).locator(".message-actions")).to_have_css("opacity", "1")
    chat.page.keyboard.press("Enter")
    menu = chat.page.locator("#message-menu")
    expect(menu.get_by_role("menuitem", name="Copy")).to_be_focused()
    assert menu.locator("[data-act]:visible").evaluate_all("all => all.map((one) => one.dataset.act)") == [
        "copy",
        "revise",
        "remove",
    ]
    chat.page.keyboard.press("ArrowDown")
    chat.page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem", name="Delete question and answer")).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(more).to_be_focused()
    for role, name in (("button", "Edit and send again"), ("button", "More actions for this message")):
        expect(question(chat, 0).get_by_role(role, name=name)).to_have_count(1)


def test_a_finger_that_rests_on_a_message_shows_what_can_be_done(site, member) -> None:
    context = member(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    chat = Chat.open(context, site.base_url)
    for text in ("one", "two"):
        say(chat, text)
    first = question(chat, 0)
    expect(first.locator(".message-actions")).to_have_css("opacity", "0")
    expect(question(chat, 1).locator(".message-actions")).to_have_css("opacity", "1")
    first.dispatch_event("pointerdown", {"pointerType": "touch", "bubbles": True})
    expect(first.locator(".message-actions")).to_have_css("opacity", "1")
    width = chat.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360


def test_without_a_script_versions_are_links(site, member) -> None:
    context = member()
    chat = Chat.open(context, site.base_url)
    say(chat, "hello")
    press(chat, "revise", question(chat, 0))
    chat.page.locator(EDITOR).fill("hello you")
    chat.page.locator(EDITOR).press("Enter")
    chat.ends()
    path = chat.named()
    plain = context.browser.new_context(java_script_enabled=False)
    plain.add_cookies(context.cookies())
    page = plain.new_page()
    page.goto(site.base_url + path)
    expect(page.locator(".message-user .bubble")).to_have_text(["hello you"])
    page.locator("[data-version=previous]").first.click()
    expect(page.locator(".message-user .bubble")).to_have_text(["hello"])
    page.goto(site.base_url + path)
    expect(page.locator(".message-user .bubble")).to_have_text(["hello you"])
    plain.close()


def test_a_link_to_a_turn_shows_the_version_it_stands_on(chat: Chat) -> None:
    say(chat, "hello")
    first = chat.answers.last.get_attribute("data-turn")
    press(chat, "regenerate", chat.answers.last)
    expect(chat.answers.last.locator(".versions-at")).to_have_text("2/2")
    chat.ends()
    path = chat.named()
    chat.page.goto(f"{chat.base_url}{path}?turn={first}")
    chat.connected()
    expect(chat.answers.last).to_have_attribute("data-turn", first or "")
    expect(chat.page).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/$"))
    chat.reload()
    expect(chat.answers.last).to_have_attribute("data-turn", first or "")


def test_what_is_typed_over_a_question_is_not_lost_when_another_version_is_shown(chat: Chat) -> None:
    say(chat, "hello")
    press(chat, "regenerate", chat.answers.last)
    expect(chat.answers.last.locator(".versions-at")).to_have_text("2/2")
    chat.ends()
    other = Chat.open(chat.page.context, chat.base_url, path=chat.named())
    press(chat, "revise", question(chat, 0))
    chat.page.locator(EDITOR).fill("half a thought")
    other.answers.last.locator("[data-version=previous]").click()
    expect(chat.box).to_have_value("half a thought")


def test_an_edit_without_a_line_waits_and_is_sent_once(chat: Chat) -> None:
    say(chat, "hello")
    say(chat, "the second")
    chat.page.context.set_offline(True)
    expect(chat.page.locator("html")).not_to_have_attribute("data-connection", "online")
    press(chat, "revise", question(chat, 1))
    chat.page.locator(EDITOR).fill("the second, otherwise")
    chat.page.locator(EDITOR).press("Enter")
    reads(chat, "hello", "the second, otherwise")
    expect(question(chat, 1)).to_have_attribute("data-status", "local")
    chat.page.context.set_offline(False)
    chat.connected()
    expect(question(chat, 1).locator(".versions-at")).to_have_text("2/2")
    chat.ends()
    reads(chat, "hello", "the second, otherwise")
