"""Lines of docs/page-checks.md that need no room of their own."""

import re
import statistics
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.chat import PATIENCE, Chat, counted
from tests.browser.conftest import Site
from tests.browser.lines import Line
from tests.browser.watching import first, noted, watch

pytestmark = pytest.mark.browser
Members = Callable[..., BrowserContext]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def test_the_box_has_the_focus_with_a_mouse_and_not_on_a_touch_screen(site: Site, member: Members) -> None:
    expect(Chat.open(member(), site.base_url).box).to_be_focused()
    touched = Chat.open(member(**PHONE), site.base_url)
    expect(touched.box).to_be_visible()
    expect(touched.box).not_to_be_focused()


def test_code_that_is_still_written_is_code_already_and_no_mark_shows(chat: Chat) -> None:
    watch(chat.page, "#thread .message-assistant:last-child .prose")
    chat.ask("show me a table, some code and some math")
    chat.ends()
    seen = noted(chat.page)
    growing = [state for state in seen if 'class="live" dir="auto"><figure class="code' in state["html"]]
    assert len(growing) > 3, "code came too quickly to be seen growing"
    assert any("<figcaption>python</figcaption>" in state["html"] for state in growing)
    marks = re.compile(r"```|\*\*|\$\$|\|\s*-{2,}")
    assert [state["shown"] for state in seen if marks.search(state["shown"])] == []


def test_stop_after_a_reload_and_from_another_device(site: Site, member: Members) -> None:
    context, device = member(), member()
    device.clear_cookies()
    device.add_cookies([cookie for cookie in context.cookies() if cookie["name"] == "sessionid"])  # type: ignore[misc]
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 2000")
    chat.says("5")
    chat.reload()
    chat.running()
    chat.send.click()
    chat.ends("canceled")
    # Elsewhere: at Coze a flow that was stopped here goes on, and its conversation is busy meanwhile.
    chat.page.locator("[data-new]").first.click()
    chat.ask("count to 2000")
    expect(chat.answers).to_have_count(1)
    chat.says("5")
    phone = Chat.open(device, site.base_url, path=chat.named())
    phone.running()
    phone.send.click()
    chat.ends("canceled")
    phone.ends("canceled")
    assert counted(chat) == counted(phone)


def test_another_tab_follows_within_half_a_second(site: Site, member: Members) -> None:
    context = member()
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 3")
    chat.ends()
    other = Chat.open(context, site.base_url, path=chat.named())
    for tab in (chat, other):
        watch(tab.page, "#thread .message-assistant:last-child .prose")
        watch(other.page, "#title", name="titles")
    chat.ask("count to 150")
    expect(chat.answers).to_have_count(2)
    chat.ends()
    other.ends()
    here, there = noted(chat.page), noted(other.page)
    late = [abs(first(there, f" {n} ") - first(here, f" {n} ")) for n in range(10, 150, 10)]
    assert statistics.median(late) < 500
    took = []
    for title in ("one title", "another title", "a third title"):
        chat.menu("rename")
        chat.page.keyboard.type(title)
        began = chat.page.evaluate("Date.now()")
        chat.page.keyboard.press("Enter")
        expect(other.page.locator("#title")).to_have_text(title)
        took.append(first(noted(other.page, name="titles"), title) - began)
    assert statistics.median(took) < 500


def test_an_answer_is_copied_as_it_was_written(site: Site, member: Members) -> None:
    chat = Chat.open(member(permissions=["clipboard-read", "clipboard-write"]), site.base_url)
    chat.ask("show me a table, some code and some math")
    chat.ends()
    chat.answers.last.hover()
    chat.answers.last.locator("[data-copy]").click()
    expect(chat.answers.last.locator("[data-copy]")).to_contain_text("Copied")
    stored = chat.page.request.get(f"{site.base_url}/api/conversations/{chat.named()[3:-1]}/messages").json()
    written = stored["items"][-1]["content"]
    assert "```python" in written
    assert chat.page.evaluate("navigator.clipboard.readText()") == written
    expect(chat.answers.last.locator("[data-copy]")).not_to_contain_text("Copied", timeout=4_000)


def test_a_new_chat_is_nothing_on_the_server_and_is_named_by_its_question(
    site: Site, member: Members
) -> None:
    chat = Chat.open(member(), site.base_url)

    def listed() -> int:
        return len(chat.page.request.get(f"{site.base_url}/api/conversations/").json()["items"])

    chat.box.fill("not sent yet")
    chat.page.locator("[data-new]").first.click()
    chat.reload()
    assert listed() == 0
    chat.ask("count to 12 for the title")
    chat.ends()
    expect(chat.items.first.locator("a").first).to_contain_text("count to 12", timeout=5_000)
    assert listed() == 1
    chat.menu("rename")
    chat.page.keyboard.type("Mine")
    chat.page.keyboard.press("Enter")
    expect(chat.page.locator("#title")).to_have_text("Mine")
    chat.ask("count to 4")
    expect(chat.answers).to_have_count(2)
    chat.ends()
    chat.reload()
    expect(chat.items.first.locator("a").first).to_contain_text("Mine")


def test_a_short_break_is_not_mentioned_and_a_long_one_once(site: Site, member: Members) -> None:
    context = member()
    # The first new attempt comes when it comes soonest, so that the break is short.
    context.add_init_script("Math.random = () => 0;")
    page = context.new_page()
    line = Line(page)
    page.goto(site.base_url)
    chat = Chat(page, site.base_url)
    chat.connected()
    watch(page, "#banner")
    line.cut()
    expect(page.locator("html")).not_to_have_attribute("data-connection", "online")
    line.mend()
    chat.connected()
    assert [state["shown"] for state in noted(page)] == [""]
    page.evaluate("Math.random = () => 0.999")
    line.cut()
    retry = page.locator("#banner button")
    expect(retry).to_have_text("Retry now", timeout=PATIENCE)
    expect(page.locator("#banner")).to_contain_text(re.compile(r"\(\d+s\)"))
    expect(page.locator(".toast")).to_have_count(0)
    line.mend()
    page.locator("#banner").get_by_role("button", name="Retry now").click()
    chat.connected()
    expect(page.locator("#banner")).to_be_hidden(timeout=PATIENCE)


def test_after_signing_out_the_back_button_shows_nothing(site: Site, chat: Chat) -> None:
    chat.ask("count to 3")
    chat.ends()
    chat.page.locator("#account-button").click()
    chat.page.locator("[data-logout] button").click()
    chat.page.wait_for_url("**/accounts/login/**")
    chat.page.go_back()
    expect(chat.page.locator("[name=login]")).to_be_visible()
    expect(chat.page.locator(".message, .conversation")).to_have_count(0)


def test_a_conversation_is_shared_read_by_anybody_and_taken_back(
    site: Site, chat: Chat, browser_of: Members
) -> None:
    chat.ask("count to 3")
    chat.ends()
    chat.named()
    chat.menu("share")
    expect(chat.page.locator(".share-yes").first).to_contain_text("2 messages")
    chat.page.get_by_role("button", name="Make a link").click()
    link = chat.page.locator(".share-address").input_value()
    chat.page.go_back()
    chat.page.go_back()
    chat.connected()
    chat.ask("count to 7")
    chat.ends()
    reader = browser_of().new_page()
    reader.goto(link)
    expect(reader.locator(".message-user .bubble")).to_have_text("count to 3")
    expect(reader.locator(".message-assistant .prose")).to_have_text("1 2 3")
    expect(reader.locator("textarea")).to_have_count(0)
    chat.page.goto(site.base_url + "/accounts/shares/")
    chat.page.get_by_role("button", name="Revoke").click()
    gone = reader.reload()
    assert gone is not None
    assert gone.status == 404


def test_started_and_finished_and_stopped_are_said_and_no_word_between(chat: Chat) -> None:
    watch(chat.page, "#announcer")
    chat.ask("count to 60")
    chat.ends()
    said = [state["shown"].strip() for state in noted(chat.page) if state["shown"].strip()]
    assert said == ["The assistant is answering.", "The answer is complete."]
    chat.ask("count to 2000")
    expect(chat.answers).to_have_count(2)
    chat.says("5")
    chat.send.click()
    expect(chat.page.locator("#announcer")).to_contain_text("Stopped.")
    live = chat.page.locator(
        "[aria-live]:not([aria-live=off]) .prose, [role=log] .prose, [role=status] .prose"
    )
    expect(live).to_have_count(0)


def test_without_a_script_one_signs_in_sees_the_list_and_reads(
    site: Site, member: Members, chromium: Browser
) -> None:
    person = next(site.members)
    context = member()
    context.clear_cookies()
    context.add_cookies([{"name": "sessionid", "value": person["session"], "url": site.base_url}])
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 3")
    chat.ends()
    bare = chromium.new_context(java_script_enabled=False, locale="en-US")
    page = bare.new_page()
    page.goto(site.base_url)
    page.fill("[name=login]", person["name"])
    page.fill("[name=password]", "words-of-a-member")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(site.base_url + "/")
    page.locator(".conversation a").first.click()
    expect(page.locator(".message-user .bubble")).to_have_text("count to 3")
    expect(page.locator(".message-assistant .prose")).to_have_text("1 2 3")
    bare.close()


def test_an_answer_that_was_given_before_says_so(site: Site, member: Members) -> None:
    page = member().new_page()
    line = Line(page)
    line.to_page = lambda frame: frame | {"cached": True} if frame["type"] == "turn.completed" else frame
    page.goto(site.base_url)
    chat = Chat(page, site.base_url)
    chat.connected()
    chat.ask("count to 3")
    chat.ends()
    expect(chat.answers.last.locator(".message-note")).to_contain_text("the answer you got a moment ago")
