"""What was typed is there again: after a reload, a crash, another tab's question."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.chat import PATIENCE, Chat, counted
from tests.browser.conftest import CHROMIUM, FLAGS, Site
from tests.browser.lines import Line

pytestmark = pytest.mark.browser

Members = Callable[..., BrowserContext]


class Mortal:
    """A browser with a profile on disk, in a process group of its own that a test may kill."""

    def __init__(self, site: Site, driver: Browser, home: Path) -> None:
        self.site, self.driver, self.home = site, driver, home
        self.session = next(site.members)["session"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> BrowserContext:
        port = self.home / "DevToolsActivePort"
        port.unlink(missing_ok=True)
        options = ["--headless=new", f"--user-data-dir={self.home}", "--remote-debugging-port=0"]
        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, *options, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 30
        while not port.exists() or not port.read_text().strip():
            assert time.monotonic() < until, "the browser did not start"
            time.sleep(0.1)
        address = f"http://127.0.0.1:{port.read_text().split()[0]}"
        self._browser = self.driver.browser_type.connect_over_cdp(address)
        context = self._browser.contexts[0]
        # A log-in that lasts, as "remember me" makes one.
        cookie = {"name": "sessionid", "value": self.session, "url": self.site.base_url}
        context.add_cookies([{**cookie, "expires": int(time.time()) + 3600}])  # type: ignore[typeddict-item]
        return context

    def kill(self) -> None:
        """As the system does when memory is short: nothing of the browser gets to say a word."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None
        self._browser.close()


@pytest.fixture
def mortal(site: Site, chromium: Browser, tmp_path: Path) -> Iterator[Mortal]:
    browser = Mortal(site, chromium, tmp_path / "profile")
    browser.home.mkdir()
    yield browser
    browser.kill()


def test_drafts_and_waiting_questions_survive_the_death_of_the_browser(site: Site, mortal: Mortal) -> None:
    context = mortal.start()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    line.cut()
    expect(chat.page.locator("html")).not_to_have_attribute("data-connection", "online", timeout=PATIENCE)
    chat.ask("count to 4")
    chat.ask("count to 5")
    chat.box.press_sequentially("a thought, not")
    chat.page.wait_for_timeout(500)
    mortal.kill()

    context = mortal.start()
    line = Line(context, cut=True)
    chat = Chat(context.new_page(), site.base_url)
    chat.page.goto(site.base_url)
    expect(chat.questions).to_have_text(["count to 4", "count to 5"])
    expect(chat.box).to_have_value("a thought, not")
    mortal.kill()

    context = mortal.start()
    line = Line(context)
    chat = Chat.open(context, site.base_url)
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 4", "count to 5"])
    assert counted(chat) == [1, 2, 3, 4, 5]
    assert line.started() == ["count to 4", "count to 5"]
    expect(chat.box).to_have_value("a thought, not")
    found = chat.page.request.get(site.base_url + "/api/conversations/").json()["items"]
    assert len(found) == 1


def test_a_draft_survives_a_reload_in_the_same_breath(chat: Chat) -> None:
    chat.box.press_sequentially("words that were never saved by a timer")
    chat.reload()
    expect(chat.box).to_have_value("words that were never saved by a timer")


def test_a_draft_survives_a_reload_that_is_quicker_than_the_store(chat: Chat) -> None:
    chat.box.press_sequentially("words that never reached the store")
    chat.page.evaluate("() => { IDBObjectStore.prototype.put = function () { return this.get('-'); }; }")
    chat.reload()
    expect(chat.box).to_have_value("words that never reached the store")
    chat.box.fill("")
    chat.page.wait_for_timeout(400)
    chat.reload()
    expect(chat.box).to_have_value("")


def test_each_conversation_has_its_draft(chat: Chat) -> None:
    chat.ask("count to 3")
    chat.ends()
    chat.box.fill("for the first")
    chat.page.locator("[data-new]").first.click()
    expect(chat.box).to_have_value("")
    chat.box.fill("for a new one")
    chat.items.first.locator("a").click()
    expect(chat.box).to_have_value("for the first")
    chat.reload()
    expect(chat.box).to_have_value("for the first")
    chat.page.goto(chat.base_url)
    expect(chat.box).to_have_value("for a new one")


def test_what_was_sent_does_not_come_back_as_a_draft(site: Site, member: Members) -> None:
    context = member()
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 3")
    chat.ends()
    chat.box.press_sequentially("count to 4")
    chat.page.wait_for_timeout(400)
    chat.box.press_sequentially("5")
    chat.box.press("Enter")
    chat.reload()
    expect(chat.questions).to_have_count(2)
    chat.page.wait_for_timeout(300)
    expect(chat.box).to_have_value("")


def test_a_draft_survives_another_tabs_question(site: Site, member: Members) -> None:
    context = member()
    first = Chat.open(context, site.base_url)
    first.ask("count to 3")
    first.ends()
    second = Chat.open(context, site.base_url, path=first.named())
    first.box.press_sequentially("a long thought")
    first.page.wait_for_timeout(400)
    second.ask("count to 4")
    expect(second.answers).to_have_count(2)
    second.ends()
    expect(first.box).to_have_value("a long thought")
    first.page.wait_for_timeout(400)
    first.reload()
    expect(first.box).to_have_value("a long thought")


def test_a_draft_that_was_sent_is_gone_in_every_tab(site: Site, member: Members) -> None:
    context = member()
    first = Chat.open(context, site.base_url)
    first.ask("count to 3")
    first.ends()
    first.box.press_sequentially("count to 4")
    first.page.wait_for_timeout(400)
    second = Chat.open(context, site.base_url, path=first.named())
    expect(second.box).to_have_value("count to 4")
    second.page.locator("#title").click()
    first.box.press("Enter")
    expect(second.questions).to_have_count(2)
    expect(second.box).to_have_value("")
    second.reload()
    expect(second.box).to_have_value("")
