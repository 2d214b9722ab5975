"""What tests of a conversation's tree do over HTTP, and what Coze has of it."""

import contextlib
import json

from conversations.models import Branch, Conversation
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import CozeApp
from cozechat.coze.errors import ConversationNotFound
from cozechat.coze.types import Caller

WORD = "what is the secret word?"


def path_of(conversation: str, *, client) -> list[dict]:
    answer = client.get(f"/api/conversations/{conversation}/messages?limit=100")
    assert answer.status_code == 200
    return answer.json()["items"]


def questions(items: list[dict]) -> list[str]:
    return [item["content"] for item in items if item["role"] == "user"]


def choose(client, conversation: str, turn: str):
    return client.patch(
        f"/api/conversations/{conversation}/", json.dumps({"turn": turn}), content_type="application/json"
    )


async def ended(asked, *, kind: str = "turn.completed"):
    assert (await asked.end())["type"] == kind
    return asked


async def say(page, content: str, **fields):
    return await ended(await page.ask(content, **fields))


def ids_at_coze() -> list[str]:
    """What the lines of all conversations have at Coze."""
    main = Conversation.objects.values_list("coze_conversation_id", flat=True)
    return sorted({*main, *Branch.objects.values_list("coze_conversation_id", flat=True)} - {""})


async def left_at_coze(user, ids: list[str]) -> list[str]:
    app = await CozeApp.objects.aget()
    issued = await coze_client(app).exchange(session_name=user.session_name, ttl=900)
    caller, left = Caller(token=issued.token, session_name=user.session_name), []
    for coze_id in ids:
        with contextlib.suppress(ConversationNotFound):
            await coze_client(app).retrieve_conversation(caller, coze_id)
            left.append(coze_id)
    return left
