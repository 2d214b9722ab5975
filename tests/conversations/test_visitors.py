"""Visitors at the socket: two tabs are two people, a pass that is over closes them, and what was said can be kept."""

import json
from datetime import timedelta

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import Client
from django.utils import timezone

from accounts import visits
from accounts.models import User, Visit
from accounts.sockets import SocketLogin
from conversations import turns
from conversations.models import Conversation, CozeLeftover, Turn
from conversations.routing import websocket_urlpatterns
from conversations.turns import inheriting
from cozechat import database
from tests.accounts.visit_steps import showing
from tests.tabs import PATIENCE, Tab, headers, log_in

pytestmark = pytest.mark.django_db(transaction=True)


class Visiting:
    """`async with Visiting(pass) as tab:` opens a socket as a visitor's page does."""

    def __init__(self, shown, *, session_key="", protocols=None, **more):
        # Without the engine's chores: a handshake that is refused would be over before their first look has ended.
        application = SocketLogin(URLRouter(websocket_urlpatterns))
        named = ["cozechat.visit", shown] if protocols is None else protocols
        self.communicator = WebsocketCommunicator(
            application, "/ws/chat/", headers=headers(session_key, **more), subprotocols=named
        )
        self.shown = shown

    async def __aenter__(self):
        connected, self.subprotocol = await self.communicator.connect(timeout=PATIENCE)
        assert connected
        return Tab(self.communicator, self.shown)

    async def __aexit__(self, *_):
        await self.communicator.disconnect(timeout=PATIENCE)


async def begin():
    return await database.run(visits.begin)


def claim(shown, *, member):
    browser = Client()
    browser.force_login(member)
    return browser.post(
        "/api/visit/claim", json.dumps({"pass": shown}), content_type="application/json"
    ).status_code


async def test_two_tabs_talk_and_neither_learns_of_the_other(coze):
    first, second = await begin(), await begin()
    async with Visiting(first.shown) as one, Visiting(second.shown) as two:
        told = await one.say("你好,我叫张三,我25岁")
        await two.say("你好,我叫李四,我是程序员")
        own = await one.say("我叫什么名字?我多大?", conversation=told.conversation)
        assert "张三" in own.text and "25" in own.text
        foreign = await one.say("李四是谁?", conversation=told.conversation)
        assert "程序员" not in foreign.text

        await two.send("conversation.open", conversation=told.conversation)
        refused = await two.until("error")
        await two.send("conversation.open", conversation="00000000-0000-4000-8000-000000000000")
        missing = await two.until("error")
        assert (refused["code"], refused["message"]) == (missing["code"], missing["message"])
        assert refused["code"] == "not_found"
        assert all(frame.get("conversation") != told.conversation for frame in two.seen)
    ledger = coze.ledger()
    assert {first.visitor.session_name, second.visitor.session_name} <= set(ledger["exchanges"])


async def test_the_handshake_names_the_protocol_and_never_the_pass(coze):
    visit = Visiting((await begin()).shown)
    async with visit as tab:
        await tab.send("ping")
        assert (await tab.frame())["type"] == "pong"
    assert visit.subprotocol == "cozechat.visit"


async def test_a_pass_that_opens_nothing_is_signed_out_even_beside_alices_cookie(coze, alice):
    visit = await begin()
    key, _dot, signature = visit.shown.partition(".")
    session = await database.run(log_in, alice)
    for protocols in (
        ["cozechat.visit"],
        ["cozechat.visit", "rubbish"],
        ["cozechat.visit", f"{key[::-1]}.{signature}"],
        ["cozechat.visit", signature],
        ["cozechat.visit", "a" * 5000],
        ["cozechat.visit", "", visit.shown],
    ):
        async with Visiting("", session_key=session, protocols=protocols) as tab:
            assert await tab.close_code() == 4401, protocols


async def test_a_pass_is_the_visitor_even_beside_alices_cookie(coze, alice):
    visit = await begin()
    session = await database.run(log_in, alice)
    async with Visiting(visit.shown, session_key=session) as tab:
        said = await tab.say("hello")
    owner = await database.run(lambda: Conversation.objects.get(pk=said.conversation).owner_id)
    assert owner == visit.visitor.pk


async def test_a_pass_in_the_cookie_of_a_login_opens_nothing(coze):
    visit = await begin()
    for cookie in (visit.shown, f"visit:{visit.shown}"):
        async with Visiting("", session_key=cookie, protocols=[]) as tab:
            assert await tab.close_code() == 4401


async def test_a_foreign_page_opens_no_socket_with_a_good_pass(coze):
    visit = Visiting((await begin()).shown, origin="https://evil.example")
    connected, code = await visit.communicator.connect(timeout=PATIENCE)
    assert (connected, code) == (False, 1000)


async def test_a_visit_that_ends_closes_its_socket_and_no_other(coze):
    first, second = await begin(), await begin()
    async with Visiting(first.shown) as one, Visiting(second.shown) as two:
        asked = await one.say("hello")
        assert await database.run(visits.end, first.shown)
        assert await one.close_code() == 4401
        await two.send("ping")
        assert (await two.until("pong"))["type"] == "pong"
    assert not await database.run(Conversation.objects.filter(pk=asked.conversation).exists)


async def test_what_a_visitor_leaves_at_coze_is_deleted_there(coze):
    visit = await begin()
    async with Visiting(visit.shown) as tab:
        asked = await tab.say("remember the zebra")
    coze_id = await database.run(lambda: Conversation.objects.get(pk=asked.conversation).coze_conversation_id)
    await database.run(visits.leave, visit.shown)
    await database.run(lambda: Visit.objects.update(ends_at=timezone.now() - timedelta(seconds=1)))
    await inheriting.look_after_visits(turns.engine().news)
    left = await database.run(
        lambda: list(CozeLeftover.objects.values_list("coze_conversation_id", flat=True))
    )
    assert left == [coze_id]
    mirror = turns.engine().mirror
    mirror.wake()
    await mirror.work()
    assert not await database.run(CozeLeftover.objects.exists)
    assert coze.ledger()["requests"]["DELETE /v1/conversations/{conversation_id}"] >= 1
    assert not await database.run(User.objects.filter(pk=visit.visitor.pk).exists)


async def test_an_open_socket_keeps_its_visit_alive(coze):
    from conversations.turns import visits as logins

    visit = await begin()
    async with Visiting(visit.shown) as tab:
        await tab.send("ping")
        await tab.frame()
        await database.run(visits.leave, visit.shown)
        await logins.look_again(turns.hub())
        ends_at = await database.run(lambda: Visit.objects.get().ends_at)
        assert ends_at > timezone.now() + timedelta(hours=23)
        await database.run(lambda: Visit.objects.update(ends_at=timezone.now() - timedelta(seconds=1)))
        await logins.look_again(turns.hub())
        assert await tab.close_code() == 4401


async def test_what_was_said_goes_on_in_a_members_account_and_coze_is_told_it_anew(coze, alice, tab):
    visit = await begin()
    async with Visiting(visit.shown) as visitors:
        told = await visitors.say("Hello, my name is Sam and I am 25")
    before = await database.run(lambda: Conversation.objects.get(pk=told.conversation).coze_conversation_id)
    async with tab(alice) as alices:
        assert await database.run(claim, visit.shown, member=alice) == 200
        news = await alices.until("conversation.updated")
        assert news["conversation"]["id"] == told.conversation
        answer = await alices.say("what is my name?", conversation=told.conversation)
        assert "Sam" in answer.text
    after = await database.run(lambda: Conversation.objects.get(pk=told.conversation).coze_conversation_id)
    assert after and after != before
    assert coze.ledger()["chats_per_session"][alice.session_name] == 1


async def test_a_claim_while_an_answer_runs_leaves_it_its_time_and_loses_nothing(coze, alice):
    visit = await begin()
    coze.arm("stall", after=3, seconds=1.5, times=1)
    async with Visiting(visit.shown) as visitors:
        asked = await visitors.ask("count to 30")
        await asked.words()
        assert await database.run(claim, visit.shown, member=alice) == 200
        assert not await database.run(Conversation.objects.owned_by(alice).exists)
        running = turns.engine().running[next(iter(turns.engine().running))]
        await running.ended.wait()
    await inheriting.look_after_visits(turns.engine().news)
    turn = await database.run(lambda: Turn.objects.get(pk=asked.turn))
    assert (turn.owner_id, turn.status) == (alice.pk, "completed")
    assert await database.run(Conversation.objects.owned_by(alice).filter(pk=asked.conversation).exists)
    assert not await database.run(User.objects.filter(pk=visit.visitor.pk).exists)


async def test_a_claimed_visit_s_socket_asks_nothing_any_more(coze, alice):
    visit = await begin()
    async with Visiting(visit.shown) as visitors:
        await visitors.say("hello")
        assert await database.run(claim, visit.shown, member=alice) == 200
        assert await visitors.close_code() == 4401


def test_the_pages_of_visitors_say_nothing_of_whoever_is_logged_in(coze, alice, settings):
    settings.WIDGET_ORIGINS = ["https://shop.example"]
    Conversation.objects.create(owner=alice, assistant=_assistant(), title="zebra")
    browser = Client()
    browser.force_login(alice)
    theirs = Conversation.objects.get()
    for path in ("/visit/", f"/visit/c/{theirs.pk}/", "/widget/", f"/widget/c/{theirs.pk}/"):
        text = browser.get(path).content.decode()
        assert "zebra" not in text
        assert alice.username not in text
        assert alice.browser_key not in text
        assert alice.session_name not in text


def _assistant():
    from cozechat.catalog.environment import default_assistant

    return default_assistant()


def test_only_the_widget_may_be_framed_and_only_by_the_sites_that_are_named(coze, settings):
    settings.WIDGET_ORIGINS = ["https://shop.example", "http://127.0.0.1:8191"]
    browser = Client()
    framed = browser.get("/widget/?lang=zh-hans")
    assert "X-Frame-Options" not in framed
    assert "frame-ancestors https://shop.example http://127.0.0.1:8191;" in framed["Content-Security-Policy"]
    assert 'lang="zh-hans"' in framed.content.decode()
    assert not framed.cookies
    for path in (
        "/",
        "/visit/",
        "/accounts/login/",
        "/accounts/signup/",
        "/widget.js",
        "/api/visit",
    ):
        response = browser.get(path)
        assert response["X-Frame-Options"] == "DENY", path
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"], path


def test_the_widgets_script_may_be_used_by_other_sites_and_never_needs_a_cookie(coze, settings):
    settings.WIDGET_ORIGINS = ["https://shop.example"]
    response = Client().get("/widget.js")
    assert response["Content-Type"] == "text/javascript; charset=utf-8"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "max-age=3600" in response["Cache-Control"]
    assert "cookie" not in response.get("Vary", "").lower()
    assert not response.cookies


@pytest.mark.parametrize(("origins", "visitors"), [([], True), (["https://shop.example"], False)])
def test_without_sites_or_visitors_there_is_no_widget(coze, settings, origins, visitors):
    settings.WIDGET_ORIGINS, settings.ALLOW_VISITORS = origins, visitors
    assert Client().get("/widget/").status_code == 404
    assert Client().get("/widget.js").status_code == 404


def test_where_there_are_no_visitors_their_page_leads_to_the_members(coze, settings):
    settings.ALLOW_VISITORS = False
    assert Client().get("/visit/").status_code == 302
    assert "Try it without an account" not in Client().get("/accounts/login/").content.decode()


@pytest.mark.parametrize("name", ["x", "-1", "9" * 30, "½"])
def test_a_rubbish_assistant_in_the_address_is_ignored(coze, name):
    assert Client().get(f"/visit/?assistant={name}").status_code == 200


def test_a_pass_reads_its_conversation_over_http_too(coze):
    visit = visits.begin()
    made = Conversation.objects.create(owner=visit.visitor, assistant=_assistant(), title="A chat")
    path = f"/api/conversations/{made.pk}/messages"
    assert Client().get(path, headers=showing(visit.shown)).status_code == 200
    assert Client().get(path, headers=showing(visits.begin().shown)).status_code == 404
