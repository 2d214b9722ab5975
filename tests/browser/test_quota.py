"""The meter of what may still be spent: in the account menu, and by the composer when nothing is left."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import PATIENCE, Chat
from tests.browser.conftest import Site
from tests.browser.lines import Line
from tests.browser.outbox_steps import state_of

pytestmark = pytest.mark.browser

_PRICE = """
from tests.conversations.metering_steps import set_price
set_price()
"""
_GIVE = """
from tests.conversations.metering_steps import CREDIT, give
give({name!r}, limit={limit} * CREDIT if {limit} is not None else None, period={period!r})
"""


@pytest.fixture(scope="module")
def paid_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on which each question costs a credit."""
    home = tmp_path_factory.mktemp("paid")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    environment |= {
        "VAR_DIR": str(home),
        "DATABASE_URL": f"sqlite:///{home / 'db.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "cozechat.settings",
        "COZE_EMULATOR_PORT": "0",
        "CHARGE_CHAT": "on",
    }
    running = Site(environment)
    running._run("manage.py", "shell", "-c", _PRICE)
    yield running
    running.stop()


Customer = Callable[..., tuple[BrowserContext, str]]


@pytest.fixture
def customer(paid_site: Site, browser_of: Callable[..., BrowserContext]) -> Customer:
    """The browser of a member with credits and perhaps a limit, and the member's name."""

    def make(*, limit: int | None = None, period: str = "day", **options: Any) -> tuple[BrowserContext, str]:
        someone = next(paid_site.members)
        allow(paid_site, someone["name"], limit=limit, period=period)
        context = browser_of(**options)
        context.add_cookies([{"name": "sessionid", "value": someone["session"], "url": paid_site.base_url}])
        return context, someone["name"]

    return make


def allow(site: Site, name: str, *, limit: int | None, period: str = "day") -> None:
    site._run("manage.py", "shell", "-c", _GIVE.format(name=name, limit=limit, period=period))


def open_menu(chat: Chat) -> Any:
    chat.page.locator("#account-button").click()
    return chat.page.locator("#quota")


def spend(chat: Chat, questions: int) -> None:
    for _each in range(questions):
        before = chat.answers.count()
        chat.ask("hello")
        expect(chat.answers).to_have_count(before + 1, timeout=PATIENCE)
        chat.ends()


def test_nobody_without_a_limit_sees_a_meter(paid_site: Site, customer: Customer) -> None:
    chat = Chat.open(customer()[0], paid_site.base_url)
    spend(chat, 1)
    expect(open_menu(chat)).to_be_hidden()
    expect(chat.page.locator("#account-menu")).to_be_visible()
    expect(chat.page.locator("#quota-note")).to_be_hidden()


def test_the_meter_follows_in_every_tab_and_turns_amber_and_red(paid_site: Site, customer: Customer) -> None:
    context, _name = customer(limit=5)
    chat = Chat.open(context, paid_site.base_url)
    other = Chat.open(context, paid_site.base_url)
    meter = open_menu(other)
    numbers = other.page.locator("#quota-numbers")
    expect(meter).to_have_attribute("data-level", "fine")
    expect(numbers).to_have_text("0 of 5 credits used")
    expect(other.page.locator("#quota-reset")).to_contain_text("Resets at ")
    spend(chat, 3)
    expect(numbers).to_have_text("3 of 5 credits used")
    expect(meter).to_have_attribute("data-level", "fine")
    spend(chat, 1)
    expect(meter).to_have_attribute("data-level", "low")
    expect(other.page.locator("#quota-level")).to_have_text("Running low")
    expect(other.page.locator("#quota-note")).to_be_hidden()
    spend(chat, 1)
    for each in (chat, other):
        expect(each.page.locator("#quota")).to_have_attribute("data-level", "out")
        expect(each.page.locator("#quota-note")).to_contain_text("Today's allowance is used up. Resets at ")
    expect(other.page.locator("#quota-level")).to_have_text("Used up")
    assert other.page.locator("#quota-meter").evaluate("meter => [meter.value, meter.max]") == [5, 5]


def test_beyond_the_allowance_the_question_is_kept_and_reading_goes_on(
    paid_site: Site, customer: Customer
) -> None:
    context, name = customer(limit=2)
    chat = Chat.open(context, paid_site.base_url)
    spend(chat, 1)
    first = chat.named()
    chat.page.locator("[data-new]:visible").first.click()
    expect(chat.answers).to_have_count(0)
    spend(chat, 1)
    chat.ask("one too many")
    expect(state_of(chat, 1)).to_have_attribute("data-status", "failed", timeout=PATIENCE)
    expect(state_of(chat, 1)).to_contain_text("Today's allowance is used up. Resets at ")
    chat.reload()
    expect(chat.questions).to_have_text(["hello", "one too many"])
    expect(chat.page.locator("#quota-note")).to_be_visible()
    chat.page.locator(f".conversation-link[href='{first}']").click()
    expect(chat.questions).to_have_text(["hello"])
    chat.page.go_back()
    expect(chat.questions).to_have_count(2)
    allow(paid_site, name, limit=9)
    chat.page.locator("[data-act=resend]").click()
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends()
    expect(chat.page.locator("#quota-note")).to_be_hidden()
    expect(chat.page.locator("#quota-numbers")).to_have_text("3 of 9 credits used")


def test_a_queued_question_that_cannot_be_paid_fails_before_our_eyes(
    paid_site: Site, customer: Customer
) -> None:
    context, _name = customer(limit=1)
    chat = Chat.open(context, paid_site.base_url)
    chat.ask("count to 60")
    chat.running()
    chat.ask("and then?")
    expect(chat.page.locator("#queue-list li")).to_have_count(1)
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    chat.ends("failed")
    expect(chat.answers.last).to_contain_text("Today's allowance is used up. Resets at ")
    expect(chat.questions).to_have_text(["count to 60", "and then?"])
    expect(chat.page.locator("#queue")).to_be_hidden()


def test_a_new_period_ends_the_shortage_by_itself(paid_site: Site, customer: Customer) -> None:
    context, _name = customer(limit=50)
    line = Line(context)
    chat = Chat.open(context, paid_site.base_url)
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    quota = {"used": "50.00", "limit": "50.00", "left": "0.00", "period": "week", "resets_at": soon}
    line.reply({"type": "usage.updated", "quota": quota})
    expect(chat.page.locator("#quota-note")).to_contain_text("Your allowance is used up. Resets at ")
    expect(chat.page.locator("#quota-note")).to_be_hidden(timeout=PATIENCE)
    expect(chat.page.locator("#quota-numbers")).to_have_text("0 of 50 credits used")
    line.reply({"type": "usage.updated", "quota": None})
    expect(open_menu(chat)).to_be_hidden()


def test_it_speaks_chinese(paid_site: Site, customer: Customer) -> None:
    context, _name = customer(limit=1, locale="zh-CN")
    chat = Chat.open(context, paid_site.base_url)
    spend(chat, 1)
    expect(chat.page.locator("#quota-note")).to_contain_text("今日额度已用完，")
    expect(chat.page.locator("#quota-note")).to_contain_text("恢复")
    open_menu(chat)
    expect(chat.page.locator("#quota-numbers")).to_have_text("已用 1 / 1 点")
    expect(chat.page.locator("#quota-level")).to_have_text("已用完")


def test_bob_sees_nothing_of_alices_allowance(paid_site: Site, customer: Customer) -> None:
    alices, bobs = customer(limit=1)[0], customer(limit=7)[0]
    line = Line(bobs)
    heard: list[str] = []
    line.to_page = lambda frame: (heard.append(frame["type"]), frame)[1]
    alice, bob = (Chat.open(context, paid_site.base_url) for context in (alices, bobs))
    spend(alice, 1)
    expect(alice.page.locator("#quota-note")).to_be_visible()
    spend(bob, 1)
    expect(bob.page.locator("#quota-numbers")).to_have_text("1 of 7 credits used")
    expect(bob.page.locator("#quota-note")).to_be_hidden()
    assert heard.count("usage.updated") == 1
    assert "used up" not in bob.page.content().replace(strings_of(bob), "")


def strings_of(chat: Chat) -> str:
    """The sentences that every page carries, shown or not."""
    return str(chat.page.locator("#strings").evaluate("template => template.outerHTML"))
