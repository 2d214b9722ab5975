"""Keys that do something, wherever the focus is; their list; and keys that are somebody else's."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat

pytestmark = pytest.mark.browser


def test_the_keyboard_does_what_the_list_says(chat):
    page = chat.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat.ask("Show me a table and some code")
    chat.ends()
    page.keyboard.press("Control+Shift+;")
    page.wait_for_function("navigator.clipboard.readText().then((text) => text && !text.includes('```'))")
    page.keyboard.press("Control+Shift+C")
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.includes('```'))")

    page.locator(".conversation-link").first.focus()
    page.keyboard.press("Shift+Escape")
    expect(chat.box).to_be_focused()
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#sidebar")).to_be_hidden()
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#sidebar")).to_be_visible()

    page.keyboard.press("Control+k")
    expect(page.locator("#search-dialog")).to_be_visible()
    # What lies on top has the keys.
    page.keyboard.press("Control+Shift+O")
    page.keyboard.press("Escape")
    expect(page.locator("#search-dialog")).to_be_hidden()
    expect(chat.questions).to_have_count(1)
    page.keyboard.press("Control+Shift+Backspace")
    expect(chat.questions).to_have_count(0)
    expect(page.locator(".conversation-link")).to_have_count(0)


def test_keys_can_be_changed_and_one_switch_takes_all_away(chat):
    page = chat.page
    page.keyboard.press("Control+/")
    row = page.locator("[data-shortcut=new_chat]")
    expect(row.locator("kbd")).to_have_text(["Ctrl / ⌘", "Shift", "O"])
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts-dialog")).to_be_hidden()

    settings = page.context.new_page()
    settings.goto(chat.base_url + "/accounts/settings/shortcuts/")
    settings.get_by_label("New chat").fill("Alt+N")
    settings.get_by_label("New chat").press("Enter")
    expect(settings.get_by_label("New chat")).to_have_value("Alt+N")
    chat.ask("Hello")
    chat.ends()
    chat.reload()
    page.keyboard.press("Alt+N")
    expect(chat.questions).to_have_count(0)

    settings.goto(chat.base_url + "/accounts/settings/")
    settings.get_by_label("Keyboard shortcuts").uncheck()
    expect(settings.locator("#settings-said")).to_have_text("Saved")
    expect(page.locator("html")).to_have_attribute("data-use-shortcuts", "off")
    page.bring_to_front()
    page.keyboard.press("Control+/")
    expect(page.locator("#shortcuts-dialog")).to_be_hidden()


def test_in_the_middle_of_a_composition_keys_are_the_input_methods(site, member):
    chat = Chat.open(member(), site.base_url)
    chat.page.evaluate(
        """document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
           {key: "/", code: "Slash", ctrlKey: true, isComposing: true, bubbles: true}))"""
    )
    expect(chat.page.locator("#shortcuts-dialog")).to_be_hidden()
