"""A message that comes without a question: shown in the tabs of whoever's conversation it is, and in no others."""

import json
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import PATIENCE, Chat
from tests.browser.conftest import WEBHOOK_TOKEN, Site

pytestmark = pytest.mark.browser

_COZE_ID = """
from conversations.models import Conversation
print(Conversation.objects.get(pk="{id}").coze_conversation_id)
"""


def coze_id_of(site: Site, chat: Chat) -> str:
    code = _COZE_ID.format(id=chat.named().split("/")[2])
    return site._run("manage.py", "shell", "-v", "0", "-c", code).split()[-1]


def tell(site: Site, coze_id: str, content: str, **more: Any) -> None:
    message = {"id": uuid.uuid4().hex, "role": "assistant", "content": content} | more
    event = {"type": "conversation.message", "data": {"conversation_id": coze_id, "message": message}}
    request = urllib.request.Request(
        f"{site.base_url}/webhook/coze",
        data=json.dumps(event).encode(),
        headers={"Authorization": f"Bearer {WEBHOOK_TOKEN}"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as reply:
        assert reply.status == 202


def test_a_message_appears_in_two_tabs_of_alice_and_not_in_bob_s(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    alice = member()
    first, bob = Chat.open(alice, site.base_url), Chat.open(member(), site.base_url)
    for chat in (first, bob):
        chat.ask("count to 3")
        chat.ends()
    second = Chat.open(alice, site.base_url, path=first.named())
    tell(site, coze_id_of(site, first), "The **coffee** has arrived.")
    for chat in (first, second):
        expect(chat.answers).to_have_count(2, timeout=PATIENCE)
        expect(chat.answer.locator("strong")).to_have_text("coffee")
    # It stands behind what was there, and is still there, once, after a reload and another answer.
    first.ask("count to 4")
    expect(first.answers).to_have_count(3)
    first.ends()
    first.reload()
    expect(first.answers.nth(1)).to_contain_text("The coffee has arrived.")
    expect(first.answers).to_have_count(3)
    expect(bob.answers).to_have_count(1)
    expect(bob.page.locator("body")).not_to_contain_text("The coffee has arrived")


def test_a_message_of_a_person_and_a_long_one_are_shown_whole(site: Site, chat: Chat) -> None:
    chat.ask("count to 3")
    chat.ends()
    coze_id = coze_id_of(site, chat)
    tell(site, coze_id, "said elsewhere", role="user")
    expect(chat.questions).to_have_text(["count to 3", "said elsewhere"], timeout=PATIENCE)
    tell(site, coze_id, "word " * 18_000 + "**end**")
    expect(chat.answer.locator("strong")).to_have_text("end", timeout=PATIENCE)


def test_a_message_in_another_conversation_only_moves_it_in_the_list(site: Site, chat: Chat) -> None:
    chat.ask("count to 3")
    chat.ends()
    coze_id = coze_id_of(site, chat)
    chat.page.locator("[data-new]").first.click()
    chat.ask("count to 4")
    chat.ends()
    expect(chat.items).to_have_count(2)
    tell(site, coze_id, "not here")
    chat.items.nth(1).locator("a").click()
    chat.says("not here")
