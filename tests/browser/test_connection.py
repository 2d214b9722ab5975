"""Lines that break, servers that restart, questions that wait."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, WebSocketRoute, expect

from tests.browser.chat import PATIENCE, Chat, counted
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser


def test_a_question_asked_offline_is_sent_once_when_the_line_is_back(chat: Chat) -> None:
    chat.page.context.set_offline(True)
    chat.page.evaluate("dispatchEvent(new Event('offline'))")
    expect(chat.page.locator("#banner")).to_be_visible(timeout=PATIENCE)
    chat.ask("count to 9")
    expect(chat.questions).to_have_count(1)
    expect(chat.answers).to_have_count(0)
    chat.page.context.set_offline(False)
    chat.page.evaluate("dispatchEvent(new Event('online'))")
    chat.ends()
    assert counted(chat) == list(range(1, 10))
    chat.reload()
    expect(chat.questions).to_have_count(1)
    expect(chat.answers).to_have_count(1)


def test_a_reload_does_not_lose_a_question_that_was_never_accepted(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    chat = Chat(member().new_page(), site.base_url)
    line = {"dead": True}

    def connect(socket: WebSocketRoute) -> None:
        if not line["dead"]:
            socket.connect_to_server()

    chat.page.route_web_socket("**/ws/chat/", connect)
    chat.page.goto(site.base_url)
    chat.ask("count to 9")
    chat.page.wait_for_timeout(300)
    line["dead"] = False
    chat.reload()
    chat.ends()
    assert counted(chat) == list(range(1, 10))
    expect(chat.questions).to_have_count(1)


def test_a_conversation_deleted_while_the_tab_was_away_is_gone_when_it_returns(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    context = member()
    chat = Chat.open(context, site.base_url)
    chat.ask("count to 3")
    chat.ends()
    away = Chat(context.new_page(), site.base_url)
    line = {"dead": True}

    def connect(socket: WebSocketRoute) -> None:
        if line["dead"]:
            socket.close(code=4012)
        else:
            socket.connect_to_server()

    away.page.route_web_socket("**/ws/chat/", connect)
    away.page.goto(site.base_url + chat.named())
    chat.menu("delete")
    expect(chat.items).to_have_count(0)
    line["dead"] = False
    away.connected()
    away.page.wait_for_url(site.base_url + "/")
    expect(away.items).to_have_count(0)


def test_a_restart_of_the_server_needs_no_reload(site: Site, member: Callable[..., BrowserContext]) -> None:
    chat = Chat.open(member(), site.base_url)
    chat.ask("count to 5")
    chat.ends()
    site.stop()
    expect(chat.page.locator("html")).not_to_have_attribute("data-connection", "online", timeout=PATIENCE)
    site.start()
    expect(chat.page.locator("html")).to_have_attribute("data-connection", "online", timeout=40_000)
    chat.ask("count to 6")
    expect(chat.answers).to_have_count(2)
    chat.ends()
    assert counted(chat) == [1, 2, 3, 4, 5, 6]


def test_a_lost_delta_is_noticed_and_made_good(site: Site, member: Callable[..., BrowserContext]) -> None:
    context = member()
    chat = Chat(context.new_page(), site.base_url)
    seen = {"deltas": 0}

    def lossy(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if '"turn.delta"' in str(message):
                seen["deltas"] += 1
                if seen["deltas"] in (5, 17):
                    return
                if seen["deltas"] == 9:
                    socket.send(message)
            socket.send(message)

        server.on_message(pass_on)

    chat.page.route_web_socket("**/ws/chat/", lossy)
    chat.page.goto(site.base_url)
    chat.connected()
    chat.ask("count to 100")
    chat.ends()
    assert seen["deltas"] > 17
    assert counted(chat) == list(range(1, 101))


def test_a_line_that_died_in_sleep_is_noticed_on_waking(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    chat = Chat(member().new_page(), site.base_url)
    state = {"dead": False, "opened": 0}

    def silent(socket: WebSocketRoute) -> None:
        state["opened"] += 1
        server = socket.connect_to_server()
        mine = state["opened"]

        def pass_on(message: str | bytes) -> None:
            if not (state["dead"] and mine == 1):
                socket.send(message)

        server.on_message(pass_on)

    chat.page.route_web_socket("**/ws/chat/", silent)
    chat.page.goto(site.base_url)
    chat.connected()
    state["dead"] = True
    chat.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    chat.page.wait_for_timeout(4_500)
    chat.connected()
    assert state["opened"] == 2
    chat.ask("count to 3")
    chat.ends()
