"""Steps that tests of the outbox share: the line comes and goes, and what the server has."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.chat import PATIENCE, Chat


def state_of(chat: Chat, number: int = 0) -> Any:
    return chat.page.locator(".message-user").nth(number)


def back_online(chat: Chat) -> None:
    """The line is mended; the page need not wait for its turn to try again."""
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    chat.connected()


def offline(chat: Chat) -> None:
    expect(chat.page.locator("html")).not_to_have_attribute("data-connection", "online", timeout=PATIENCE)


def conversations(chat: Chat) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chat.page.request.get(chat.base_url + "/api/conversations/").json()["items"]
    return found


def stored(chat: Chat, conversation: str) -> list[str]:
    """The questions of a conversation, as the server has them."""
    path = f"/api/conversations/{conversation}/messages"
    items = chat.page.request.get(chat.base_url + path).json()["items"]
    return [item["content"] for item in items if item["role"] == "user"]
