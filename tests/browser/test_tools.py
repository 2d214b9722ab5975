"""Tools in the page: a bot is picked, its tools are seen at work, unfolded, and still there after a reload."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.chat import PATIENCE, Chat

pytestmark = pytest.mark.browser

Members = Callable[..., BrowserContext]
# The tool server starts with the first question; that may take a while on a busy machine.
LONG = 4 * PATIENCE


def picture(chat: Chat, name: str) -> None:
    """For whoever wants to look: PICTURES names a folder."""
    folder = os.environ.get("PICTURES")
    if folder:
        chat.page.screenshot(path=str(Path(folder) / f"{name}.png"))


def pick_barista(chat: Chat) -> None:
    chat.page.get_by_role("link", name="Barista").click()
    chat.connected()
    expect(chat.page.get_by_role("link", name="Barista")).to_have_attribute("aria-current", "true")


def steps(chat: Chat) -> Locator:
    return chat.answers.last.locator(".steps")


def ends(chat: Chat) -> None:
    expect(chat.answers.last).to_have_attribute("data-status", "completed", timeout=LONG)


def test_a_new_chat_beside_a_baristas_asks_whom_it_shows(chat: Chat) -> None:
    pick_barista(chat)
    chat.ask("How do I make a latte?")
    ends(chat)
    chat.page.reload()
    chat.connected()

    chat.page.get_by_role("link", name="New chat").click()
    expect(chat.page.get_by_role("link", name="Demo")).to_have_attribute("aria-current", "true")
    expect(chat.page.locator("#greeting")).not_to_contain_text("latte")
    chat.ask("Hello, my name is Sam")
    ends(chat)
    chat.says("Sam")


def test_a_tool_is_seen_unfolded_and_kept(chat: Chat) -> None:
    pick_barista(chat)
    picture(chat, "greeting")
    chat.ask("How do I make a latte? <b>please</b>")
    ends(chat)
    chat.says("steamed milk")

    summary = steps(chat).locator(":scope > summary")
    expect(summary).to_contain_text("One tool used")
    expect(steps(chat).locator(".step")).not_to_be_visible()
    summary.focus()
    chat.page.keyboard.press("Enter")
    line = steps(chat).locator(".step")
    expect(line).to_contain_text("Coffee knowledge")
    expect(line.locator(".step-status")).to_have_text("done")
    line.locator("summary").click()
    expect(line.locator(".step-payload")).to_contain_text("<b>please</b>")
    expect(line.locator(".step-outcome")).to_contain_text("steamed milk")
    picture(chat, "unfolded")

    chat.named()
    chat.reload()
    expect(steps(chat).locator(":scope > summary")).to_contain_text("One tool used")
    expect(steps(chat).locator(".step-payload")).to_contain_text("<b>please</b>")
    expect(steps(chat).locator("b")).to_have_count(0)


def test_tools_that_run_count_their_seconds_and_each_says_how_it_fared(chat: Chat) -> None:
    pick_barista(chat)
    chat.ask("18 g of coffee, a slow roast and the broken grinder")
    expect(steps(chat)).to_have_attribute("data-running", "", timeout=LONG)
    expect(steps(chat).locator(":scope > summary")).to_contain_text("Slow roast")
    expect(steps(chat).locator(".steps-time")).to_have_text("2s", timeout=LONG)
    picture(chat, "running")
    ends(chat)

    steps(chat).locator(":scope > summary").click()
    statuses = steps(chat).locator(".step-status")
    expect(statuses).to_have_text(["took too long", "failed", "done"])
    picture(chat, "ended")
    chat.page.emulate_media(color_scheme="dark")
    picture(chat, "ended-dark")


def test_a_tool_that_is_stopped_says_so(chat: Chat) -> None:
    pick_barista(chat)
    chat.ask("a slow roast")
    expect(steps(chat)).to_have_attribute("data-running", "", timeout=LONG)
    chat.send.click()
    expect(chat.answers.last).to_have_attribute("data-status", "canceled", timeout=PATIENCE)
    steps(chat).locator(":scope > summary").click()
    expect(steps(chat).locator(".step-status")).to_have_text(["stopped"])


def test_whoever_picks_nobody_asks_the_first_assistant(chat: Chat) -> None:
    expect(chat.page.get_by_role("link", name="Demo", exact=True)).to_have_attribute("aria-current", "true")
    chat.ask("How do I make a latte?")
    ends(chat)
    expect(steps(chat)).to_be_hidden()
