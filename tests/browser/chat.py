"""The chat page as a test walks through it."""

import re
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

PATIENCE = 15_000
CONVERSATION = re.compile(r"/c/[0-9a-f-]{36}/$")


class Chat:
    """One tab with the chat page open."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page, self.base_url = page, base_url

    @classmethod
    def open(cls, context: BrowserContext, base_url: str, *, path: str = "/") -> "Chat":
        """A new tab at this path, connected."""
        chat = cls(context.new_page(), base_url)
        chat.page.goto(base_url + path)
        chat.connected()
        return chat

    def connected(self) -> None:
        expect(self.page.locator("html")).to_have_attribute("data-connection", "online", timeout=PATIENCE)

    @property
    def box(self) -> Locator:
        return self.page.locator("#composer-input")

    @property
    def send(self) -> Locator:
        return self.page.locator("#send")

    @property
    def questions(self) -> Locator:
        return self.page.locator(".message-user .bubble")

    @property
    def answers(self) -> Locator:
        return self.page.locator(".message-assistant")

    @property
    def answer(self) -> Locator:
        """The last answer's text."""
        return self.answers.last.locator(".prose")

    @property
    def items(self) -> Locator:
        """The list of conversations."""
        return self.page.locator(".conversation")

    def ask(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    def says(self, text: str) -> None:
        """Wait until the last answer contains this."""
        expect(self.answer).to_contain_text(text, timeout=PATIENCE)

    def ends(self, status: str = "completed") -> None:
        """Wait until the last answer has ended so."""
        expect(self.answers.last).to_have_attribute("data-status", status, timeout=PATIENCE)

    def running(self) -> None:
        expect(self.answers.last).to_have_attribute("data-status", "in_progress", timeout=PATIENCE)

    def named(self) -> str:
        """Wait until the new chat has an address; returns its path."""
        self.page.wait_for_url(CONVERSATION)
        return self.page.url.removeprefix(self.base_url)

    def reload(self) -> None:
        self.page.reload()
        self.connected()

    def menu(self, act: str, *, item: int = 0) -> None:
        """Choose from the menu of a conversation in the list."""
        self.items.nth(item).hover()
        self.items.nth(item).locator(".conversation-more").click()
        self.page.locator(f"#conversation-menu [data-act={act}]").click()


def counted(chat: Chat) -> list[int]:
    """The numbers in the last answer, for answers that count."""
    text: Any = chat.answer.inner_text()
    return [int(number) for number in text.split()]
