"""Every page and state that a person can see, in one walk: for pictures, for axe, and for words in the wrong language."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.chat import Chat
from tests.browser.conftest import Site

Act = Callable[[Page], Any]
# What is said before the walk, so that there is something to see.
SAID = ("Show me a table and some code", "Hello, my name is Sam and I am 25", "What can you do?")


@dataclass(frozen=True)
class Stop:
    """One page, and what is done on it before it is looked at; `who` looks at it."""

    name: str
    path: str
    who: str = "member"
    act: Act = lambda page: None


def _press(selector: str) -> Act:
    return lambda page: page.locator(selector).first.click()


def _offline(page: Page) -> None:
    page.context.set_offline(True)
    page.locator("#banner:not([hidden])").wait_for(timeout=15_000)


def _running(page: Page) -> None:
    page.locator("#composer-input").fill("count to 60")
    page.keyboard.press("Enter")
    page.locator(".message-assistant[data-status=in_progress]").wait_for(timeout=15_000)


def _sidebar(page: Page) -> None:
    opener = page.locator("#sidebar-open")
    if opener.is_visible():
        opener.click()


def _wrong_password(page: Page) -> None:
    page.fill("[name=login]", "nobody")
    page.fill("[name=password]", "not the password")
    page.locator("main form button[type=submit]").first.click()


STOPS = (
    Stop("log-in", "/accounts/login/", "nobody"),
    Stop("log-in-refused", "/accounts/login/", "nobody", _wrong_password),
    Stop("sign-up", "/accounts/signup/", "nobody"),
    Stop("password-reset", "/accounts/password/reset/", "nobody"),
    Stop("error-404", "/no-such-page", "nobody"),
    Stop("visitor", "/visit/", "nobody"),
    Stop("widget", "/widget/", "nobody"),
    Stop("shared", "{shared}", "nobody"),
    Stop("new-chat", "/"),
    Stop("chat", "{chat}"),
    Stop("chat-sidebar", "{chat}", act=_sidebar),
    Stop("chat-menu", "{chat}", act=_press("#conversation-more")),
    Stop(
        "chat-account-menu", "/", act=lambda page: (_sidebar(page), page.locator("#account-button").click())
    ),
    Stop("chat-search", "/", act=lambda page: page.keyboard.press("Control+k")),
    Stop("chat-shortcuts", "/", act=lambda page: page.keyboard.press("Control+/")),
    Stop("chat-offline", "{chat}", act=_offline),
    Stop("chat-running", "/", act=_running),
    Stop("share", "{chat}share/"),
    Stop("settings", "/accounts/settings/"),
    Stop("profile", "/accounts/profile/"),
    Stop("keys", "/accounts/keys/"),
    Stop("key-new", "/accounts/keys/new/"),
    Stop("usage", "/accounts/usage/"),
    Stop("balance", "/accounts/balance/"),
    Stop("shares", "/accounts/shares/"),
    Stop("email", "/accounts/email/"),
    Stop("password", "/accounts/password/change/"),
    Stop("two-steps", "/accounts/2fa/"),
    Stop("privacy", "/accounts/privacy/"),
    Stop("privacy-delete", "/accounts/privacy/delete/"),
    Stop("log-out", "/accounts/logout/"),
    Stop("empty-chat", "/", "newcomer"),
    Stop("empty-usage", "/accounts/usage/", "newcomer"),
    Stop("monitoring", "/monitoring/", "staff"),
    Stop("admin", "/admin/", "staff"),
    Stop("admin-users", "/admin/accounts/user/", "staff"),
    Stop("admin-app", "/admin/catalog/cozeapp/1/change/", "staff"),
    Stop("admin-assistants", "/admin/catalog/assistant/", "staff"),
)


class Walker:
    """The people of a site, and the pages as they see them."""

    def __init__(self, site: Site, browser: Browser) -> None:
        self.site, self.browser = site, browser
        made = site._run("-m", "tests.browser.inhabitants")
        self.sessions: dict[str, str] = json.loads(made)
        self.paths = self._say_something()

    def _say_something(self) -> dict[str, str]:
        with self.as_somebody("member") as context:
            chat = Chat.open(context, self.site.base_url)
            for text in SAID:
                chat.ask(text)
                chat.ends()
            path = chat.named()
            chat.page.goto(self.site.base_url + path + "share/")
            chat.page.locator("main form button[type=submit]").last.click()
            found = re.search(r"/s/[\w-]+/", chat.page.content())
            return {"chat": path, "shared": found.group() if found else "/s/unknown/"}

    @contextmanager
    def as_somebody(self, who: str, **options: Any) -> Iterator[BrowserContext]:
        """A browser of this person's."""
        context = self.browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1440, "height": 900}, **options}
        )
        if who in self.sessions:
            context.add_cookies(
                [{"name": "sessionid", "value": self.sessions[who], "url": self.site.base_url}]
            )
        try:
            yield context
        finally:
            context.close()

    def walk(self, *, only: str = "", **options: Any) -> Iterator[tuple[Stop, Page]]:
        """Each stop with its page, ready to be looked at."""
        for who in dict.fromkeys(stop.who for stop in STOPS):
            stops = [stop for stop in STOPS if stop.who == who and only in stop.name]
            if not stops:
                continue
            with self.as_somebody(who, **options) as context:
                for stop in stops:
                    yield stop, self._go(context, stop)

    def _go(self, context: BrowserContext, stop: Stop) -> Page:
        for old in context.pages:
            old.close()
        context.set_offline(False)
        page = context.new_page()
        page.goto(self.site.base_url + stop.path.format(**self.paths))
        if page.locator("#page-config").count():
            page.locator("html[data-connection=online]").wait_for(timeout=15_000)
        stop.act(page)
        page.wait_for_timeout(300)
        return page
