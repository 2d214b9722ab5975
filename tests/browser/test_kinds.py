"""Every kind of assistant in the page: picked, given values, asked back, looked on at; by mouse and by keyboard."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.chat import PATIENCE, Chat

pytestmark = pytest.mark.browser
Members = Callable[..., BrowserContext]
LONG = 3 * PATIENCE


def pick(chat: Chat, name: str) -> None:
    card = chat.page.locator(f'a.assistant:has(.assistant-name:text-is("{name}"))')
    card.click()
    expect(card).to_have_attribute("aria-current", "true")


def field(chat: Chat, name: str, *, inside: str = "#run-form") -> Locator:
    return chat.page.locator(f"{inside} [data-name={name}]")


def run(chat: Chat) -> None:
    chat.page.locator("#run-form button[type=submit]").click()


def ends(chat: Chat, status: str = "completed") -> None:
    expect(chat.answers.last).to_have_attribute("data-status", status, timeout=LONG)


def test_picking_needs_no_reload_and_the_name_above_an_answer_is_who_gave_it(chat: Chat) -> None:
    chat.page.evaluate("window.same = true")
    pick(chat, "Order")
    expect(chat.page.locator(".greeting-lead")).to_contain_text("Asks back")
    chat.ask("espresso")
    ends(chat, "requires_action")
    expect(chat.answers.last.locator(".message-who")).to_have_text("Order")
    expect(chat.page.locator("#header-assistant")).to_contain_text("Order")
    chat.page.get_by_role("link", name="New chat").first.click()
    pick(chat, "Demo")
    chat.ask("Hello, my name is Sam")
    ends(chat)
    expect(chat.answers.last.locator(".message-who")).to_have_text("Demo")
    chat.items.nth(1).locator("a").first.click()
    expect(chat.answers.last.locator(".message-who")).to_have_text("Order")
    expect(chat.page.locator("#header-assistant")).to_contain_text("Order")
    assert chat.page.evaluate("window.same")


def test_cards_are_walked_by_keyboard(chat: Chat) -> None:
    cards = chat.page.locator("a.assistant")
    cards.first.focus()
    chat.page.keyboard.press("ArrowDown")
    expect(cards.nth(1)).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(cards.nth(1)).to_have_attribute("aria-current", "true")


def test_a_form_is_checked_run_shown_and_run_again_with_other_values(chat: Chat) -> None:
    pick(chat, "Trip planner")
    expect(chat.box).to_be_hidden()
    run(chat)
    expect(field(chat, "city")).to_have_attribute("aria-invalid", "true")
    expect(chat.page.locator("#run-form .field-error").first).to_have_text("This is needed.")
    expect(field(chat, "city")).to_be_focused()
    field(chat, "city").fill("Lisbon")
    field(chat, "interests").fill("tiles\nfood")
    field(chat, "city").press("Enter")
    ends(chat)
    expect(chat.questions.last).to_have_text(
        re.compile("City.*: Lisbon\nDays.*: 3\nInterests.*: tiles, food")
    )
    chat.says("3 days in Lisbon")
    steps = chat.answers.last.locator(".steps")
    expect(steps.locator(".steps-words")).to_have_text("3 steps")
    steps.locator("> summary").click()
    expect(steps.locator(".step").first).to_contain_text(re.compile(r"Research\s+done\s+\d.*tokens"))

    chat.page.reload()
    chat.connected()
    expect(steps.locator(".steps-words")).to_have_text("3 steps")
    chat.page.get_by_role("button", name="Run with other values").click()
    expect(field(chat, "city")).to_have_value("Lisbon")
    expect(field(chat, "interests")).to_have_value("tiles\nfood")
    field(chat, "city").fill("Atlantis")
    run(chat)
    ends(chat, "failed")
    expect(chat.answers.last.locator(".message-trouble")).to_contain_text("The step “Write the plan” failed.")
    chat.page.locator(".message-user").first.hover()
    chat.page.locator(".message-user [data-act=rerun]").first.click()
    expect(field(chat, "city")).to_have_value("Lisbon")


def test_what_the_server_does_not_take_comes_back_into_its_field(chat: Chat) -> None:
    pick(chat, "Trip planner")
    field(chat, "city").fill("x" * 2001)
    run(chat)
    expect(field(chat, "city")).to_have_attribute("aria-invalid", "true", timeout=PATIENCE)
    expect(chat.page.locator("#run-form .field-error").first).to_have_text("At most 2000 characters.")
    expect(chat.questions).to_have_count(0)


def test_a_question_is_a_form_that_survives_a_reload_and_another_device(chat: Chat, member: Members) -> None:
    pick(chat, "Order")
    chat.ask("latte")
    options = chat.page.locator(".question-options button")
    expect(options).to_have_text(["Small", "Medium", "Large"], timeout=PATIENCE)
    chat.page.reload()
    chat.connected()
    expect(options).to_have_count(3)
    other = Chat.open(chat.page.context, chat.base_url, path=chat.page.url.removeprefix(chat.base_url))
    other.page.locator(".question-options button", has_text="Medium").click()
    # The first tab sees the answer, and what is asked next.
    name = field(chat, "name", inside=".question")
    expect(name).to_be_visible(timeout=PATIENCE)
    expect(chat.page.locator('.question[data-state="answered"]')).to_have_count(1)
    expect(field(chat, "minutes", inside=".question")).to_have_value("10")
    chat.page.locator(".question button[type=submit]").click()
    expect(name).to_have_attribute("aria-invalid", "true")
    name.fill("Ada <b>L.</b>")
    field(chat, "receipt", inside=".question").check()
    name.press("Enter")
    ends(chat)
    chat.says("Ada <b>L.</b>")
    expect(chat.page.locator('.question[data-state="open"]')).to_have_count(0)
    expect(other.page.locator('.question[data-state="open"]')).to_have_count(0, timeout=PATIENCE)


def test_the_next_message_answers_too(chat: Chat) -> None:
    pick(chat, "Order")
    chat.ask("latte")
    expect(chat.page.locator(".question-options")).to_be_visible(timeout=PATIENCE)
    chat.ask("a huge one")
    expect(field(chat, "name", inside=".question")).to_be_visible(timeout=PATIENCE)


def test_a_long_run_is_seen_after_a_reload_and_stopped_and_looked_up(chat: Chat) -> None:
    pick(chat, "Report")
    field(chat, "input").fill("count to 3")
    field(chat, "seconds").fill("15")
    run(chat)
    expect(chat.answers.last.locator(".steps-words")).to_contain_text("Running", timeout=PATIENCE)
    chat.page.reload()
    chat.connected()
    expect(chat.answers.last.locator(".steps-words")).to_contain_text("Running", timeout=PATIENCE)
    chat.page.locator("#run-form").get_by_role("button", name="Stop").click()
    ends(chat, "canceled")
    expect(chat.answers.last).to_contain_text("At Coze the run may go on.")
    chat.page.get_by_role("button", name="Look it up again").click()
    expect(chat.answers).to_have_count(2)
    ends(chat)
    chat.says("Done, at last.")


def test_the_page_stays_narrow_on_a_phone(member: Members, site: object) -> None:
    phone = Chat.open(member(viewport={"width": 320, "height": 640}, has_touch=True), site.base_url)  # type: ignore[attr-defined]
    pick(phone, "Trip planner")
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 320
    field(phone, "city").fill("Oslo")
    run(phone)
    ends(phone)
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 320
