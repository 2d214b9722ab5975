"""The settings in a browser: at once, in all tabs, without a flash, without scripts as well."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat

pytestmark = pytest.mark.browser

GROUND = "getComputedStyle(document.documentElement).backgroundColor"
PATH = "/accounts/settings/"


def test_a_choice_is_worn_at_once_and_in_every_tab_and_is_there_when_the_page_is_painted(site, member):
    context = member(color_scheme="light")
    chat = Chat.open(context, site.base_url)
    light = chat.page.evaluate(GROUND)
    page = context.new_page()
    page.goto(site.base_url + PATH)

    page.get_by_role("radio", name="Dark").check()
    expect(page.locator("#settings-said")).to_have_text("Saved")
    page.get_by_role("radio", name="Larger").check()

    expect(chat.page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(chat.page.locator("html")).to_have_attribute("data-text-size", "larger")
    dark = chat.page.evaluate(GROUND)
    assert dark != light
    # No script has a part in it: the first paint is right.
    plain = context.browser.new_context(java_script_enabled=True, storage_state=context.storage_state())
    plain.route("**/*.js", lambda route: route.abort())
    bare = plain.new_page()
    bare.goto(site.base_url + PATH)
    assert bare.evaluate(GROUND) == dark
    assert bare.evaluate("getComputedStyle(document.documentElement).fontSize") == "21px"
    plain.close()


def test_two_tabs_change_different_things_and_both_stay(site, member):
    context = member()
    one, other = context.new_page(), context.new_page()
    for page in (one, other):
        page.goto(site.base_url + PATH)
    one.get_by_role("radio", name="Dark").check()
    expect(one.locator("#settings-said")).to_have_text("Saved")
    other.get_by_label("A short sound").check()
    expect(other.locator("#settings-said")).to_have_text("Saved")
    expect(other.get_by_role("radio", name="Dark")).to_be_checked()

    one.reload()

    expect(one.get_by_role("radio", name="Dark")).to_be_checked()
    expect(one.get_by_label("A short sound")).to_be_checked()


def test_enter_begins_a_new_line_for_who_wants_it_so(site, member):
    context = member()
    page = context.new_page()
    page.goto(site.base_url + PATH)
    page.get_by_role("radio", name="Ctrl+Enter").check()
    expect(page.locator("#settings-said")).to_have_text("Saved")

    chat = Chat.open(context, site.base_url)
    expect(chat.box).to_have_attribute("placeholder", "Message… Ctrl+Enter to send, Enter for a new line")
    chat.box.press_sequentially("one")
    chat.box.press("Enter")
    chat.box.press_sequentially("two")
    expect(chat.box).to_have_value("one\ntwo")
    expect(chat.questions).to_have_count(0)
    chat.box.press("Control+Enter")
    expect(chat.questions).to_have_text("one\ntwo")


def test_the_menu_changes_the_theme(chat):
    chat.page.locator("#account-button").click()
    chat.page.get_by_role("button", name="Dark").click()
    expect(chat.page.locator("html")).to_have_attribute("data-theme", "dark")
    chat.reload()
    expect(chat.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_plain_form_does_without_scripts(site, member):
    page = member(java_script_enabled=False).new_page()
    page.goto(site.base_url + PATH)
    page.get_by_role("radio", name="Dark").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_text("Your settings are saved.")).to_be_visible()


def test_an_answer_that_ends_unseen_marks_the_tab(site, member):
    context = member()
    chat = Chat.open(context, site.base_url)
    # Chromium without a screen calls every page visible and focused.
    chat.page.evaluate("document.hasFocus = () => false")
    chat.ask("Hello")
    chat.ends()
    expect(chat.page).to_have_title("● Hello · CozeChat")
    assert "icon-unread" in chat.page.locator("link[rel=icon]").get_attribute("href")

    chat.page.evaluate("delete document.hasFocus; dispatchEvent(new Event('focus'))")
    expect(chat.page).to_have_title("Hello · CozeChat")
    assert "icon-unread" not in chat.page.locator("link[rel=icon]").get_attribute("href")
