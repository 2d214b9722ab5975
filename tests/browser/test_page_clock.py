"""Lines of docs/page-checks.md that name a time or a place: what the page shows before any answer of the network."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import PATIENCE, Chat
from tests.browser.conftest import Site
from tests.browser.lines import Frame, Line
from tests.browser.watching import noted, watch

pytestmark = pytest.mark.browser
Members = Callable[..., BrowserContext]
# Each name's conversations were asked so many days ago.
AGED = """
from datetime import timedelta
from django.utils import timezone
from conversations.models import Conversation
for days, title in enumerate(("one", "two", "three", "four")):
    Conversation.objects.filter(owner__username={name!r}, title__contains=title).update(
        asked_at=timezone.now() - timedelta(days=(0, 1, 20, 90)[days]))
"""


def silent(site: Site, context: BrowserContext, *kinds: str) -> Chat:
    """A page that hears none of these frames."""
    page = context.new_page()
    line = Line(page)

    def heard(frame: Frame) -> Frame | None:
        return None if frame["type"] in kinds else frame

    line.to_page = heard
    page.goto(site.base_url)
    chat = Chat(page, site.base_url)
    chat.connected()
    return chat


def test_the_own_bubble_needs_no_network(site: Site, member: Members) -> None:
    chat = silent(site, member(), "turn.accepted", "turn.started", "turn.delta")
    took = []
    for number in (1, 2, 3):
        chat.box.fill(f"question {number}")
        watch(chat.page, "#thread li:last-of-type .bubble", name=f"bubble{number}")
        chat.page.evaluate(
            "document.addEventListener('keydown', () => (window.pressed = Date.now()), {capture: true, once: true})"
        )
        chat.box.press("Enter")
        expect(chat.questions.last).to_have_text(f"question {number}")
        seen = noted(chat.page, name=f"bubble{number}")
        shown = next(state["at"] for state in seen if f"question {number}" in state["shown"])
        took.append(shown - chat.page.evaluate("window.pressed"))
    assert min(took) < 100


def test_who_waits_sees_the_seconds_and_a_stop_needs_no_answer(site: Site, member: Members) -> None:
    chat = silent(site, member(), "turn.delta", "turn.html", "turn.canceled", "turn.completed", "turn.sync")
    chat.ask("count to 2000")
    waiting = chat.page.locator(".waiting")
    expect(waiting).to_contain_text("Thinking")
    expect(waiting).to_contain_text("Still working, 4s", timeout=PATIENCE)
    watch(chat.page, "#send-label", name="label")
    chat.page.evaluate(
        "document.addEventListener('click', () => (window.clicked = Date.now()), {capture: true, once: true})"
    )
    chat.send.click()
    expect(chat.send).to_have_attribute("data-mode", "send")
    freed = noted(chat.page, name="label")[-1]
    assert freed["shown"] == "Send"
    assert freed["at"] - chat.page.evaluate("window.clicked") < 300


def test_a_stop_before_the_first_word_leaves_no_dots(site: Site, member: Members) -> None:
    chat = silent(site, member(), "turn.delta", "turn.html")
    chat.ask("count to 2000")
    expect(chat.page.locator(".waiting")).to_be_visible()
    chat.send.click()
    chat.ends("canceled")
    expect(chat.page.locator(".waiting")).to_have_count(0)


def test_the_box_grows_to_a_part_of_the_window_and_wraps_long_words(chat: Chat) -> None:
    def box(what: str) -> int:
        return int(chat.box.evaluate(f"box => box.{what}"))

    low = box("clientHeight")
    chat.box.fill("https://example.com/" + "very" * 200)
    assert box("scrollWidth") <= box("clientWidth")
    chat.box.fill("one\ntwo\nthree\nfour")
    assert box("clientHeight") > low
    chat.box.fill("line\n" * 200)
    assert box("scrollHeight") > box("clientHeight")
    assert box("clientHeight") <= 0.45 * chat.page.evaluate("innerHeight")


def test_a_chat_opens_at_its_end_before_any_script_and_nothing_jumps(site: Site, member: Members) -> None:
    context = member()
    chat = Chat.open(context, site.base_url)
    chat.ask("write a long text")
    chat.says("3. The first word")
    chat.send.click()
    chat.ends("canceled")
    path = chat.named()
    bare = context.new_page()
    bare.route("**/*.js", lambda route: route.abort())
    bare.goto(site.base_url + path)
    last = bare.locator(".message-assistant").last
    end = last.evaluate("item => item.getBoundingClientRect().bottom")
    assert 0 < end <= bare.evaluate("innerHeight")
    page = context.new_page()
    page.add_init_script(
        "window.jumps = []; new PerformanceObserver(list => list.getEntries().forEach(e => jumps.push(e.value)))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    page.goto(site.base_url + path)
    Chat(page, site.base_url).connected()
    page.wait_for_timeout(500)
    assert sum(page.evaluate("jumps")) < 0.05


def test_the_list_has_headings_by_day(site: Site, member: Members) -> None:
    person = next(site.members)
    context = member()
    context.clear_cookies()
    context.add_cookies([{"name": "sessionid", "value": person["session"], "url": site.base_url}])
    chat = Chat.open(context, site.base_url)
    for title in ("one", "two", "three", "four"):
        chat.ask(f"{title}: count to 2")
        chat.named()
        chat.ends()
        chat.page.locator("[data-new]").first.click()
        expect(chat.page.locator("#greeting")).to_be_visible()
    site._run("manage.py", "shell", "-c", AGED.format(name=person["name"]))
    chat.reload()
    expect(chat.page.locator(".conversations-group")).to_have_text(
        ["Today", "Yesterday", "Previous 30 days", "Older"]
    )


def test_with_less_motion_nothing_moves(site: Site, member: Members) -> None:
    chat = silent(site, member(reduced_motion="reduce"), "turn.delta", "turn.html")
    chat.ask("count to 2000")
    expect(chat.page.locator(".waiting")).to_be_visible()
    moving = chat.page.evaluate(
        "document.getAnimations().filter(each => each.playState === 'running').map(each => each.animationName)"
    )
    assert moving == []
    assert (
        chat.page.locator("#thread-scroll").evaluate("box => getComputedStyle(box).scrollBehavior") == "auto"
    )
