"""Who asks too fast sees when to go on, and loses nothing: the countdown, the kept text, the queue, the day."""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import PATIENCE, Chat
from tests.browser.conftest import Site
from tests.browser.lines import Line
from tests.browser.outbox_steps import state_of

pytestmark = pytest.mark.browser

_ALLOW = """
from accounts.models import User
User.objects.filter(username={name!r}).update(turns_per_day={per_day!r}, turns_per_minute={per_minute!r})
"""


@pytest.fixture(scope="module")
def strict_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on which two questions may go out at once, and then one every six seconds."""
    home = tmp_path_factory.mktemp("strict")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    environment |= {
        "VAR_DIR": str(home),
        "DATABASE_URL": f"sqlite:///{home / 'db.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "cozechat.settings",
        "COZE_EMULATOR_PORT": "0",
        "TURNS_PER_MINUTE": "10",
        "TURNS_BURST": "2",
    }
    running = Site(environment)
    yield running
    running.stop()


Somebody = Callable[..., tuple[BrowserContext, str]]


@pytest.fixture
def somebody(strict_site: Site, browser_of: Callable[..., BrowserContext]) -> Somebody:
    """The browser of a member, perhaps with a limit of their own, and the member's name."""

    def make(
        *, per_day: int | None = None, per_minute: int | None = None, **options: object
    ) -> tuple[BrowserContext, str]:
        someone = next(strict_site.members)
        if (per_day, per_minute) != (None, None):
            allow(strict_site, someone["name"], per_day=per_day, per_minute=per_minute)
        context = browser_of(**options)
        context.add_cookies([{"name": "sessionid", "value": someone["session"], "url": strict_site.base_url}])
        return context, someone["name"]

    return make


def allow(site: Site, name: str, *, per_day: int | None, per_minute: int | None) -> None:
    site._run("manage.py", "shell", "-c", _ALLOW.format(name=name, per_day=per_day, per_minute=per_minute))


def hurry(chat: Chat) -> None:
    """Three questions as fast as they can be said: one more than may go."""
    for number in (1, 2, 3):
        chat.ask(f"count to {number}")
    expect(chat.send).to_have_attribute("data-mode", "wait", timeout=PATIENCE)


def test_the_button_counts_down_keeps_what_is_typed_and_frees_itself(
    strict_site: Site, somebody: Somebody
) -> None:
    chat = Chat.open(somebody()[0], strict_site.base_url)
    hurry(chat)
    expect(chat.send).to_be_disabled()
    expect(chat.page.locator("#send-seconds")).to_have_text(re.compile("^[1-6]$"))
    expect(chat.page.locator("#pace-note")).to_have_text(
        re.compile(r"You are sending too fast\. Try again in [1-6]s")
    )
    chat.ask("and a fourth")
    assert chat.box.input_value() == "and a fourth"
    expect(chat.send).to_have_attribute("data-mode", "send", timeout=PATIENCE)
    expect(chat.send).to_be_enabled()
    expect(chat.page.locator("#pace-note")).to_be_hidden()
    assert chat.box.input_value() == "and a fourth"
    # The third one went out by itself.
    expect(chat.answers).to_have_count(3, timeout=PATIENCE)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 1", "count to 2", "count to 3"])


def test_the_refused_question_says_that_it_is_sent_again_by_itself(
    strict_site: Site, somebody: Somebody
) -> None:
    chat = Chat.open(somebody(per_minute=2)[0], strict_site.base_url)
    for count in (1, 2):
        chat.ask("hello")
        expect(chat.answers).to_have_count(count, timeout=PATIENCE)
        chat.ends()
    chat.ask("hello again")
    expect(state_of(chat, 2)).to_have_attribute("data-status", "retrying", timeout=PATIENCE)
    expect(state_of(chat, 2)).to_contain_text("You are sending too fast. It is sent again in ")


def test_behind_a_running_answer_it_keeps_its_place_in_the_queue(
    strict_site: Site, somebody: Somebody
) -> None:
    chat = Chat.open(somebody()[0], strict_site.base_url)
    chat.ask("count to 900")
    chat.running()
    for question in ("count to 2", "count to 3"):
        chat.ask(question)
    expect(chat.page.locator("#pace-note")).to_be_visible(timeout=PATIENCE)
    waiting = chat.page.locator("#queue-list .queued-text")
    expect(waiting).to_have_text(["count to 2", "count to 3"])
    expect(chat.questions).to_have_text(["count to 900"])
    chat.page.keyboard.press("Escape")
    expect(chat.answers).to_have_count(3, timeout=3 * PATIENCE)
    chat.ends()
    expect(chat.questions).to_have_text(["count to 900", "count to 2", "count to 3"])


def test_reading_stopping_and_the_queue_go_on_meanwhile(strict_site: Site, somebody: Somebody) -> None:
    chat = Chat.open(somebody()[0], strict_site.base_url)
    chat.ask("count to 400")
    chat.running()
    chat.ask("queued behind it")
    expect(chat.page.locator("#queue-list li")).to_have_count(1)
    chat.ask("one too many")
    expect(chat.page.locator("#pace-note")).to_be_visible(timeout=PATIENCE)
    expect(chat.page.locator("#queue-list li").first).to_contain_text("queued behind it")
    chat.box.fill("typed meanwhile")
    expect(chat.send).to_have_attribute("data-mode", "wait")
    chat.page.locator("#stop").click()
    expect(chat.answers.first).to_have_attribute("data-status", "canceled", timeout=PATIENCE)
    assert chat.box.input_value() == "typed meanwhile"


def test_a_suggestion_that_may_not_go_yet_stands_in_the_box(strict_site: Site, somebody: Somebody) -> None:
    chat = Chat.open(somebody()[0], strict_site.base_url)
    hurry(chat)
    chat.page.locator("[data-new]:visible").first.click()
    chat.page.locator("[data-suggestion]").first.click()
    assert chat.box.input_value() == "What can you do?"
    expect(chat.send).to_be_enabled(timeout=PATIENCE)


def test_the_days_last_question_is_told_with_the_time_of_the_next(
    strict_site: Site, somebody: Somebody
) -> None:
    context, name = somebody(per_day=2, per_minute=0)
    chat = Chat.open(context, strict_site.base_url)
    other = Chat.open(context, strict_site.base_url)
    numbers = other.page.locator("#turns-numbers")
    other.page.locator("#account-button").click()
    expect(numbers).to_have_text("0 of 2 questions asked")
    for count in (1, 2):
        chat.ask("hello")
        expect(chat.answers).to_have_count(count, timeout=PATIENCE)
        chat.ends()
        expect(numbers).to_have_text(f"{count} of 2 questions asked")
    for each in (chat, other):
        expect(each.page.locator("#pace-note")).to_contain_text("Today's questions are used up. Resets at ")
        expect(each.page.locator("#turns")).to_have_attribute("data-level", "out")
    chat.box.fill("for tomorrow")
    expect(chat.send).to_be_disabled()
    chat.box.press("Enter")
    assert chat.box.input_value() == "for tomorrow"
    chat.page.wait_for_timeout(400)
    allow(strict_site, name, per_day=5, per_minute=0)
    chat.reload()
    expect(chat.questions).to_have_text(["hello", "hello"])
    expect(chat.box).to_have_value("for tomorrow")
    expect(chat.send).to_be_enabled()
    expect(chat.page.locator("#pace-note")).to_be_hidden()


def test_a_page_that_knew_nothing_of_the_limit_keeps_the_question(
    strict_site: Site, somebody: Somebody
) -> None:
    context, name = somebody()
    line = Line(context)
    line.to_page = lambda frame: None if frame["type"] == "usage.updated" else frame
    chat = Chat.open(context, strict_site.base_url)
    allow(strict_site, name, per_day=1, per_minute=0)
    chat.ask("hello")
    chat.ends()
    chat.ask("one too many")
    expect(state_of(chat, 1)).to_have_attribute("data-status", "failed", timeout=PATIENCE)
    expect(state_of(chat, 1)).to_contain_text("Today's questions are used up. Resets at ")
    expect(state_of(chat, 1).locator("[data-act=edit]")).to_be_visible()
    chat.reload()
    expect(chat.questions).to_have_text(["hello", "one too many"])
    expect(chat.page.locator("#pace-note")).to_be_visible()


def test_a_new_day_frees_the_button_by_itself(strict_site: Site, somebody: Somebody) -> None:
    context, _name = somebody()
    line = Line(context)
    chat = Chat.open(context, strict_site.base_url)
    chat.box.fill("hello")
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    used_up = {"used": 7, "limit": 7, "left": 0, "resets_at": soon}
    line.reply({"type": "usage.updated", "quota": None, "turns": used_up})
    expect(chat.send).to_be_disabled()
    expect(chat.page.locator("#pace-note")).to_be_visible()
    expect(chat.send).to_be_enabled(timeout=PATIENCE)
    expect(chat.page.locator("#pace-note")).to_be_hidden()
    expect(chat.page.locator("#turns-numbers")).to_have_text("0 of 7 questions asked")


def test_it_speaks_chinese(strict_site: Site, somebody: Somebody) -> None:
    hasty = Chat.open(somebody(locale="zh-CN")[0], strict_site.base_url)
    hurry(hasty)
    expect(hasty.page.locator("#pace-note")).to_have_text(re.compile("发送过快，[1-6] 秒后可继续"))
    done = Chat.open(somebody(per_day=1, locale="zh-CN")[0], strict_site.base_url)
    done.ask("你好")
    done.ends()
    expect(done.page.locator("#pace-note")).to_contain_text("今日提问已用完，")
    expect(done.page.locator("#pace-note")).to_contain_text("恢复")


def test_bob_is_not_slower_for_alices_haste(strict_site: Site, somebody: Somebody) -> None:
    alice, bob = (Chat.open(somebody()[0], strict_site.base_url) for _each in range(2))
    hurry(alice)
    bob.ask("count to 3")
    bob.ends()
    expect(bob.page.locator("#pace-note")).to_be_hidden()
    expect(state_of(bob)).to_have_attribute("data-status", "accepted")
