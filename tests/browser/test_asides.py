"""What goes with an answer, as a person meets it: thoughts, questions to go on with, thumbs, diagrams, days."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat

pytestmark = pytest.mark.browser


def test_thoughts_follow_ups_and_thumbs_are_there_and_stay(chat: Chat) -> None:
    page = chat.page
    chat.ask("think aloud: show me a table")
    chat.ends()
    fold, text = page.locator(".reasoning > summary"), page.locator(".reasoning-text")
    expect(fold).to_contain_text(re.compile("Thought"))
    assert text.inner_text() == ""
    fold.click()
    expect(text).to_contain_text("a clear answer")
    expect(chat.answer).not_to_contain_text("The user wrote")

    chat.answers.last.hover()
    chat.answers.last.locator("[data-judge=unlike]").click()
    page.locator(".judging-reason", has_text="Incomplete").click()
    page.locator(".judging input[name=comment]").fill("no units")
    page.locator(".judging button[type=submit]").click()
    expect(page.locator(".judging")).to_have_count(0)

    chat.reload()
    expect(chat.answers.last.locator("[data-judge=unlike]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".reasoning-text")).to_contain_text("a clear answer")
    suggestion = page.locator(".follow-up").first
    words = suggestion.inner_text()
    suggestion.click()
    expect(chat.box).to_have_value(words)
    expect(chat.questions).to_have_count(1)
    suggestion.click()
    expect(chat.questions).to_have_count(2)
    expect(chat.questions.last).to_have_text(words)
    chat.ends()


def test_the_menu_says_what_an_answer_took(chat: Chat) -> None:
    chat.ask("hello")
    chat.ends()
    chat.answers.last.hover()
    chat.answers.last.locator("[data-act=more]").click()
    expect(chat.page.locator(".menu-facts")).to_have_text(re.compile(r"\d s · \d+ tokens"))
