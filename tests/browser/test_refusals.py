"""What the server refuses keeps its text, says why, and offers what helps."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import PATIENCE, Chat, counted
from tests.browser.conftest import Site
from tests.browser.lines import Frame, Line
from tests.browser.outbox_steps import back_online, conversations, offline, state_of

pytestmark = pytest.mark.browser

Members = Callable[..., BrowserContext]


def test_a_question_refused_for_now_is_sent_again_by_itself(site: Site, member: Members) -> None:
    context = member()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    refusals = iter(["rate_limited", "busy"])

    def refuse_twice(frame: Frame) -> Frame | None:
        code = next(refusals, None) if frame["type"] == "turn.start" else None
        if code is None:
            return frame
        words = {"code": code, "message": "Not now.", "retry_after": 1}
        line.reply({"type": "error", "client_id": frame["client_id"], **words})
        return None

    line.to_server = refuse_twice
    chat.ask("count to 3")
    chat.ask("count to 4")
    expect(state_of(chat)).to_have_attribute("data-status", "retrying")
    expect(state_of(chat)).to_contain_text("Not now. It is sent again in 1s.")
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 3", "count to 4"])
    assert line.started() == ["count to 3", "count to 3", "count to 3", "count to 4"]


# A page from before the limit was lowered: it lets through what the server refuses.
HIGHER_LIMIT = """
document.addEventListener("readystatechange", () => {
  const config = document.getElementById("page-config");
  config.textContent = config.textContent.replace('"content_limit": ', '"content_limit": 9');
}, { once: true });
"""


def test_a_question_that_is_too_long_keeps_its_text_and_can_be_edited(site: Site, member: Members) -> None:
    context = member()
    context.add_init_script(HIGHER_LIMIT)
    chat = Chat.open(context, site.base_url)
    chat.ask("word " * 30_000)
    expect(state_of(chat)).to_have_attribute("data-status", "failed", timeout=PATIENCE)
    expect(state_of(chat)).to_contain_text("This message is too long")
    expect(chat.page.locator("#announcer")).to_contain_text("This message is too long")
    expect(state_of(chat).locator("[data-act=resend]")).to_have_count(0)
    chat.reload()
    expect(state_of(chat)).to_have_attribute("data-status", "failed")
    chat.ask("count to 3")
    chat.ends()
    state_of(chat).locator("[data-act=edit]").click()
    expect(chat.questions).to_have_text(["count to 3"])
    assert chat.box.input_value().startswith("word word")


def test_a_question_to_a_conversation_that_was_deleted_can_be_asked_anew(site: Site, member: Members) -> None:
    context = member()
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 3")
    chat.ends()
    away = Chat(context.new_page(), site.base_url)
    line = Line(away.page)
    away.page.goto(site.base_url + chat.named())
    away.connected()
    line.cut()
    offline(away)
    away.ask("count to 5")
    chat.page.close()
    identity = conversations(away)[0]["id"]
    token = away.page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    headers = {"X-CSRFToken": token, "Origin": site.base_url, "Referer": site.base_url + "/"}
    gone = away.page.request.delete(f"{site.base_url}/api/conversations/{identity}/", headers=headers)
    assert gone.ok
    line.mend()
    back_online(away)
    away.page.wait_for_url(site.base_url + "/")
    expect(away.questions).to_have_text(["count to 5"])
    expect(state_of(away)).to_have_attribute("data-status", "failed")
    state_of(away).locator("button.button-small").first.click()
    away.ends()
    assert counted(away) == [1, 2, 3, 4, 5]
